"""Depthwise convolution whose bfloat16 gradients are fast on CPUs.

oneDNN has no bfloat16 kernels for two of the gradients and falls back to
reference loops that take most of a training step: that of the input where the
stride is above one, and that of the weight where the kernel is larger than 3x3.
These two are computed in float32 here, which halves the step.
"""

from __future__ import annotations

import types
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DepthwiseConvolution(torch.autograd.Function):
    """``F.conv2d`` without bias for one filter a channel, with gradients in a fast precision."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, stride: list[int], padding: list[int]) -> Tensor:
        ctx.save_for_backward(image, weight)
        ctx.geometry = stride, padding
        return F.conv2d(image, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        image, weight = ctx.saved_tensors
        stride, padding = ctx.geometry

        def backward(dtype: torch.dtype, wanted: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
            return torch.ops.aten.convolution_backward(
                gradient.to(dtype), image.to(dtype), weight.to(dtype), None,
                stride, padding, [1, 1], False, [0, 0], len(weight), wanted,
            )  # fmt: skip

        of_image = backward(torch.float32 if max(stride) > 1 else gradient.dtype, [True, False, False])[0]
        of_weight = backward(torch.float32 if max(weight.shape[2:]) > 3 else gradient.dtype, [False, True, False])[1]
        return of_image.to(image.dtype), of_weight.to(weight.dtype), None, None


def _forward(self: nn.Conv2d, image: Tensor) -> Tensor:
    if torch.is_grad_enabled() and torch.is_autocast_enabled("cpu"):
        precise = self.static_padding(image).bfloat16(), self.weight.bfloat16()
        return DepthwiseConvolution.apply(*precise, list(self.stride), list(self.padding))
    return type(self).forward(self, image)


def accelerate(network: nn.Module) -> None:
    """Lets every depthwise convolution of an EfficientNet-Lite train with these gradients."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
            module.forward = types.MethodType(_forward, module)
