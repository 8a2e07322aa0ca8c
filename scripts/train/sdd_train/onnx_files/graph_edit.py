"""Small steps of reading and changing an ONNX graph."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def constant(graph: onnx.GraphProto, name: str) -> np.ndarray | None:
    """The value of a tensor that the file stores; ``None`` if it is computed."""
    for tensor in graph.initializer:
        if tensor.name == name:
            return numpy_helper.to_array(tensor)
    for node in graph.node:
        if node.op_type == "Constant" and name in node.output:
            (attribute,) = node.attribute
            value = helper.get_attribute_value(attribute)
            return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)
    return None


def ancestors(graph: onnx.GraphProto, name: str) -> set[str]:
    """All tensors that a tensor is computed from, itself included."""
    producers = {output: node for node in graph.node for output in node.output}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        tensor = waiting.pop()
        if tensor and tensor not in found:
            found.add(tensor)
            if tensor in producers:
                waiting.extend(producers[tensor].input)
    return found


def rename(model: onnx.ModelProto, old: str, new: str) -> None:
    """Renames a tensor, in place. A tensor that has the new name already gets another one."""
    if old == new:
        return
    graph = model.graph
    taken = {name for node in graph.node for name in [*node.input, *node.output]}
    taken |= {value.name for value in [*graph.input, *graph.output, *graph.initializer]}
    if new in taken:
        free = next(name for index in range(len(taken) + 1) if (name := f"{new}_{index}") not in taken)
        rename(model, new, free)
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    for value in [*graph.input, *graph.output, *graph.initializer, *graph.value_info]:
        if value.name == old:
            value.name = new


def append(model: onnx.ModelProto, operator: str, source: str, target: str, **attributes: object) -> None:
    """Adds a node of one input and one output at the end of the graph."""
    node = helper.make_node(operator, [source], [target], name=f"{target}/{operator}", **attributes)
    model.graph.node.append(node)


def sort(graph: onnx.GraphProto) -> None:
    """Puts the nodes into an order in which each follows what it needs, in place."""
    made = {output for node in graph.node for output in node.output}
    waiting = list(graph.node)
    done: set[str] = set()
    ordered: list[onnx.NodeProto] = []
    while waiting:
        # One at a time, the first that can: nodes keep their order as far as possible.
        node = next(node for node in waiting if made.intersection(node.input) <= done)
        ordered.append(node)
        done.update(node.output)
        waiting.remove(node)
    del graph.node[:]
    graph.node.extend(ordered)
