"""The real server with what it ships, against Pillow, ONNX Runtime and FAISS in Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from programs import (
    DISTANCE_TOLERANCE, MODEL, PROBABILITY_TOLERANCE, REFERENCE, SAMPLES, Server, served,
)
from sdd_train.onnx_files.serving import ServedModel
from store import Store, assert_same_neighbors


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as server:
        yield server


@pytest.fixture(scope="module")
def model() -> ServedModel:
    return ServedModel(MODEL)


@pytest.fixture(scope="module")
def store() -> Store:
    return Store(REFERENCE)


def test_there_are_samples() -> None:
    assert SAMPLES


@pytest.mark.parametrize("image", SAMPLES, ids=lambda path: path.name)
def test_class_and_probabilities(image: Path, server: Server, model: ServedModel) -> None:
    answer = server.predict(image)
    probability = float(model.predict([image])[0][0, 0])
    decision, labels = model.metadata["decision"], model.metadata["labels"]
    positive = decision["positive_label"]
    (negative,) = set(labels) - {positive}

    expected = {positive: probability, negative: 1 - probability}
    assert answer["probabilities"] == pytest.approx(expected, abs=PROBABILITY_TOLERANCE)
    assert abs(probability - decision["threshold"]) > PROBABILITY_TOLERANCE, "the sample decides nothing"
    assert answer["class"] == (positive if probability >= decision["threshold"] else negative)
    assert answer["confidence"] == answer["probabilities"][answer["class"]]


@pytest.mark.parametrize("image", SAMPLES, ids=lambda path: path.name)
def test_drift(image: Path, server: Server, model: ServedModel, store: Store) -> None:
    drift = server.predict(image)["drift"]
    embedding = model.predict([image])[1][0]
    calibration = store.attachment("calibration.json")
    assert drift["method"] == calibration["method"] == "knn"
    assert len(drift["neighbors"]) == 3
    assert_same_neighbors(drift["neighbors"], store.nearest(embedding, 10), DISTANCE_TOLERANCE)

    score = store.nearest(embedding, calibration["k"])[-1].distance
    assert drift["score"] == pytest.approx(score, abs=DISTANCE_TOLERANCE)

    # The conformal p-value: the share of calibration images at least as strange, each item weighing one, and the image
    # itself included.
    items: dict[str, list[float]] = {}
    for entry in calibration["scores"]:
        items.setdefault(entry["group"], []).append(entry["score"])
    stranger = sum(np.mean(np.array(scores) >= drift["score"]) for scores in items.values())
    p_value = (1 + stranger) / (len(items) + 1)
    assert drift["p_value"] == pytest.approx(p_value, abs=1e-12)
    assert drift["out_of_distribution"] == (p_value <= calibration["alpha"])
    assert drift["threshold"] == calibration["threshold"]
