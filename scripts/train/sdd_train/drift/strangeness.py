"""How strange an image is to the model: distance to its neighbors in the reference.

The score is the distance to the k-th nearest reference embedding on unit
vectors (Sun et al. 2022, https://arxiv.org/abs/2204.06507); the p-value is the
conformal one, ``(1 + #{calibration >= score}) / (n + 1)``. The other score that the service
offers, the mean L1 distance to all reference embeddings, is here to be compared with.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from ..onnx_files.serving import ServedModel
from ..data.image_files import images_below

NEIGHBORS = 5


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows ``[M, D]`` scaled to length one."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def neighbor_distance(queries: np.ndarray, reference: np.ndarray, k: int = NEIGHBORS) -> np.ndarray:
    """Distance ``[M]`` of each query ``[M, D]`` to its k-th nearest reference row ``[R, D]``."""
    squared = 2.0 - 2.0 * unit(queries).astype(np.float64) @ unit(reference).astype(np.float64).T
    return np.sqrt(np.maximum(np.partition(squared, k - 1, axis=1)[:, k - 1], 0.0))


def mean_l1(queries: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Mean L1 distance ``[M]`` of each query ``[M, D]`` to all reference rows ``[R, D]``, as they are."""
    return cdist(queries, reference, "cityblock").mean(axis=1)


def p_value(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Conformal p-values ``[M]`` of scores ``[M]``."""
    above = (calibration[None, :] >= scores[:, None]).sum(axis=1)
    return (1 + above) / (len(calibration) + 1)


def p_value_without_itself(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Conformal p-values ``[n]`` of scores ``[n]``, each without the calibration score in its own place.

    For images that are changed versions of the calibration images: ``scores[i]`` is compared with
    the ``n - 1`` scores of the other images, as a new image would be.
    """
    above = calibration[None, :] >= scores[:, None]
    np.fill_diagonal(above, False)
    return (1 + above.sum(axis=1)) / len(calibration)


def report(model_path: Path, run: Path, images: list[Path]) -> dict[str, object]:
    """Scores images against ``run/reference`` and ``run/calibration``."""
    model = ServedModel(model_path)
    _, reference = model.predict(images_below(run / "reference"))
    _, held_out = model.predict(images_below(run / "calibration"))
    calibration = neighbor_distance(held_out, reference)
    probability, embedding = model.predict(images)
    scores = neighbor_distance(embedding, reference)
    p = p_value(scores, calibration)
    quantiles = np.quantile(calibration, [0.0, 0.5, 0.95, 1.0])
    return {
        "reference_images": len(reference),
        "calibration_images": len(calibration),
        "calibration_distance": dict(zip(("min", "median", "q95", "max"), quantiles.round(4).tolist())),
        "images": {
            path.name: {
                "probability": round(float(probability[i, 0]), 4),
                "distance": round(float(scores[i]), 4),
                "p_value": round(float(p[i]), 4),
            }
            for i, path in enumerate(images)
        },
    }
