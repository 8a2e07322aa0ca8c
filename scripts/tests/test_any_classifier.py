"""A classifier that is none of ours, four classes and nothing else, from its ONNX file to answers with drift."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from make_plain_model import LABELS, draw_set
from programs import Server, drift_index, served, server_refusal, train_script
from sdd_train.onnx_files.inference import Classifier
from store import Store, assert_same_neighbors

TOLERANCE = 1e-4
# One step of an 8-bit activation: where ours and Pillow's pixels differ in the last bit of a float, a value may
# be rounded to the next one.
INT8_TOLERANCE = 1e-2
ALPHA = 0.05


class Deployed:
    """A model file, its reference store, and the drawn images."""

    def __init__(self, model: Path, images: Path, store: Path) -> None:
        self.model = model
        self.store = store
        drift_index(
            "build", images / "training", "--calibrate", images / "held_out", "--model", model,
            "--alpha", ALPHA, "--out", store,
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any")
    train_script("make_plain_model", "--out", folder)
    (folder / "images").rename(folder / "training")
    draw_set(folder / "held_out", first_seed=500, count=8)
    return folder


@pytest.fixture(scope="module")
def new_images(folder: Path) -> list[Path]:
    return draw_set(folder / "new", first_seed=1000, count=2)


@pytest.fixture(scope="module")
def with_metadata(folder: Path) -> Deployed:
    out = folder / "with_metadata.onnx"
    train_script("add_embedding", folder / "plain.onnx", "--out", out, "--labels", ",".join(LABELS))
    return Deployed(out, folder, folder / "store_with_metadata")


@pytest.fixture(scope="module")
def with_sidecar(folder: Path) -> Deployed:
    """The description that `add_embedding` prints, with the labels filled in as it asks for."""
    out = folder / "with_sidecar.onnx"
    said = train_script("add_embedding", folder / "plain.onnx", "--out", out)
    assert str(out.with_suffix(".json")) in said
    description = json.loads(said[said.index("{") :])
    assert len(description["labels"]) == len(LABELS)
    out.with_suffix(".json").write_text(json.dumps(description | {"labels": LABELS}))
    return Deployed(out, folder, folder / "store_with_sidecar")


@pytest.fixture(scope="module")
def in_integers(folder: Path, with_metadata: Deployed) -> Deployed:
    out = folder / "int8.onnx"
    train_script("quantize", with_metadata.model, "--calibration", folder / "training", "--out", out)
    return Deployed(out, folder, folder / "store_int8")


def check_answers(server: Server, deployed: Deployed, images: list[Path], tolerance: float) -> None:
    """Class, probabilities and drift of each image against ONNX Runtime and FAISS in Python."""
    model, store = Classifier(deployed.model), Store(deployed.store)
    probabilities, embeddings = model.predict(images)
    calibration = store.attachment("calibration.json")
    for image, probability, embedding in zip(images, probabilities, embeddings):
        answer = server.predict(image)
        assert set(answer["probabilities"]) == set(LABELS)
        assert answer["probabilities"] == pytest.approx(dict(zip(LABELS, map(float, probability))), abs=tolerance)
        first, second = np.sort(probability)[::-1][:2]
        assert first - second > 2 * tolerance, f"{image} decides nothing"
        assert answer["class"] == LABELS[probability.argmax()]
        assert answer["confidence"] == answer["probabilities"][answer["class"]]

        drift = answer["drift"]
        assert len(drift["neighbors"]) == 3
        assert_same_neighbors(drift["neighbors"], store.nearest(embedding, 10), tolerance)
        score = store.nearest(embedding, calibration["k"])[-1].distance
        assert drift["score"] == pytest.approx(score, abs=tolerance)
        assert drift["out_of_distribution"] == (drift["p_value"] <= ALPHA)


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [("with_metadata", TOLERANCE), ("with_sidecar", TOLERANCE), ("in_integers", INT8_TOLERANCE)],
)
def test_the_service_answers_as_python_does(
    kind: str, tolerance: float, new_images: list[Path], request: pytest.FixtureRequest
) -> None:
    deployed = request.getfixturevalue(kind)
    with served("--model", deployed.model, "--reference", deployed.store) as server:
        check_answers(server, deployed, new_images, tolerance)


def test_probabilities_that_do_not_sum_to_one_are_refused(
    folder: Path, with_metadata: Deployed, new_images: list[Path]
) -> None:
    """As of a network that ends in a sigmoid for each label and is described as a softmax."""
    model = onnx.load(with_metadata.model)
    (last,) = (node for node in model.graph.node if "probability" in node.output)
    last.output[list(last.output).index("probability")] = "softmax"
    model.graph.node.append(onnx.helper.make_node("Sqrt", ["softmax"], ["probability"]))
    path = folder / "no_softmax.onnx"
    onnx.save(model, path)
    said = drift_index("embed", new_images[0], "--model", path, "--out", folder / "no.npy", codes=(2,))
    (result,) = said["results"]
    assert result["error"]["code"] == "model", said
    assert "they are no softmax" in result["error"]["message"], said


def test_the_classifier_is_right(with_metadata: Deployed, new_images: list[Path]) -> None:
    """So that the other tests are about classes that differ."""
    probability, _ = Classifier(with_metadata.model).predict(new_images)
    right = [LABELS[p.argmax()] == image.parent.name for p, image in zip(probability, new_images)]
    assert np.mean(right) >= 0.75


def test_a_store_of_the_original_is_refused_for_the_integers(
    with_metadata: Deployed, in_integers: Deployed
) -> None:
    said = server_refusal("--model", in_integers.model, "--reference", with_metadata.store)
    assert "not the same file" in said
    for name, file in (("plain", with_metadata.model), ("plain-int8", in_integers.model)):
        assert f"`{name}`" in said, said
        assert hashlib.sha256(file.read_bytes()).hexdigest() in said, said
