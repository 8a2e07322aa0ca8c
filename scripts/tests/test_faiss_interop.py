"""A store that `drift-index` built, read and searched by FAISS's own Python package."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from programs import DISTANCE_TOLERANCE, MODEL, REFERENCE, SAMPLES, drift_index
from sdd_train.onnx_files.serving import ServedModel
from store import Store, assert_same_neighbors

ROWS, DIMENSION, QUERIES = 500, 37, 40


def embeddings(rows: int, seed: int) -> np.ndarray:
    """Rows of different lengths around a few centers, so that neighbors are no coincidence."""
    random = np.random.default_rng(seed)
    centers = np.random.default_rng(0).normal(size=(8, DIMENSION))
    rows = centers[random.integers(8, size=rows)] + 0.2 * random.normal(size=(rows, DIMENSION))
    return (rows * random.uniform(0.5, 20, size=(len(rows), 1))).astype(np.float32)


@pytest.mark.parametrize("normalization", ["l2", "none"])
def test_faiss_reads_a_store_and_finds_the_same_neighbors(normalization: str, tmp_path: Path) -> None:
    reference, queries = embeddings(ROWS, seed=1), embeddings(QUERIES, seed=2)
    labels = np.array(["crack", "", "scratch"])[np.random.default_rng(3).integers(3, size=ROWS)]
    np.save(tmp_path / "reference.npy", reference)
    np.save(tmp_path / "queries.npy", queries)
    (tmp_path / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    drift_index(
        "build", tmp_path / "reference.npy", "--classes", tmp_path / "labels.txt",
        "--normalize", normalization, "--out", tmp_path / "store",
    )

    store = Store(tmp_path / "store")
    assert type(store.index) is faiss.IndexFlatL2
    assert (store.index.ntotal, store.index.d) == (ROWS, DIMENSION)
    assert (store.manifest["count"], store.manifest["dimension"]) == (ROWS, DIMENSION)
    assert store.manifest["normalization"] == normalization

    stored = store.index.reconstruct_n(0, ROWS)
    for row, record in zip(stored, store.records):
        original = int(record["id"])  # ids are row numbers, though rows of a label are put together
        assert record["label"] == (labels[original] or None)
        norm = np.linalg.norm(reference[original].astype(np.float64)) if normalization == "l2" else 1.0
        assert np.allclose(row, reference[original] / norm, rtol=1e-6, atol=0)
        assert np.isclose(record.get("norm", 1.0), norm, rtol=1e-12)

    # Distances are float32 sums of squares: a relative error, so the tolerance grows with the norms.
    tolerance = 1e-4 if normalization == "l2" else 1e-4 * float(np.linalg.norm(reference, axis=1).max())
    # Exit code 4: without a calibration there is no verdict.
    answers = drift_index(
        "check", tmp_path / "store", tmp_path / "queries.npy", "--each", "--neighbors", 3, codes=(4,)
    )
    assert len(answers["results"]) == QUERIES
    for query, answer in zip(queries, answers["results"]):
        assert len(answer["neighbors"]) == 3
        assert_same_neighbors(answer["neighbors"], store.nearest(query, 10), tolerance)


def test_an_image_has_the_neighbors_that_python_finds() -> None:
    store, model = Store(REFERENCE), ServedModel(MODEL)
    _, rows = model.predict(SAMPLES)
    # Exit code 4: so few images are no batch.
    answers = drift_index("check", REFERENCE, *SAMPLES, "--model", MODEL, "--each", "--neighbors", 3, codes=(4,))
    # As one sample is meant to be.
    assert any(answer["out_of_distribution"] for answer in answers["results"])
    assert len(answers["results"]) == len(SAMPLES)
    for row, answer in zip(rows, answers["results"]):
        assert len(answer["neighbors"]) == 3
        assert_same_neighbors(answer["neighbors"], store.nearest(row, 10), DISTANCE_TOLERANCE)
