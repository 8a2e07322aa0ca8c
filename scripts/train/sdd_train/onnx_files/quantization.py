"""Classifiers in 8-bit integers, for the CPU.

Static quantization in QDQ form by ONNX Runtime: activations uint8, one scale a tensor, from the smallest and
largest value seen; weights int8, one scale an output channel. Then :mod:`.rounding` rounds the weights anew.

*Seven-bit weights.* On x86 without VNNI the kernels add two products of uint8 and int8 in 16 bits, which
saturates from 32767 on: 255 * 127 * 2 = 64770. So weights stay within -64..=64 (ONNX Runtime's
``reduce_range``): 255 * 64 * 2 = 32640 fits. The shipped model in 7 bits gave the same bits on an emulated
processor with AVX2 alone as on one with VNNI; 8-bit weights put the embedding off by its own length there.
Weights in uint8 would not saturate either, but have no fast kernel: slower than float.

*Float at both ends.* The first convolution stays in float, because an image's own 256 levels do not fall on
those of its quantization. So does all that is no map (pooling, the last linear layer, the probability), and
convolutions with few output channels: they make a map of logits, of which 8 bits are a coarse step.

Difference of the embedding from float's, as a share of its length, and processor time on one thread; shipped
model (160 x 640), 64 calibration and 64 other images:

=============================================  ==========  =======
variant                                        difference  time
=============================================  ==========  =======
float                                          0           15.4 ms
7 bits, rounded by the inputs (chosen)         1.5 %       8 ms
8 bits, rounded by the inputs                  1.3 %       8 ms
7 bits, rounded to the nearest                 13.3 %      8 ms
8 bits, rounded to the nearest                 3.6 %       8 ms
7 bits, nearest, one scale a tensor            29.0 %      8 ms
as chosen, the first convolution quantized     2.9 %       8 ms
uint8 weights, nearest                         3.5 %       127 ms
=============================================  ==========  =======

Ranges by percentile 99.99 (1.4 %, but a class changed) and by entropy (as the extremes) gain nothing.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import version_converter
from onnxruntime.quantization import (
    CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static,
)

from . import cost, metadata, rounding
from .simplification import add_biases, finish, simplify

MAP_OPERATORS = ["Conv", "Add", "Clip", "Concat", "LeakyRelu", "MaxPool", "Mul", "Relu", "Resize"]
"""What is computed in integers where it makes a map ``[N, C, H, W]``."""
WEIGHT_LIMIT = 64
FIRST_OPSET = 13
"""The first with a scale for each channel; older models are converted to it."""
FEWEST_CHANNELS = 4
"""Convolutions with fewer output channels stay in float."""


class _Reader(CalibrationDataReader):
    """Hands images ``[1, 3, H, W]`` to ONNX Runtime, one at a time."""

    def __init__(self, name: str, images: list[np.ndarray]) -> None:
        self.name = name
        self.images: Iterator[np.ndarray] = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self.images, None)
        return None if image is None else {self.name: image}


def nodes_to_quantize(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that are computed in integers."""
    shapes = cost.shapes(model)
    weights = {tensor.name for tensor in model.graph.initializer}
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    in_float = {
        node.name
        for node in convs
        if node is convs[0]
        or node.input[1] not in weights
        or shapes[node.input[1]][0] < FEWEST_CHANNELS
    }
    return [
        node.name
        for node in model.graph.node
        if node.op_type in MAP_OPERATORS
        and cost.is_map(shapes.get(node.output[0]))
        and node.name not in in_float
    ]


def quantize(model: onnx.ModelProto, images: list[np.ndarray]) -> onnx.ModelProto:
    """The model in 8-bit integers, calibrated on images float32 ``[1, 3, H, W]``.

    Inputs and outputs keep name, shape and type; metadata is left out. Raises ``ValueError`` if the model
    has no convolution to quantize.
    """
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    plain = simplify(model if opset >= FIRST_OPSET else version_converter.convert_version(model, FIRST_OPSET))
    add_biases(plain.graph)
    chosen = nodes_to_quantize(plain)
    convs = [node for node in plain.graph.node if node.op_type == "Conv" and node.name in chosen]
    if not convs:
        raise ValueError("the model has no convolution that could be quantized")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.onnx"
        # It writes into the model that it is given, and advice on preprocessing, which is done, into the log.
        logging.getLogger().addFilter(_no_advice)
        try:
            quantize_static(
                copy.deepcopy(plain),
                out,
                _Reader(plain.graph.input[0].name, images),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=MAP_OPERATORS,
                nodes_to_quantize=chosen,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
        finally:
            logging.getLogger().removeFilter(_no_advice)
        result = onnx.load(out)
    rounding.refine(plain, result, rounding.input_moments(plain, convs, images), WEIGHT_LIMIT)
    return finish(result, model)


def _no_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()


def describe(document: dict[str, object], suffix: str, source: bytes, images: int | None) -> dict[str, object]:
    """The metadata of a model made from the file with the content ``source``.

    The name gets ``suffix``; what it was made from, and from how many images, goes to ``trained_on``.
    """
    made = {"from": document["name"], "sha256": hashlib.sha256(source).hexdigest()}
    if images is not None:
        made["calibration_images"] = images
    # Free-form: other tools may have written anything there.
    trained_on = document["trained_on"]
    kept = trained_on if isinstance(trained_on, dict) else {"original": trained_on}
    changed = document | {"name": f"{document['name']}-{suffix}", "trained_on": kept | {"converted": made}}
    metadata.validate(changed)
    return changed
