"""Rounding a convolution's weights to integers with regard to what the convolution sees.

Rounding each weight to the nearest integer gives small errors that add up: a kernel that measures contrast
no longer sums to zero, and a gray surface shows through. Here the weights are rounded one after the other,
and those still to come make up for the error so far, in proportion to how their inputs vary together on
calibration images (GPTQ, Frantar et al. 2022, https://arxiv.org/abs/2210.17323). The bias takes what is
left of the mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .inference import session

POSITIONS = 256
"""Places of a map that are looked at in one image."""
DAMPING = 0.01
"""Added to the inputs' variances, as a share of their mean: keeps the solution near the plain rounding."""
BLOCK = 128
"""Columns whose errors are passed on to the columns behind them at once, for speed."""
SEED = 0


@dataclass
class Moments:
    """Mean ``[G, K]`` and second moment ``[G, K, K]`` of the K inputs of each of a Conv's G groups."""

    mean: np.ndarray
    second: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        return self.second - self.mean[:, :, None] * self.mean[:, None, :]


def patches(image: np.ndarray, conv: onnx.NodeProto, kernel: tuple[int, int], at: np.ndarray) -> np.ndarray:
    """What a Conv multiplies with its kernel, at the flat output positions ``at``.

    ``image [C, H, W]`` -> ``[G, positions, C / G * kernel height * kernel width]``.
    """
    attributes = {a.name: helper.get_attribute_value(a) for a in conv.attribute}
    group = attributes.get("group", 1)
    down, across = attributes.get("strides", [1, 1])
    dilation = attributes.get("dilations", [1, 1])
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    padded = np.pad(image, ((0, 0), (top, bottom), (left, right)))
    window = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation))
    views = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(1, 2))
    views = views[:, ::down, ::across, :: dilation[0], :: dilation[1]]
    rows, columns = np.unravel_index(at, views.shape[1:3])
    chosen = views[:, rows, columns]
    channels = len(image) // group
    by_group = chosen.reshape(group, channels, len(at), -1).transpose(0, 2, 1, 3)
    return by_group.reshape(group, len(at), -1)


def input_moments(
    model: onnx.ModelProto, convs: list[onnx.NodeProto], images: Iterable[np.ndarray]
) -> dict[str, Moments]:
    """The moments of the inputs of each Conv, by node name, over images ``[1, 3, H, W]``."""
    kernels = {t.name: tuple(t.dims[2:]) for t in model.graph.initializer}
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    del probed.graph.output[:]
    source = model.graph.input[0].name
    names = sorted({name for conv in convs for name in (conv.input[0], conv.output[0])} - {source})
    probed.graph.output.extend(helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names)
    running = session(probed.SerializeToString())
    random = np.random.default_rng(SEED)
    sums: dict[str, list[np.ndarray]] = {}
    counts = dict.fromkeys((conv.name for conv in convs), 0)
    for image in images:
        tensors = dict(zip(names, running.run(names, {source: image}))) | {source: image}
        for conv in convs:
            places = int(np.prod(tensors[conv.output[0]].shape[2:]))
            at = np.sort(random.permutation(places)[:POSITIONS])
            seen = patches(tensors[conv.input[0]][0], conv, kernels[conv.input[1]], at)
            terms = [seen.sum(axis=1, dtype=np.float64), (seen.transpose(0, 2, 1) @ seen).astype(np.float64)]
            if conv.name in sums:
                terms = [total + term for total, term in zip(sums[conv.name], terms)]
            sums[conv.name] = terms
            counts[conv.name] += len(at)
    return {
        name: Moments(mean=first / counts[name], second=second / counts[name])
        for name, (first, second) in sums.items()
    }


def round_weights(weights: np.ndarray, scale: np.ndarray, covariance: np.ndarray, limit: int) -> np.ndarray:
    """Weights ``[G, O, K]`` -> integers ``[G, O, K]`` in ``-limit..=limit``, in units of ``scale [G, O, 1]``.

    ``covariance [G, K, K]`` is that of the K inputs.
    """
    left = weights.astype(np.float64)
    size = covariance.shape[-1]
    diagonal = np.einsum("gkk->gk", covariance)
    # An input that never varies leaves its weight free; the floor keeps the matrix invertible.
    damping = DAMPING * diagonal.mean(axis=1) + 1e-12
    regular = covariance + damping[:, None, None] * np.eye(size)
    # Row k says how the error of column k is made up for by the columns behind it.
    upper = np.linalg.cholesky(np.linalg.inv(regular)).transpose(0, 2, 1)
    rounded = np.empty_like(left)
    for start in range(0, size, BLOCK):
        end = min(start + BLOCK, size)
        errors = np.empty((*left.shape[:2], end - start))
        for k in range(start, end):
            rounded[:, :, k] = np.clip(np.round(left[:, :, k] / scale[:, :, 0]), -limit, limit)
            error = (left[:, :, k] - rounded[:, :, k] * scale[:, :, 0]) / upper[:, k, k, None]
            left[:, :, k + 1 : end] -= error[:, :, None] * upper[:, None, k, k + 1 : end]
            errors[:, :, k - start] = error
        left[:, :, end:] -= errors @ upper[:, start:end, end:]
    return rounded


def refine(plain: onnx.ModelProto, quantized: onnx.ModelProto, moments: dict[str, Moments], limit: int) -> None:
    """Rounds the weights and biases of a QDQ model anew, in place; scales stay.

    ``plain`` is the float model that it was made from, with the same node names.
    """
    values = {t.name: numpy_helper.to_array(t) for t in plain.graph.initializer}
    stored = {t.name: t for t in quantized.graph.initializer}
    dequantized = {n.output[0]: n for n in quantized.graph.node if n.op_type == "DequantizeLinear"}
    targets = {n.name: n for n in quantized.graph.node}
    for conv in plain.graph.node:
        if conv.name not in moments:
            continue
        seen = moments[conv.name]
        weight, bias = (dequantized[name].input for name in targets[conv.name].input[1:3])
        groups = len(seen.mean)
        exact = values[conv.input[1]].reshape(groups, -1, seen.mean.shape[1])
        scale = numpy_helper.to_array(stored[weight[1]]).astype(np.float64).reshape(groups, -1, 1)
        rounded = round_weights(exact, scale, seen.covariance, limit)
        missing = np.einsum("gok,gk->go", exact - rounded * scale, seen.mean).reshape(-1)
        unit = numpy_helper.to_array(stored[bias[1]]).astype(np.float64)
        corrected = np.round((values[conv.input[2]] + missing) / unit)
        _replace(stored[weight[0]], rounded)
        _replace(stored[bias[0]], corrected)


def _replace(tensor: onnx.TensorProto, integers: np.ndarray) -> None:
    """Puts integers into a stored tensor; its type and shape stay."""
    old = numpy_helper.to_array(tensor)
    limits = np.iinfo(old.dtype)
    new = np.clip(integers, limits.min, limits.max).astype(old.dtype).reshape(old.shape)
    tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))
