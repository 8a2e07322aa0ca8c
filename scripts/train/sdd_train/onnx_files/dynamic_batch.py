"""Letting a graph that was exported for a fixed number of images take any number."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from . import graph_edit
from .inference import session

BATCH = "N"
TOLERANCE = 1e-3


def make_dynamic(model: onnx.ModelProto) -> None:
    """Declares the first dimension of the input and the outputs dynamic, in place.

    A Reshape to a constant shape that begins with the fixed batch keeps the batch instead.
    """
    graph = model.graph
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_value
    for value in [*graph.input, *graph.output]:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = BATCH
    del graph.value_info[:]
    if batch == 0:
        return
    for index, node in enumerate(graph.node):
        target = graph_edit.constant(graph, node.input[1]) if node.op_type == "Reshape" else None
        if target is not None and len(target) > 1 and target[0] == batch:
            # In a Reshape, 0 stands for the size that the dimension has already, unless `allowzero` is set.
            kept = np.concatenate([[0], target[1:]]).astype(np.int64)
            name = f"{node.output[0]}/shape_{index}"
            graph.initializer.append(numpy_helper.from_array(kept, name))
            node.input[1] = name
            others = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(others)


def check(model: onnx.ModelProto, height: int, width: int) -> None:
    """Raises ``ValueError`` unless the model answers for three images what it answers for each alone."""
    graph = model.graph
    names = [value.name for value in graph.output]
    images = np.random.default_rng(0).normal(size=(3, 3, height, width)).astype(np.float32)
    source = graph.input[0].name
    running = session(model.SerializeToString())
    try:
        together = running.run(names, {source: images})
    except Exception as error:  # ONNX Runtime's exceptions have no common class of their own.
        raise ValueError(
            f"the graph does not run on three images; export it with a dynamic batch ({error})"
        ) from error
    alone = [running.run(names, {source: images[i : i + 1]}) for i in range(len(images))]
    for name, found, rows in zip(names, together, zip(*alone)):
        expected = np.concatenate(rows)
        if found.shape != expected.shape or not np.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
            raise ValueError(
                f"output {name!r} depends on the batch that an image is in; export the model with a dynamic batch"
            )
