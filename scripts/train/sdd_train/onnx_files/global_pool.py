"""Finding the global average pool of a classifier's graph, whose output is the embedding."""

from __future__ import annotations

import onnx
from onnx import helper

from .graph_edit import ancestors, constant


def _reduced_axes(graph: onnx.GraphProto, node: onnx.NodeProto) -> set[int] | None:
    """The axes of a ReduceMean over a tensor of four dimensions: an attribute up to opset 17, then an input."""
    axes: object = next((helper.get_attribute_value(a) for a in node.attribute if a.name == "axes"), None)
    if axes is None and len(node.input) > 1:
        axes = constant(graph, node.input[1])
    return None if axes is None else {int(axis) % 4 for axis in axes}


def _is_global_average(graph: onnx.GraphProto, node: onnx.NodeProto, shapes: dict[str, list[int]]) -> bool:
    source = shapes.get(node.input[0], []) if node.input else []
    if len(source) != 4:
        return False
    if node.op_type == "GlobalAveragePool":
        return True
    if node.op_type == "ReduceMean":
        return _reduced_axes(graph, node) == {2, 3}
    if node.op_type == "AveragePool":
        kernel = next(list(a.ints) for a in node.attribute if a.name == "kernel_shape")
        return kernel == source[2:] and shapes.get(node.output[0], [])[2:] == [1, 1]
    return False


def global_pools(graph: onnx.GraphProto, output: str, shapes: dict[str, list[int]]) -> list[str]:
    """The outputs of the global average pools that ``output`` depends on, in the graph's order."""
    used = ancestors(graph, output)
    return [
        node.output[0]
        for node in graph.node
        if node.output[0] in used and _is_global_average(graph, node, shapes)
    ]


def _described(names: list[str], shapes: dict[str, list[int]]) -> str:
    return ", ".join(f"{name} {shapes[name]}" for name in names)


def last_pool(graph: onnx.GraphProto, output: str, shapes: dict[str, list[int]]) -> str:
    """The global average pool from which no other one leads to ``output``.

    Pools within the network, such as those of squeeze-and-excitation, are passed over: another one comes
    after them. Raises ``ValueError`` if there is no such pool, or more than one, and names them.
    """
    pools = global_pools(graph, output, shapes)
    passed = {other for name in pools for other in ancestors(graph, name) - {name}}
    last = [name for name in pools if name not in passed]
    if len(last) == 1:
        return last[0]
    if last:
        raise ValueError(
            f"{len(last)} global average pools lead to {output!r}: {_described(last, shapes)} "
            "(shapes for one image); name the one that is the embedding with --tensor"
        )
    used = ancestors(graph, output)
    flat = [name for name in shapes if name in used and len(shapes[name]) == 2 and shapes[name][0] == 1]
    raise ValueError(
        f"{output!r} depends on no global average pool; name a tensor [N, D] or [N, D, 1, 1] with --tensor. "
        f"Those with two dimensions are: {_described(flat, shapes) or 'none'}"
    )
