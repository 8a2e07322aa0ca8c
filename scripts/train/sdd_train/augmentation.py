"""Random changes to training images and, alike, to their outlines.

They stay mild on purpose: what the drift detector shall notice (brightness,
blur, noise, another angle) must not be trained away.
"""

from __future__ import annotations

import numpy as np

SHIFT = 0.06
"""Largest shift, as a fraction of height or width; the border is repeated."""
BRIGHTNESS = 14.0
"""Largest change of brightness, in gray levels."""
CONTRAST = 0.12
"""Largest change of contrast, as a fraction."""


def shift(pixels: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Moves ``[H, W]`` by whole pixels, repeating the border."""
    height, width = pixels.shape
    rows = np.clip(np.arange(height) - dy, 0, height - 1)
    columns = np.clip(np.arange(width) - dx, 0, width - 1)
    return pixels[rows][:, columns]


def augment(image: np.ndarray, outline: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One random version of an image and its outline, both uint8 ``[H, W]``."""
    height, width = image.shape
    dy = int(rng.integers(-int(SHIFT * height), int(SHIFT * height) + 1))
    dx = int(rng.integers(-int(SHIFT * width), int(SHIFT * width) + 1))
    image, outline = shift(image, dy, dx), shift(outline, dy, dx)
    for axis in (0, 1):
        if rng.random() < 0.5:
            image, outline = np.flip(image, axis), np.flip(outline, axis)
    gray = image.astype(np.float32)
    middle = gray.mean()
    gray = (gray - middle) * rng.uniform(1 - CONTRAST, 1 + CONTRAST) + middle
    gray += rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    return np.clip(np.round(gray), 0, 255).astype(np.uint8), np.ascontiguousarray(outline)
