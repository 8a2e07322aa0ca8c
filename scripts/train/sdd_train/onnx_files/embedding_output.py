"""Giving an existing ONNX classifier the outputs that the service needs: probability and embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from . import dynamic_batch, global_pool, graph_edit
from .inference import every_tensor

ACTIVATIONS = {"softmax": "Softmax", "sigmoid": "Sigmoid", "none": None}
# What a probability may have gone through after its activation.
_PASSED_THROUGH = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}


@dataclass(frozen=True)
class Names:
    """Names of the input and the outputs in the new file."""

    input: str = "image"
    probability: str = "probability"
    embedding: str = "embedding"


@dataclass(frozen=True)
class Result:
    """The new model and what its graph says of it."""

    model: onnx.ModelProto
    pool: str
    """The tensor that the embedding is read off, by its name in the old file."""
    columns: int
    """Probabilities an image."""
    dimension: int
    """Values of the embedding."""
    height: int
    width: int


def _drop_constant_inputs(model: onnx.ModelProto) -> None:
    """Takes stored tensors off the list of inputs, where files of IR version 3 have them, in place."""
    stored = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in stored]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.ir_version = max(model.ir_version, 4)


def only_input(model: onnx.ModelProto, height: int | None, width: int | None) -> tuple[str, int, int]:
    """Name, height and width of the input float32 ``[N, 3, H, W]``; sizes that are dynamic are those given.

    Raises ``ValueError`` if the input is anything else.
    """
    inputs = model.graph.input
    if len(inputs) != 1:
        raise ValueError(f"expected one input, found {[value.name for value in inputs]}")
    kind = inputs[0].type.tensor_type
    sizes = [d.dim_value for d in kind.shape.dim]
    shown = f"input {inputs[0].name!r} is {TensorProto.DataType.Name(kind.elem_type)} {sizes} (0 is dynamic)"
    if len(sizes) == 4 and sizes[3] in (1, 3) and sizes[1] != 3:
        raise ValueError(
            f"{shown}: channels last (NHWC), as Keras has them. Expected [N, 3, H, W]: convert with "
            "tf2onnx --inputs-as-nchw, or export with channels first"
        )
    if kind.elem_type != TensorProto.FLOAT or len(sizes) != 4 or sizes[1] not in (0, 3):
        raise ValueError(f"{shown}, expected FLOAT [N, 3, H, W]")
    found = []
    for what, fixed, given in (("height", sizes[2], height), ("width", sizes[3], width)):
        if fixed and given and fixed != given:
            raise ValueError(f"{shown}, but a {what} of {given} was asked for")
        if not (fixed or given):
            raise ValueError(f"{shown}: name the {what} that images are resized to (--{what})")
        found.append(fixed or given)
    return inputs[0].name, found[0], found[1]


def only_output(model: onnx.ModelProto, name: str | None) -> str:
    """The output with the classes. Raises ``ValueError`` if it is unclear which one that is."""
    names = [value.name for value in model.graph.output]
    if name is None and len(names) > 1:
        raise ValueError(f"the model has the outputs {names}; name the one with the classes with --output")
    if name is not None and name not in names:
        raise ValueError(f"the model has no output {name!r}; found {names}")
    return name or names[0]


def is_activated(graph: onnx.GraphProto, name: str) -> bool:
    """Whether a tensor comes out of a softmax or a sigmoid."""
    producers = {output: node for node in graph.node for output in node.output}
    while name in producers and producers[name].op_type in _PASSED_THROUGH:
        name = producers[name].input[0]
    return name in producers and producers[name].op_type in ("Softmax", "Sigmoid")


def _activate(model: onnx.ModelProto, output: str, activation: str | None, columns: int) -> str:
    """Adds the activation if one is wanted; the probability's tensor."""
    if activation is None and not is_activated(model.graph, output):
        raise ValueError(
            f"output {output!r} comes out of no softmax or sigmoid: say with --activation which one to add, "
            "or `none` if it holds probabilities as it is"
        )
    if activation in ("softmax", "sigmoid") and is_activated(model.graph, output):
        raise ValueError(f"output {output!r} comes out of a softmax or a sigmoid already; leave out --activation")
    if activation == "sigmoid" and columns != 1:
        raise ValueError(f"output {output!r} has {columns} columns; a sigmoid is for one, the positive label's")
    if activation == "softmax" and columns == 1:
        raise ValueError(f"output {output!r} has one column, whose softmax is always 1; expected a sigmoid")
    operator = ACTIVATIONS[activation or "none"]
    if operator is None:
        return output
    target = "sdd/activated"
    graph_edit.append(model, operator, output, target, **({"axis": 1} if operator == "Softmax" else {}))
    return target


def _dimension(shapes: dict[str, list[int]], name: str) -> int:
    """Number of values of a tensor ``[1, D]`` or ``[1, D, 1, 1]``; raises ``ValueError`` if it is neither."""
    shape = shapes.get(name)
    if shape is None:
        raise ValueError(f"the model computes no tensor {name!r}")
    if len(shape) not in (2, 4) or shape[0] != 1 or shape[2:] not in ([], [1, 1]):
        raise ValueError(f"tensor {name!r} is {shape} for one image, expected [1, D] or [1, D, 1, 1]")
    return shape[1]


def add(
    original: onnx.ModelProto,
    *,
    tensor: str | None = None,
    output: str | None = None,
    activation: str | None = None,
    height: int | None = None,
    width: int | None = None,
    names: Names = Names(),
) -> Result:
    """The model with a probability ``[N, C]``, an embedding ``[N, D]`` in float32 and a dynamic batch.

    ``tensor`` is what the embedding is read off (default: the last global average pool), ``output`` the one
    with the classes (default: the only one), ``activation`` a key of :data:`ACTIVATIONS`, where ``None``
    means that the output is one's already. Raises ``ValueError`` if anything of that is not so.
    """
    model = onnx.ModelProto()
    model.CopyFrom(original)
    _drop_constant_inputs(model)
    source, height, width = only_input(model, height, width)
    classes = only_output(model, output)
    dynamic_batch.make_dynamic(model)
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim[1:], (3, height, width)):
        dimension.dim_value = size
    tensors = every_tensor(model, np.zeros((1, 3, height, width), dtype=np.float32))
    shapes = {name: list(value.shape) for name, value in tensors.items()}
    found = tensors[classes]
    if found.ndim != 2 or len(found) != 1 or found.dtype != np.float32:
        raise ValueError(
            f"output {classes!r} is {found.dtype} {shapes[classes]} for one image, expected float32 [1, C]"
        )
    columns = found.shape[1]
    pool = tensor or global_pool.last_pool(model.graph, classes, shapes)
    dimension = _dimension(shapes, pool)

    probability = _activate(model, classes, activation, columns)
    flat, single = "sdd/flat", pool
    if tensors[pool].dtype != np.float32:
        single = "sdd/float"
        graph_edit.append(model, "Cast", pool, single, to=TensorProto.FLOAT)
    graph_edit.append(model, "Flatten", single, flat, axis=1)

    del model.graph.output[:]
    for name, size in ((probability, columns), (flat, dimension)):
        model.graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [dynamic_batch.BATCH, size])
        )
    for old, new in ((source, names.input), (probability, names.probability), (flat, names.embedding)):
        graph_edit.rename(model, old, new)
    onnx.checker.check_model(model, full_check=True)
    dynamic_batch.check(model, height, width)
    return Result(model, pool, columns, dimension, height, width)
