"""Writes the tiny ONNX classifiers that the Rust tests run.

    python make_tiny_model.py --out ../../crates/core/tests/data

Fixed, seeded weights; no torch. `tiny.onnx` (binary, with metadata),
`tiny_no_metadata.onnx` (the same graph, bare), `tiny_softmax.onnx` (three
labels), and `tiny_failing.onnx`, which answers as `tiny.onnx` does while no
value of its input is 1 or more, and fails otherwise. Input `image` [N, 3, 32, 24], outputs `probability` [N, 1] or [N, 3]
and `embedding` [N, 16].
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sdd_train.onnx_files import metadata
from sdd_train.data.imaging import Preprocessing

PREPROCESSING = Preprocessing(width=24, height=32, color="rgb")
EMBEDDING_DIMENSION = 16
LABELS = {"binary": ["defect", "non_defect"], "softmax": ["crack", "scratch", "good"]}


def weights(classes: int) -> dict[str, np.ndarray]:
    """Seeded weights: two 3x3 convolutions and one linear layer."""
    rng = np.random.default_rng(20240)

    def normal(*shape: int, scale: float) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    convolutions = {
        "conv1.weight": normal(8, 3, 3, 3, scale=0.35),
        "conv1.bias": normal(8, scale=0.1),
        "conv2.weight": normal(EMBEDDING_DIMENSION, 8, 3, 3, scale=0.3),
        "conv2.bias": normal(EMBEDDING_DIMENSION, scale=0.1),
    }
    linear = {
        "linear.weight": normal(classes, EMBEDDING_DIMENSION, scale=0.8),
        "linear.bias": normal(classes, scale=0.2),
    }
    return convolutions | linear


def build(kind: str) -> onnx.ModelProto:
    """The bare graph; `kind` is "binary" or "softmax"."""
    classes = 1 if kind == "binary" else len(LABELS[kind])
    activation = (
        helper.make_node("Sigmoid", ["logit"], ["probability"])
        if kind == "binary"
        else helper.make_node("Softmax", ["logit"], ["probability"], axis=1)
    )
    convolution = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["image", "conv1.weight", "conv1.bias"], ["conv1"], **convolution),
        helper.make_node("Relu", ["conv1"], ["relu1"]),
        helper.make_node("Conv", ["relu1", "conv2.weight", "conv2.bias"], ["conv2"], **convolution),
        helper.make_node("Relu", ["conv2"], ["relu2"]),
        helper.make_node("GlobalAveragePool", ["relu2"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["embedding"], axis=1),
        helper.make_node("Gemm", ["embedding", "linear.weight", "linear.bias"], ["logit"], transB=1),
        activation,
    ]
    image_shape = ["N", 3, PREPROCESSING.height, PREPROCESSING.width]
    graph = helper.make_graph(
        nodes,
        "sdd_tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image_shape)],
        [
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", EMBEDDING_DIMENSION]),
        ],
        [numpy_helper.from_array(value, name) for name, value in weights(classes).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="sdd_train")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def fail_on_bright(model: onnx.ModelProto) -> None:
    """Makes a pass fail where any value of the batch is 1 or more: an index past the end of a list of one."""
    nodes = [
        helper.make_node("ReduceMax", ["image"], ["brightest"], keepdims=0),
        helper.make_node("Cast", ["brightest"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["nothing", "index"], ["zero"], axis=0),
        helper.make_node("Add", ["image", "zero"], ["checked"]),
    ]
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
    graph.node[0].input[0] = "checked"
    for node in reversed(nodes):
        graph.node.insert(0, node)
    onnx.checker.check_model(model, full_check=True)


def description(kind: str) -> dict[str, object]:
    """The metadata of a tiny model."""
    decision = (
        metadata.binary_decision("defect", 0.5) if kind == "binary" else metadata.softmax_decision()
    )
    return metadata.document(
        name="sdd-tiny",
        version="0.1.0",
        description="Random weights, for tests only.",
        license="MIT OR Apache-2.0",
        labels=LABELS[kind],
        preprocessing=PREPROCESSING,
        decision=decision,
        embedding_dimension=EMBEDDING_DIMENSION,
        trained_on={"dataset": "none"},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    onnx.save(build("binary"), out / "tiny_no_metadata.onnx")
    for kind, file in (
        ("binary", "tiny.onnx"), ("softmax", "tiny_softmax.onnx"), ("binary", "tiny_failing.onnx"),
    ):
        model = build(kind)
        if file == "tiny_failing.onnx":
            fail_on_bright(model)
        metadata.attach(model, description(kind))
        onnx.save(model, out / file)


if __name__ == "__main__":
    main()
