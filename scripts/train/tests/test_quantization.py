"""quantize.py: what the converted files are, and how near their answers are to the original's."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphs
from make_plain_model import LABELS, PREPROCESSING, build, draw_set
from sdd_train.onnx_files import comparison, embedding_output, half, inference, metadata, quantization
from sdd_train.onnx_files.inference import Classifier, session

FOLDER = Path(__file__).parents[1]
# 2^15 - 1: where the sum of two products overflows on processors without VNNI.
SATURATION = 32767


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-B", "quantize.py", *map(str, arguments)]
    return subprocess.run(
        line, cwd=FOLDER, env=os.environ | environment, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`model.onnx`, with metadata, and the images it was fitted to."""
    folder = tmp_path_factory.mktemp("quantization")
    result = embedding_output.add(build(draw_set(folder / "images")))
    content = metadata.document(
        name="drawn", version="3", description="", license="", labels=LABELS, preprocessing=PREPROCESSING,
        decision=metadata.softmax_decision(), embedding_dimension=result.dimension, trained_on={"dataset": "drawn"},
    )
    metadata.attach(result.model, content)
    onnx.save(result.model, folder / "model.onnx")
    return folder


@pytest.fixture(scope="module")
def int8(folder: Path) -> Path:
    out = folder / "int8.onnx"
    done = command(folder / "model.onnx", "--calibration", folder / "images", "--out", out, "--count", 20)
    assert done.returncode == 0, done.stderr
    assert "20 images: " in done.stdout
    return out


@pytest.fixture(scope="module")
def fp16(folder: Path) -> Path:
    done = command(folder / "model.onnx", "--calibration", folder / "images", "--out", folder / "fp16.onnx", "--half")
    assert done.returncode == 0, done.stderr
    return folder / "fp16.onnx"


def signature(model: onnx.ModelProto) -> list[bytes]:
    return [value.SerializeToString() for value in [*model.graph.input, *model.graph.output]]


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_converted_file_is_used_like_the_original(
    precision: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(precision)
    original, converted = onnx.load(folder / "model.onnx"), onnx.load(path)
    assert signature(converted) == signature(original)
    assert {opset.domain for opset in converted.opset_import} == {""}
    content = metadata.read(converted)
    made = content["trained_on"].pop("converted")
    expected = metadata.read(original)
    assert content == expected | {"name": f"drawn-{precision}"}
    assert made["from"] == "drawn"
    assert made["sha256"] == hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert made.get("calibration_images") == (20 if precision == "int8" else None)

    model = Classifier(path)
    batch = np.concatenate([model.load(image) for image in sorted(folder.glob("images/*/*.png"))[:5]])
    together = model.run(batch)
    alone = [model.run(row[None]) for row in batch]
    for index in range(2):
        assert np.allclose(together[index], np.concatenate([row[index] for row in alone]), atol=1e-5)


def test_answers_stay_near(folder: Path, int8: Path, fp16: Path) -> None:
    new = draw_set(folder / "new", first_seed=1000, count=5)
    found = comparison.agreement(folder / "model.onnx", int8, new)
    assert found.images == 5 * len(LABELS)
    assert found.same_class == 1.0
    assert 0 < found.mean_probability < found.max_probability < 0.05
    assert 0 < found.mean_embedding <= found.max_embedding < 0.05
    assert comparison.agreement(folder / "model.onnx", fp16, new).max_probability < 0.005


def dequantized_convolutions(model: onnx.ModelProto) -> list[np.ndarray]:
    """The stored weights of the Convs that work on integers."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    producers = {node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    convs = [node for node in model.graph.node if node.op_type == "Conv" and node.input[1] in producers]
    return [stored[producers[node.input[1]].input[0]] for node in convs]


def test_no_pair_of_products_saturates(int8: Path) -> None:
    (weights,) = dequantized_convolutions(onnx.load(int8))
    assert weights.dtype == np.int8
    assert 2 * 255 * np.abs(weights.astype(int)).max() <= SATURATION


def test_the_ends_stay_in_float(int8: Path) -> None:
    model = onnx.load(int8)
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    floats = {t.name for t in model.graph.initializer if t.data_type == TensorProto.FLOAT}
    assert first.input[0] == "image" and first.input[1] in floats
    (last,) = [node for node in model.graph.node if node.op_type == "Gemm"]
    assert last.input[1] in floats


def test_convolutions_with_few_channels_stay_in_float() -> None:
    constants: dict[str, np.ndarray] = {
        "more.weight": graphs.normal(8, graphs.CHANNELS, 1, 1), "logits.weight": graphs.normal(1, 8, 1, 1),
    }
    nodes = graphs.features(constants) + [
        helper.make_node("Conv", ["map", "more.weight"], ["more"]),
        helper.make_node("Conv", ["more", "logits.weight"], ["logits"]),
        helper.make_node("GlobalMaxPool", ["logits"], ["classes"]),
    ]
    model = graphs.model_of(nodes, constants, outputs={"classes": ["N", 1, 1, 1]})
    image = np.random.default_rng(0).normal(size=(1, 3, graphs.HEIGHT, graphs.WIDTH)).astype(np.float32)
    quantized = quantization.quantize(model, [image])
    assert [weights.shape for weights in dequantized_convolutions(quantized)] == [(8, graphs.CHANNELS, 1, 1)]


@pytest.mark.parametrize("opset", [11, 21])
def test_other_opsets(opset: int) -> None:
    constants: dict[str, np.ndarray] = {"more.weight": graphs.normal(8, graphs.CHANNELS, 3, 3)}
    nodes = graphs.features(constants) + [
        helper.make_node("Conv", ["map", "more.weight"], ["more"]),
        helper.make_node("GlobalAveragePool", ["more"], ["classes"]),
    ]
    model = graphs.model_of(nodes, constants, opset=opset, outputs={"classes": ["N", 8, 1, 1]})
    image = np.random.default_rng(0).normal(size=(1, 3, graphs.HEIGHT, graphs.WIDTH)).astype(np.float32)
    (expected,) = session(model.SerializeToString()).run(None, {"x": image})
    for converted in (quantization.quantize(model, [image]), half.halve(model)):
        onnx.checker.check_model(converted, full_check=True)
        (found,) = session(converted.SerializeToString()).run(None, {"x": image})
        assert np.allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_the_same_input_gives_the_same_bytes(folder: Path, int8: Path) -> None:
    for seed in ("1", "2"):
        again = folder / f"again{seed}.onnx"
        arguments = [folder / "model.onnx", "--calibration", folder / "images", "--out", again, "--count", 20]
        assert command(*arguments, PYTHONHASHSEED=seed).returncode == 0
        assert again.read_bytes() == int8.read_bytes()


def test_rounding_by_the_inputs_is_better_than_to_the_nearest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Classifier(folder / "model.onnx")
    model = inference.read(folder / "model.onnx")
    paths = sorted(folder.glob("images/*/*.png"))
    images = [original.load(path) for path in paths]

    def embeddings(converted: onnx.ModelProto) -> np.ndarray:
        running = session(converted.SerializeToString())
        return np.concatenate([running.run(["embedding"], {"image": image})[0] for image in images])

    exact = embeddings(model)
    refined = np.linalg.norm(embeddings(quantization.quantize(model, images)) - exact)
    monkeypatch.setattr(quantization.rounding, "refine", lambda *_: None)
    nearest = np.linalg.norm(embeddings(quantization.quantize(model, images)) - exact)
    assert refined < 0.8 * nearest


def test_half_precision_ends_where_the_maps_do(fp16: Path) -> None:
    inferred = onnx.shape_inference.infer_shapes(onnx.load(fp16)).graph
    types = {value.name: value.type.tensor_type.elem_type for value in inferred.value_info}
    assert types["b"] == TensorProto.FLOAT16
    assert types["pool"] == types["logits"] == TensorProto.FLOAT


def test_weights_beyond_half_precision_are_refused() -> None:
    model = graphs.classifier()
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "conv.weight")
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1e6, "conv.weight"))
    with pytest.raises(ValueError, match="conv.weight.*float16"):
        half.halve(model)


def test_what_cannot_be_quantized_is_refused(folder: Path, tmp_path: Path) -> None:
    image = np.zeros((1, 3, graphs.HEIGHT, graphs.WIDTH), dtype=np.float32)
    with pytest.raises(ValueError, match="no convolution"):
        quantization.quantize(graphs.classifier(), [image])

    onnx.save(graphs.classifier(), tmp_path / "bare.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    for model, images, expected in (
        (tmp_path / "bare.onnx", folder / "images", "bare.json"),
        (tmp_path / "text.onnx", folder / "images", "expected an ONNX file"),
        (folder / "model.onnx", tmp_path, "expected images"),
    ):
        done = command(model, "--calibration", images, "--out", tmp_path / "out.onnx")
        assert done.returncode != 0
        assert expected in done.stderr and "Traceback" not in done.stderr
        assert not (tmp_path / "out.onnx").exists()
