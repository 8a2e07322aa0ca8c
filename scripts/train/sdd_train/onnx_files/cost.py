"""What an ONNX graph costs, read off the file: multiply-adds, parameters, precision."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import onnx
from onnx import TensorProto

# Operators whose constant inputs are learned values. Constants elsewhere (bounds of a Clip, factors of a
# Resize, scales of a quantization) are not.
_LEARNED = {"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "PRelu", "Add", "Mul"}
# What may stand between a stored tensor and the operator that it belongs to.
_PASSED_THROUGH = {"DequantizeLinear", "Cast", "Identity", "Transpose", "Reshape"}


def at_least_one(text: str) -> int:
    """A count on a command line; raises ``ValueError``, which argparse reports."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def one_image(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model for a batch of 1, with the shape of every tensor inferred.

    Raises ``onnx.shape_inference.InferenceError`` if the shapes contradict each other.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    for value in fixed.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True)


def shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """The shapes of all tensors for one image, as far as they are known. 0 stands for an unknown size."""
    graph = one_image(model).graph
    found = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output, *graph.value_info]
        if value.type.tensor_type.HasField("shape")
    }
    return found | {tensor.name: list(tensor.dims) for tensor in graph.initializer}


def is_map(shape: list[int] | None) -> bool:
    """Whether a shape is that of a map ``[N, C, H, W]`` of more than one place."""
    return shape is not None and len(shape) == 4 and shape[2] * shape[3] > 1


def multiply_adds_by_node(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, int]]:
    """Each Conv, Gemm and MatMul with its multiply-adds for one image.

    Raises ``ValueError`` if a shape that is needed cannot be inferred.
    """
    known = shapes(model)

    def size(name: str) -> list[int]:
        shape = known.get(name)
        if shape is None or 0 in shape:
            raise ValueError(f"the shape of {name!r} cannot be inferred: found {shape}")
        return shape

    found = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            found.append((node, prod(size(node.output[0])) * prod(size(node.input[1])[1:])))
        elif node.op_type in ("Gemm", "MatMul"):
            transposed = any(a.name == "transA" and a.i for a in node.attribute)
            summed = size(node.input[0])[0 if transposed else -1]
            found.append((node, prod(size(node.output[0])) * summed))
    return found


def multiply_adds(model: onnx.ModelProto) -> int:
    """Multiply-adds of Conv, Gemm and MatMul for one image; each is two floating-point operations."""
    return sum(count for _, count in multiply_adds_by_node(model))


def _constants(graph: onnx.GraphProto) -> dict[str, int]:
    """Number of elements of every stored tensor."""
    found = {tensor.name: prod(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                found[node.output[0]] = prod(attribute.t.dims)
    return found


def _sources(names: list[str], producers: dict[str, onnx.NodeProto]) -> Iterator[str]:
    """The tensors behind inputs, seen through what only converts them."""
    for name in names:
        while name in producers and producers[name].op_type in _PASSED_THROUGH:
            name = producers[name].input[0]
        yield name


def parameters(model: onnx.ModelProto) -> int:
    """Number of learned values; those of a quantized file count as before it was quantized."""
    graph = model.graph
    constants = _constants(graph)
    producers = {name: node for node in graph.node for name in node.output}
    learned = {
        name
        for node in graph.node
        if node.op_type in _LEARNED
        for name in _sources(list(node.input), producers)
    }
    return sum(constants[name] for name in learned if name in constants)


def precision(model: onnx.ModelProto) -> str:
    """``int8``, ``fp16`` or ``fp32``: what most of the multiplications work on."""
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    producers = {name: node for node in model.graph.node for name in node.output}
    by_type = {TensorProto.INT8: "int8", TensorProto.UINT8: "int8", TensorProto.FLOAT16: "fp16"}
    totals = {"fp32": 0, "fp16": 0, "int8": 0}
    for node, count in multiply_adds_by_node(model):
        (weight,) = _sources([node.input[1]], producers)
        totals[by_type.get(stored.get(weight), "fp32")] += count
    return max(totals, key=totals.get)
