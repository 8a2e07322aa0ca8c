"""The ONNX files in the repository: metadata, shapes, and their answers on the samples."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from make_tiny_model import build
from sdd_train import metadata
from sdd_train.serving import ServedModel

MODELS = Path(__file__).parents[3] / "models"
SHIPPED = MODELS / "sdd-efficientnet-lite0.onnx"


@pytest.fixture(scope="module")
def shipped() -> ServedModel:
    return ServedModel(SHIPPED)


def test_metadata_follows_the_schema(shipped):
    content = shipped.metadata
    assert content["labels"] == ["defect", "non_defect"]
    assert content["embedding_dimension"] == 1280
    trained_on = content["trained_on"]
    assert not set(trained_on["items"]) & set(trained_on["held_out_items"])
    assert [e.key for e in onnx.load(SHIPPED).metadata_props] == [metadata.KEY]


def test_batch_is_dynamic_and_size_fixed():
    graph = onnx.load(SHIPPED).graph
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output]
    }
    assert shapes == {
        "image": ["N", 3, 512, 208], "probability": ["N", 1], "embedding": ["N", 1280],
    }
    assert "BatchNormalization" not in {node.op_type for node in graph.node}


def test_samples_are_classified(shipped):
    paths = [MODELS / "samples" / name for name in ("good.jpg", "defect.jpg")]
    probability, embedding = shipped.predict(paths)
    threshold = shipped.metadata["decision"]["threshold"]
    assert probability[0, 0] < threshold <= probability[1, 0]
    assert embedding.shape == (2, 1280) and np.isfinite(embedding).all()
    alone, _ = shipped.predict(paths[1:])
    assert alone[0, 0] == pytest.approx(probability[1, 0], abs=1e-5)


def test_unknown_and_missing_fields_are_refused(shipped):
    content = dict(shipped.metadata)
    with pytest.raises(ValueError, match="unknown"):
        metadata.validate(content | {"extra": 1})
    del content["labels"]
    with pytest.raises(ValueError, match="missing"):
        metadata.validate(content)


def test_a_bare_model_has_no_metadata():
    with pytest.raises(KeyError, match=metadata.KEY):
        metadata.read(build("binary"))
