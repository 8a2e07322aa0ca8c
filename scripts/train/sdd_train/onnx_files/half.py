"""Classifiers in half precision (float16), for GPUs.

A CPU without float16 arithmetic converts back and forth and is slower than with float32.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import cost, graph_edit
from .simplification import finish, simplify

# Inputs that stay float32 beside a float16 map: the region and the factors of a Resize.
_ALWAYS_SINGLE = {"Resize": {1, 2}}


def _halved(tensor: onnx.TensorProto) -> onnx.TensorProto:
    """A stored tensor in float16, under another name. Raises ``ValueError`` if a value is too large."""
    with np.errstate(over="ignore"):
        values = numpy_helper.to_array(tensor).astype(np.float16)
    if not np.isfinite(values).all():
        raise ValueError(f"{tensor.name!r} holds values beyond the range of float16, 65504")
    return numpy_helper.from_array(values, f"{tensor.name}/fp16")


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its maps ``[N, C, H, W]`` and their weights in float16; metadata is left out.

    Inputs and outputs keep name, shape and type, and what comes after the maps (pooling, the last linear
    layer, the probability) stays in float32: it costs nothing, and float16 has steps of 0.0005 below 1.
    Raises ``ValueError`` if a weight does not fit into float16.
    """
    result = simplify(model)
    graph = result.graph
    known = cost.one_image(result).graph
    single = {
        value.name
        for value in [*known.input, *known.value_info, *known.output]
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    shapes = cost.shapes(result)
    stored = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    maps = {node.output[0] for node in graph.node if cost.is_map(shapes.get(node.output[0]))} & single
    added: dict[str, onnx.TensorProto | onnx.NodeProto] = {}

    def converted(name: str, to: int) -> str:
        """The same tensor in the other type; made when first asked for."""
        new = f"{name}/{'fp16' if to == TensorProto.FLOAT16 else 'fp32'}"
        if new not in added:
            if name in stored and to == TensorProto.FLOAT16:
                added[new] = _halved(stored[name])
            else:
                added[new] = helper.make_node("Cast", [name], [new], name=new, to=to)
        return new

    for node in graph.node:
        for index, name in enumerate(node.input):
            if node.output[0] not in maps:
                if name in maps:
                    node.input[index] = converted(name, TensorProto.FLOAT)
            elif name in stored or name in single - maps:
                if index not in _ALWAYS_SINGLE.get(node.op_type, ()):
                    node.input[index] = converted(name, TensorProto.FLOAT16)
    graph.node.extend(item for item in added.values() if isinstance(item, onnx.NodeProto))
    graph.initializer.extend(item for item in added.values() if isinstance(item, onnx.TensorProto))
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    graph_edit.sort(graph)
    return finish(result, model)
