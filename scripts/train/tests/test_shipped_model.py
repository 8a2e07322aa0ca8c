"""The ONNX files in the repository: metadata, shapes, their answers on the samples, and their reference stores."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from make_tiny_model import build
from sdd_train.onnx_files import metadata
from sdd_train.onnx_files.serving import ServedModel

MODELS = Path(__file__).parents[3] / "models"
FP32, INT8 = (MODELS / f"sdd-efficientnet-lite0{precision}.onnx" for precision in ("", "-int8"))
STORES = {FP32: MODELS / "reference", INT8: MODELS / "reference-int8"}
EMBEDDING_DIMENSION = 672


@pytest.fixture(scope="module", params=[FP32, INT8], ids=["fp32", "int8"])
def path(request) -> Path:
    return request.param


@pytest.fixture(scope="module")
def shipped(path) -> ServedModel:
    return ServedModel(path)


def test_metadata_follows_the_schema(path, shipped):
    content = shipped.metadata
    assert content["name"] == path.stem
    assert content["labels"] == ["defect", "non_defect"]
    assert content["embedding_dimension"] == EMBEDDING_DIMENSION
    trained_on = content["trained_on"]
    assert not set(trained_on["items"]) & set(trained_on["held_out_items"])
    assert [e.key for e in onnx.load(path).metadata_props] == [metadata.KEY]


def test_batch_is_dynamic_and_size_fixed(path):
    graph = onnx.load(path).graph
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output]
    }
    assert shapes == {
        "image": ["N", 3, 640, 160], "probability": ["N", 1], "embedding": ["N", EMBEDDING_DIMENSION],
    }
    assert "BatchNormalization" not in {node.op_type for node in graph.node}


def test_samples_are_classified(shipped):
    paths = [MODELS / "samples" / name for name in ("good.jpg", "defect.jpg")]
    probability, embedding = shipped.predict(paths)
    threshold = shipped.metadata["decision"]["threshold"]
    assert probability[0, 0] < threshold <= probability[1, 0]
    assert embedding.shape == (2, EMBEDDING_DIMENSION) and np.isfinite(embedding).all()
    alone, _ = shipped.predict(paths[1:])
    assert alone[0, 0] == pytest.approx(probability[1, 0], abs=1e-5)


def test_the_store_beside_it_was_built_with_it(path, shipped):
    manifest = json.loads((STORES[path] / "manifest.json").read_text())
    assert manifest["model"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert manifest["model"]["name"] == shipped.metadata["name"]
    assert manifest["dimension"] == EMBEDDING_DIMENSION


def test_the_int8_file_says_what_it_was_made_from():
    made_from = ServedModel(INT8).metadata["trained_on"]["converted"]
    assert made_from["sha256"] == hashlib.sha256(FP32.read_bytes()).hexdigest()


def test_unknown_and_missing_fields_are_refused():
    content = dict(ServedModel(FP32).metadata)
    with pytest.raises(ValueError, match="unknown"):
        metadata.validate(content | {"extra": 1})
    del content["labels"]
    with pytest.raises(ValueError, match="missing"):
        metadata.validate(content)


def test_a_bare_model_has_no_metadata():
    with pytest.raises(KeyError, match=metadata.KEY):
        metadata.read(build("binary"))
