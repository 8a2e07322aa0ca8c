"""add_embedding.py: which tensor it takes, what the new file puts out, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import graphs
from graphs import CHANNELS, CLASSES, HEIGHT, WIDTH
from sdd_train.onnx_files import embedding_output, metadata
from sdd_train.onnx_files.inference import Classifier, session

FOLDER = Path(__file__).parents[1]


def run(model: onnx.ModelProto, images: np.ndarray, names: list[str] | None = None) -> list[np.ndarray]:
    source = model.graph.input[0].name
    return session(model.SerializeToString()).run(names, {source: images})


def images(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 3, HEIGHT, WIDTH)).astype(np.float32)


def shapes(model: onnx.ModelProto) -> dict[str, list[int | str]]:
    return {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in [*model.graph.input, *model.graph.output]
    }


def pool_of(model: onnx.ModelProto, batch: np.ndarray) -> np.ndarray:
    """The mean of `map` over its places, by NumPy."""
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    probed.graph.output.append(helper.make_tensor_value_info("map", TensorProto.FLOAT, None))
    return np.concatenate([run(probed, row[None], ["map"])[0] for row in batch]).mean(axis=(2, 3))


@pytest.mark.parametrize("opset", [11, 13, 17, 18, 21])
@pytest.mark.parametrize("pool", ["GlobalAveragePool", "AveragePool", "ReduceMean", "ReduceMean without dimensions"])
def test_every_kind_of_pool_is_found(pool: str, opset: int) -> None:
    model = graphs.classifier(pool, opset)
    result = embedding_output.add(model)
    assert (result.pool, result.columns, result.dimension) == ("pool", CLASSES, CHANNELS)
    assert shapes(result.model) == {
        "image": ["N", 3, HEIGHT, WIDTH], "probability": ["N", CLASSES], "embedding": ["N", CHANNELS],
    }
    batch = images(3)
    probability, embedding = run(result.model, batch)
    assert np.allclose(probability, run(model, batch)[0], atol=1e-6)
    assert np.allclose(embedding, pool_of(model, batch), atol=1e-5)


def test_a_fixed_batch_becomes_dynamic() -> None:
    model = graphs.classifier(batch=1)
    result = embedding_output.add(model)
    batch = images(4)
    probability, embedding = run(result.model, batch)
    assert shapes(result.model)["image"][0] == "N"
    assert np.allclose(probability, np.concatenate([run(model, row[None])[0] for row in batch]), atol=1e-6)
    assert np.allclose(embedding, pool_of(model, batch), atol=1e-5)


def test_a_batch_fixed_within_the_graph_is_refused() -> None:
    constants: dict[str, np.ndarray] = {}
    nodes = graphs.features(constants) + graphs.pooled("ReduceMean without dimensions", constants, 17)
    nodes.append(graphs.linear(constants, "pool", "logits"))
    # One row, which cannot stand beside the rows of more than one image.
    constants["extra"] = np.zeros((1, 1), dtype=np.float32)
    nodes.append(helper.make_node("Concat", ["logits", "extra"], ["joined"], axis=1))
    nodes.append(helper.make_node("Softmax", ["joined"], ["classes"]))
    model = graphs.model_of(
        nodes, constants, input_shape=[1, 3, HEIGHT, WIDTH], outputs={"classes": [1, CLASSES + 1]}
    )
    with pytest.raises(ValueError, match="dynamic batch"):
        embedding_output.add(model)


def test_images_that_influence_each_other_are_refused() -> None:
    constants: dict[str, np.ndarray] = {}
    nodes = graphs.features(constants) + graphs.pooled("ReduceMean without dimensions", constants, 17)
    nodes.append(graphs.linear(constants, "pool", "logits"))
    nodes.append(helper.make_node("Softmax", ["logits"], ["classes"], axis=0))
    with pytest.raises(ValueError, match="depends on the batch"):
        embedding_output.add(graphs.model_of(nodes, constants))


@pytest.mark.parametrize(("activation", "columns"), [("softmax", CLASSES), ("sigmoid", 1)])
def test_an_activation_is_added(activation: str, columns: int) -> None:
    model = graphs.classifier(activation=None, columns=columns)
    logits = run(model, images(2))[0].astype(np.float64)
    found, _ = run(embedding_output.add(model, activation=activation).model, images(2))
    powers = np.exp(logits)
    expected = powers / powers.sum(axis=1, keepdims=True) if columns > 1 else 1 / (1 + 1 / powers)
    assert np.allclose(found, expected, atol=1e-6)
    unchanged, _ = run(embedding_output.add(model, activation="none").model, images(2))
    assert np.allclose(unchanged, logits, atol=1e-6)


def test_logits_without_an_activation_are_refused() -> None:
    with pytest.raises(ValueError, match="--activation"):
        embedding_output.add(graphs.classifier(activation=None))
    with pytest.raises(ValueError, match="sigmoid is for one"):
        embedding_output.add(graphs.classifier(activation=None), activation="sigmoid")
    with pytest.raises(ValueError, match="always 1"):
        embedding_output.add(graphs.classifier(activation=None, columns=1), activation="softmax")


def test_a_second_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="already"):
        embedding_output.add(graphs.classifier(), activation="softmax")


def squeeze_and_excitation() -> onnx.ModelProto:
    """A network with a pool inside, which weighs the channels of the map."""
    constants: dict[str, np.ndarray] = {"se.weight": graphs.normal(CHANNELS, CHANNELS, 1, 1)}
    first = graphs.features(constants)
    first[1].output[0] = "raw"
    nodes = first + [
        helper.make_node("GlobalAveragePool", ["raw"], ["inner"]),
        helper.make_node("Conv", ["inner", "se.weight"], ["weighed"]),
        helper.make_node("Sigmoid", ["weighed"], ["share"]),
        helper.make_node("Mul", ["raw", "share"], ["map"]),
        *graphs.pooled("ReduceMean without dimensions", constants, 17),
        graphs.linear(constants, "pool", "logits"),
        helper.make_node("Softmax", ["logits"], ["classes"]),
    ]
    return graphs.model_of(nodes, constants)


def two_pools() -> onnx.ModelProto:
    """Two branches with a pool each, joined by a sum."""
    constants: dict[str, np.ndarray] = {}
    nodes = graphs.features(constants) + [
        helper.make_node("ReduceMean", ["map"], ["left"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["conv"], ["right"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["left", "right"], ["pool"]),
        graphs.linear(constants, "pool", "logits"),
        helper.make_node("Softmax", ["logits"], ["classes"]),
    ]
    return graphs.model_of(nodes, constants)


def test_a_pool_inside_the_network_is_passed_over() -> None:
    assert embedding_output.add(squeeze_and_excitation()).pool == "pool"


def test_an_unused_pool_is_no_candidate() -> None:
    model = graphs.classifier()
    model.graph.node.append(helper.make_node("GlobalAveragePool", ["conv"], ["unused"]))
    assert embedding_output.add(model).pool == "pool"


def test_of_several_pools_one_must_be_named() -> None:
    with pytest.raises(ValueError, match="--tensor") as refusal:
        embedding_output.add(two_pools())
    assert "left [1, 6]" in str(refusal.value) and "right [1, 6]" in str(refusal.value)
    model = two_pools()
    result = embedding_output.add(model, tensor="pool")
    assert result.pool == "pool"
    assert shapes(result.model)["embedding"] == ["N", CHANNELS]


def test_no_pool_is_refused_with_the_tensors_there_are() -> None:
    constants: dict[str, np.ndarray] = {}
    constants["linear.weight"] = graphs.normal(3 * HEIGHT * WIDTH, CLASSES)
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "linear.weight"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["classes"]),
    ]
    with pytest.raises(ValueError, match="no global average pool") as refusal:
        embedding_output.add(graphs.model_of(nodes, constants))
    assert "logits [1, 3]" in str(refusal.value)


def test_tensors_that_are_no_embedding_are_refused() -> None:
    model = graphs.classifier()
    for tensor, expected in (("map", "expected [1, D]"), ("nowhere", "no tensor 'nowhere'")):
        with pytest.raises(ValueError) as refusal:
            embedding_output.add(model, tensor=tensor)
        assert expected in str(refusal.value)


def test_channels_last_are_refused() -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["pool"], axes=[1, 2], keepdims=0),
        helper.make_node("Softmax", ["pool"], ["classes"]),
    ]
    model = graphs.model_of(nodes, {}, input_shape=["N", HEIGHT, WIDTH, 3])
    with pytest.raises(ValueError, match="NHWC"):
        embedding_output.add(model)


def test_an_open_size_must_be_named() -> None:
    model = graphs.classifier("ReduceMean")
    for dimension in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dimension.dim_param = "side"
    with pytest.raises(ValueError, match="--height"):
        embedding_output.add(model)
    result = embedding_output.add(model, height=20, width=16)
    assert (result.height, result.width) == (20, 16)
    assert shapes(result.model)["image"] == ["N", 3, 20, 16]
    with pytest.raises(ValueError, match="a width of 99 was asked for"):
        embedding_output.add(graphs.classifier(), width=99)


def test_weights_among_the_inputs_are_no_inputs() -> None:
    model = graphs.classifier(opset=11)
    model.ir_version = 3
    weights = [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in model.graph.initializer]
    image = model.graph.input[0]
    del model.graph.input[:]
    model.graph.input.extend([*weights, image])
    assert list(shapes(embedding_output.add(model).model)) == ["image", "probability", "embedding"]


def test_of_several_outputs_one_must_be_named() -> None:
    model = graphs.classifier()
    model.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["N", CHANNELS]))
    with pytest.raises(ValueError, match="--output"):
        embedding_output.add(model)
    assert list(shapes(embedding_output.add(model, output="classes").model)) == ["image", "probability", "embedding"]


def test_names_that_are_taken_do_not_clash() -> None:
    model = graphs.classifier()
    for node in model.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = {"map": "embedding", "logits": "probability"}.get(name, name)
    before = run(model, images(2))[0]
    result = embedding_output.add(model)
    assert np.allclose(run(result.model, images(2), ["probability"])[0], before, atol=1e-6)
    assert shapes(result.model)["embedding"] == ["N", CHANNELS]


def test_a_float16_pool_is_given_as_float32() -> None:
    constants: dict[str, np.ndarray] = {}
    nodes = graphs.features(constants) + [
        helper.make_node("Cast", ["map"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("GlobalAveragePool", ["half"], ["pool"]),
        helper.make_node("Cast", ["pool"], ["single"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["single"], ["flat"]),
        graphs.linear(constants, "flat", "logits"),
        helper.make_node("Softmax", ["logits"], ["classes"]),
    ]
    model = graphs.model_of(nodes, constants)
    _, embedding = run(embedding_output.add(model).model, images(2))
    assert embedding.dtype == np.float32
    assert np.allclose(embedding, pool_of(model, images(2)), atol=2e-3)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-B", "add_embedding.py", *map(str, arguments)]
    return subprocess.run(line, cwd=FOLDER, capture_output=True, text=True, timeout=60)


def test_the_command_writes_metadata(tmp_path: Path) -> None:
    onnx.save(graphs.classifier(activation=None, columns=1), tmp_path / "old.onnx")
    done = command(
        tmp_path / "old.onnx", "--out", tmp_path / "new.onnx", "--activation", "sigmoid", "--labels", "bad,good",
        "--positive-label", "bad", "--threshold", 0.3, "--color", "gray", "--filter", "lanczos", "--mean", "0.5",
        "--std", "0.25,0.5,1", "--name", "cracks",
    )
    assert done.returncode == 0, done.stderr
    content = Classifier(tmp_path / "new.onnx").document
    assert content["name"] == "cracks" and content["labels"] == ["bad", "good"]
    assert content["decision"] == metadata.binary_decision("bad", 0.3)
    assert content["embedding_dimension"] == CHANNELS
    preprocessing = content["preprocessing"]
    assert (preprocessing["width"], preprocessing["height"]) == (WIDTH, HEIGHT)
    assert (preprocessing["color"], preprocessing["filter"]) == ("gray", "lanczos")
    assert (preprocessing["mean"], preprocessing["std"]) == ([0.5] * 3, [0.25, 0.5, 1.0])


def test_the_command_takes_names_from_a_description(tmp_path: Path) -> None:
    onnx.save(graphs.classifier(), tmp_path / "old.onnx")
    printed = command(tmp_path / "old.onnx", "--out", tmp_path / "bare.onnx").stdout
    spec = json.loads(printed[printed.index("{") :])
    del spec["embedding_dimension"], spec["description"]
    spec |= {"labels": ["a", "b", "c"], "input": "pixels", "outputs": {"probability": "p", "embedding": "e"}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    done = command(tmp_path / "old.onnx", "--out", tmp_path / "new.onnx", "--spec", tmp_path / "spec.json")
    assert done.returncode == 0, done.stderr
    assert list(shapes(onnx.load(tmp_path / "new.onnx"))) == ["pixels", "p", "e"]
    assert Classifier(tmp_path / "new.onnx").document["embedding_dimension"] == CHANNELS


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--labels", "a,b"], "2 labels"),
        (["--labels", "a,b,c", "--positive-label", "a"], "one column"),
        (["--tensor", "map"], "expected [1, D]"),
        (["--tensor", "nowhere"], "nowhere"),
        (["--output", "nothing"], "no output 'nothing'"),
    ],
)
def test_the_command_refuses_with_exit_code_2(arguments: list[str], expected: str, tmp_path: Path) -> None:
    onnx.save(graphs.classifier(), tmp_path / "old.onnx")
    done = command(tmp_path / "old.onnx", "--out", tmp_path / "new.onnx", *arguments)
    assert done.returncode == 2
    assert expected in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "new.onnx").exists()
