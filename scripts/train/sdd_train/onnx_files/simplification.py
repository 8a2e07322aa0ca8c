"""What conversions of a model begin and end with."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model after ONNX Runtime's basic optimization, every node named.

    Basic optimization folds constants and merges batch normalization into convolutions; it uses standard
    operators only. IR version, metadata, inputs and outputs stay as they are.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        result = onnx.load(path)
    result.ir_version = model.ir_version
    del result.opset_import[:]
    result.opset_import.extend(model.opset_import)
    del result.graph.value_info[:]
    for index, node in enumerate(result.graph.node):
        node.name = f"{node.op_type}_{index}"
        node.doc_string = ""
        del node.metadata_props[:]
    return result


def add_biases(graph: onnx.GraphProto) -> None:
    """Gives a bias of zero to every Conv without one, in place."""
    channels = {tensor.name: tensor.dims[0] for tensor in graph.initializer if tensor.dims}
    for node in graph.node:
        if node.op_type == "Conv" and len(node.input) == 2 and node.input[1] in channels:
            name = f"{node.name}.bias"
            zeros = np.zeros(channels[node.input[1]], dtype=np.float32)
            graph.initializer.append(numpy_helper.from_array(zeros, name))
            node.input.append(name)


def finish(converted: onnx.ModelProto, original: onnx.ModelProto) -> onnx.ModelProto:
    """Brings back the original's declared inputs and outputs, and drops what tools left behind."""
    for field in ("input", "output"):
        declared = {value.name: value for value in getattr(original.graph, field)}
        for value in getattr(converted.graph, field):
            value.CopyFrom(declared[value.name])
    del converted.graph.value_info[:]
    del converted.metadata_props[:]
    converted.producer_name, converted.producer_version = "sdd_train", ""
    return converted
