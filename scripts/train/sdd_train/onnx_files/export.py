"""ONNX export: graph, metadata, and the check against torch."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from ..quality.probability_calibration import IDENTITY, Platt
from . import metadata, saving
from .dynamic_batch import BATCH
from .inference import session
from .simplification import simplify

log = logging.getLogger(__name__)

OPSET = 17
IR_VERSION = 8
OUTPUTS = ["probability", "embedding"]


class Served(nn.Module):
    """What the ONNX file computes: ``image [N, 3, H, W]`` -> ``probability [N, 1], embedding [N, D]``.

    ``network`` returns an object with ``logit [N]`` and ``embedding [N, D]``. The calibration of the
    probability is part of the graph, so that no reader of the file can forget it.
    """

    def __init__(self, network: nn.Module, calibration: Platt = IDENTITY) -> None:
        super().__init__()
        self.network = network
        self.calibration = calibration

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        output = self.network(image)
        logit = output.logit * self.calibration.scale + self.calibration.offset
        return torch.sigmoid(logit)[:, None], output.embedding


def name_batch(value: onnx.ValueInfoProto, rest: list[int]) -> None:
    """Declares the shape ``[N, *rest]``."""
    dimensions = value.type.tensor_type.shape
    dimensions.Clear()
    dimensions.dim.add().dim_param = BATCH
    for size in rest:
        dimensions.dim.add().dim_value = size


def to_onnx(served: Served, height: int, width: int, embedding_dimension: int) -> onnx.ModelProto:
    """Traces and simplifies the network; names and shapes as the metadata promises."""
    served.eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            served,
            (torch.zeros(2, 3, height, width),),
            buffer,
            input_names=["image"],
            output_names=OUTPUTS,
            dynamic_axes={name: {0: BATCH} for name in ["image", *OUTPUTS]},
            opset_version=OPSET,
            dynamo=False,
        )
    model = simplify(onnx.load_from_string(buffer.getvalue()))
    model.ir_version = IR_VERSION
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    model.producer_name, model.producer_version = "sdd_train", ""
    name_batch(model.graph.input[0], [3, height, width])
    name_batch(model.graph.output[0], [1])
    name_batch(model.graph.output[1], [embedding_dimension])
    return model


@torch.no_grad()
def largest_difference(served: Served, model: onnx.ModelProto, batch: int) -> dict[str, float]:
    """Largest absolute difference of each output between torch and ONNX Runtime on seeded noise."""
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    image = np.random.default_rng(batch).normal(0.5, 0.3, (batch, *shape)).astype(np.float32)
    expected = served(torch.from_numpy(image))
    found = session(model.SerializeToString()).run(OUTPUTS, {"image": image})
    return {
        name: float(np.abs(e.numpy() - f).max()) for name, e, f in zip(OUTPUTS, expected, found)
    }


def save(served: Served, content: dict[str, object], out: Path) -> dict[str, dict[str, float]]:
    """Exports, attaches the metadata, checks on batches of 1 and 3, and writes the file.

    Raises ``ValueError`` if ONNX Runtime and torch disagree by 1e-3 or more.
    """
    shape = content["preprocessing"]
    model = to_onnx(served, shape["height"], shape["width"], content["embedding_dimension"])
    metadata.attach(model, content)
    onnx.checker.check_model(model, full_check=True)
    differences = {str(n): largest_difference(served, model, n) for n in (1, 3)}
    if max(d for by_output in differences.values() for d in by_output.values()) >= 1e-3:
        raise ValueError(f"{out}: ONNX Runtime and torch disagree: {differences}")
    out.parent.mkdir(parents=True, exist_ok=True)
    saving.save(model, out)
    operators = sorted({node.op_type for node in model.graph.node})
    log.info("%s: %d nodes of %s, %d bytes", out, len(model.graph.node), operators, out.stat().st_size)
    return differences
