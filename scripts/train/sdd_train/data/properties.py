"""How a picture looks to a model, as the Rust service says it (``ImageProperties``), by the formulas as they are written.

They are of the picture in the model's size, before it is normalized, and of a colored one's luma.
"""

from __future__ import annotations

import numpy as np
from PIL import Image


def properties(pixels: np.ndarray) -> dict[str, float]:
    """Of uint8 ``[H, W]`` or ``[H, W, 3]`` brightness, contrast and noise in gray levels, sharpness without unit, and
    the share of saturated pixels."""
    luma = np.asarray(Image.fromarray(pixels).convert("L")).astype(np.float64)
    return {
        "brightness": float(luma.mean()),
        "contrast": float(luma.std()),
        "sharpness": sharpness(luma),
        "noise": noise(luma),
        "saturated": float(((luma <= 1) | (luma >= 254)).mean()),
    }


def sharpness(luma: np.ndarray) -> float:
    """Root of the energy of the Laplacian over that of the gradient, without the border."""
    sides = [neighbors(luma, dy, dx) - neighbors(luma, 0, 0) for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    laplacian = sum(sides)
    gradient = sum(side**2 for side in sides) / 2
    return float(np.sqrt((laplacian**2).sum() / gradient.sum())) if gradient.any() else 0.0


def noise(luma: np.ndarray) -> float:
    """Immerkær's estimate of the standard deviation of noise (1996)."""
    second_difference = np.array([1, -2, 1])
    mask = np.outer(second_difference, second_difference)
    masked = sum(mask[dy + 1, dx + 1] * neighbors(luma, dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(masked).mean()) if masked.size else 0.0


def neighbors(luma: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Of each pixel that is not at the border the one ``dy`` rows below and ``dx`` columns right of it."""
    height, width = luma.shape
    return luma[1 + dy : max(height - 1 + dy, 1 + dy), 1 + dx : max(width - 1 + dx, 1 + dx)]
