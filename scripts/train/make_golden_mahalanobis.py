"""Writes relative Mahalanobis distances computed with scikit-learn and NumPy.

    python make_golden_mahalanobis.py --out ../../crates/drift/tests/golden

Writes `mahalanobis.json`, which the Rust tests compare with: reference rows and their classes, queries, the
Ledoit-Wolf intensity by `sklearn.covariance`, and the distances by the definition, with a plain matrix
inverse. Everything is drawn here from fixed seeds. Rows and queries are float32 values, written exactly.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.covariance import ledoit_wolf_shrinkage, shrunk_covariance

TOLERANCE = {"shrinkage": {"rel": 1e-9, "abs": 1e-12}, "score": {"rel": 1e-7, "abs": 1e-7}}


def distances(rows: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The intensity, `min_c MD_c` and `MD_0` of each query, all float64."""
    rows, queries = rows.astype(np.float64), queries.astype(np.float64)
    classes = np.unique(labels)
    means = np.stack([rows[labels == c].mean(axis=0) for c in classes])
    within = rows - means[np.searchsorted(classes, labels)]
    background = rows - rows.mean(axis=0)
    intensity = ledoit_wolf_shrinkage(within, assume_centered=True)

    def precision(centered: np.ndarray) -> np.ndarray:
        return np.linalg.inv(shrunk_covariance(centered.T @ centered / len(rows), intensity))

    def squared(difference: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        return np.einsum("ij,jk,ik->i", difference, inverse, difference)

    shared = precision(within)
    nearest = np.min([squared(queries - mean, shared) for mean in means], axis=0)
    return float(intensity), nearest, squared(queries - rows.mean(axis=0), precision(background))


def case(name: str, seed: int, counts: list[int], dimension: int, spread: float, rectified: bool) -> dict:
    """Classes of correlated normal rows, `spread` apart; rectified ones have zeros and dead columns."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dimension, dimension)) / np.sqrt(dimension)
    centers = spread * rng.normal(size=(len(counts), dimension))

    def draw(count: int, center: np.ndarray, factor: float = 1.0) -> np.ndarray:
        drawn = center + factor * rng.normal(size=(count, dimension)) @ mixing
        if rectified:
            drawn = np.maximum(drawn, 0.0)
            drawn[:, ::7] = 0.0
        return drawn.astype(np.float32)

    rows = np.concatenate([draw(count, center) for count, center in zip(counts, centers)])
    labels = np.repeat(np.arange(len(counts)), counts)
    strange = [draw(1, center + rng.normal(size=dimension), 3.0) for center in centers]
    queries = np.concatenate(
        [rows[:1], draw(2, centers[0]), draw(1, centers.mean(axis=0)), *strange, 100 * rows[:1], 0 * rows[:1]]
    ).astype(np.float32)
    if rectified:
        # Something that no reference image has.
        queries[-1, 0] = 1.0
    intensity, nearest, background = distances(rows, labels, queries)
    return {
        "name": name,
        "reference": rows.astype(float).tolist(),
        "labels": [f"class {label}" for label in labels],
        "queries": queries.astype(float).tolist(),
        "shrinkage": intensity,
        "nearest_class": nearest.tolist(),
        "background": background.tolist(),
        "score": (nearest - background).tolist(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    golden = {
        "fixture": "mahalanobis.json",
        "source": [
            f"shrinkage: scikit-learn {sklearn.__version__}, sklearn.covariance.ledoit_wolf_shrinkage of the "
            "class-centered rows, assume_centered=True",
            f"score: numpy {np.__version__}, numpy.linalg.inv of sklearn.covariance.shrunk_covariance, "
            "min_c MD_c - MD_0",
        ],
        "tolerance": TOLERANCE,
        "cases": [
            case("fewer rows than half the values", 1, [7, 5], 32, 1.0, False),
            case("fewer rows than values", 2, [11, 9], 24, 1.0, False),
            case("many rows", 3, [60, 25], 12, 1.0, False),
            case("three uneven classes", 4, [12, 3, 5], 16, 0.5, False),
            case("classes far apart", 5, [8, 8], 40, 30.0, False),
            case("rectified features, few rows", 6, [10, 4], 36, 0.7, True),
            case("rectified features, many rows", 7, [40, 20], 14, 0.7, True),
            case("a class of one image", 8, [9, 1], 20, 1.0, False),
        ],
    }
    (out / "mahalanobis.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
