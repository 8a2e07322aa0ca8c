"""Small ONNX graphs as various tools export them."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

CHANNELS, CLASSES, HEIGHT, WIDTH = 6, 3, 12, 8


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(scale=0.4, size=shape).astype(np.float32)


def model_of(
    nodes: list[NodeProto],
    constants: dict[str, np.ndarray],
    *,
    input_shape: list[int | str] = ["N", 3, HEIGHT, WIDTH],
    outputs: dict[str, list[int | str]] = {"classes": ["N", CLASSES]},
    opset: int = 17,
) -> onnx.ModelProto:
    """A checked model with one input, `x`."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8 if opset <= 17 else 10
    onnx.checker.check_model(model)
    return model


def features(constants: dict[str, np.ndarray]) -> list[NodeProto]:
    """A convolution and a ReLU: `x` -> `map [N, 6, 12, 8]`."""
    constants["conv.weight"] = normal(CHANNELS, 3, 3, 3)
    constants["conv.bias"] = normal(CHANNELS)
    return [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["map"]),
    ]


def linear(constants: dict[str, np.ndarray], source: str, target: str, columns: int = CLASSES) -> NodeProto:
    constants["linear.weight"] = normal(columns, CHANNELS)
    constants["linear.bias"] = normal(columns)
    return helper.make_node("Gemm", [source, "linear.weight", "linear.bias"], [target], transB=1)


def pooled(kind: str, constants: dict[str, np.ndarray], opset: int) -> list[NodeProto]:
    """`map` -> `pool`, in the ways of various exporters."""
    axes = np.array([-1, -2], dtype=np.int64)
    if kind == "GlobalAveragePool":
        return [helper.make_node("GlobalAveragePool", ["map"], ["pool"])]
    if kind == "AveragePool":
        return [helper.make_node("AveragePool", ["map"], ["pool"], kernel_shape=[HEIGHT, WIDTH])]
    keep = int(kind == "ReduceMean")
    if opset < 18:
        return [helper.make_node("ReduceMean", ["map"], ["pool"], axes=[2, 3], keepdims=keep)]
    constants["axes"] = axes
    return [helper.make_node("ReduceMean", ["map", "axes"], ["pool"], keepdims=keep)]


def classifier(
    pool: str = "GlobalAveragePool",
    opset: int = 17,
    activation: str | None = "Softmax",
    columns: int = CLASSES,
    batch: int | str = "N",
) -> onnx.ModelProto:
    """Features, a global average pool, a linear layer and an activation.

    With a number as ``batch`` the graph is fixed to it, and its Reshape says so.
    """
    constants: dict[str, np.ndarray] = {}
    nodes = features(constants) + pooled(pool, constants, opset)
    flat = "pool"
    if pool != "ReduceMean without dimensions":
        flat = "flat"
        constants["shape"] = np.array([-1 if batch == "N" else batch, CHANNELS], dtype=np.int64)
        nodes.append(helper.make_node("Reshape", ["pool", "shape"], ["flat"]))
    nodes.append(linear(constants, flat, "logits" if activation else "classes", columns))
    if activation:
        nodes.append(helper.make_node(activation, ["logits"], ["classes"]))
    return model_of(
        nodes, constants, opset=opset, input_shape=[batch, 3, HEIGHT, WIDTH], outputs={"classes": [batch, columns]}
    )
