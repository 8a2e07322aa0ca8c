"""Random changes to training images and, alike, to their outlines.

They stay mild on purpose: what the drift detector shall notice (brightness,
blur, noise, another angle) must not be trained away.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

SHIFT = 0.06
"""Largest shift, as a fraction of height or width; the border is mirrored."""
ANGLE = 4.0
"""Largest rotation of the part, in degrees."""
ZOOM = 0.08
"""Largest change of either side's scale, as a fraction."""
BRIGHTNESS = 14.0
"""Largest change of brightness, in gray levels."""
CONTRAST = 0.12
"""Largest change of contrast, as a fraction."""
MARGIN = 0.12
"""How much of each side is mirrored beyond the border before moving, as a fraction."""


def random_affine(height: int, width: int, part_aspect: float, rng: np.random.Generator) -> np.ndarray:
    """A small rotation, zoom and shift as a 2 x 3 matrix: output pixel ``(x, y, 1)`` -> input ``(x, y)``.

    ``part_aspect`` is the height of the photographed part over its width: the
    input is squeezed, and it is the part that turns.
    """
    angle = np.deg2rad(rng.uniform(-ANGLE, ANGLE))
    squeeze = np.diag([1.0, part_aspect * width / height])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    zoom = np.diag(1.0 / rng.uniform(1 - ZOOM, 1 + ZOOM, size=2))
    linear = np.linalg.inv(squeeze) @ turn @ squeeze @ zoom
    center = np.array([width / 2, height / 2])
    shift = rng.uniform(-SHIFT, SHIFT, size=2) * (width, height)
    return np.column_stack([linear, center - linear @ center + shift])


def move(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Applies a matrix of :func:`random_affine` to uint8 ``[H, W]``, bilinear, mirrored at the border."""
    height, width = pixels.shape
    pad = int(MARGIN * max(height, width))
    padded = Image.fromarray(np.pad(pixels, pad, mode="symmetric"))
    coefficients = matrix + np.array([[0.0, 0.0, pad], [0.0, 0.0, pad]])
    moved = padded.transform(
        (width, height), Image.Transform.AFFINE, tuple(coefficients.ravel()), Image.Resampling.BILINEAR
    )
    return np.asarray(moved)


def relight(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Changes brightness and contrast of uint8 ``[H, W]``."""
    gray = pixels.astype(np.float32)
    middle = gray.mean()
    gray = (gray - middle) * rng.uniform(1 - CONTRAST, 1 + CONTRAST) + middle
    gray += rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    return np.clip(np.round(gray), 0, 255).astype(np.uint8)


def augment(
    image: np.ndarray, outline: np.ndarray, part_aspect: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One random version of an image (0..255) and its outline (0, 1), both uint8 ``[H, W]``."""
    matrix = random_affine(*image.shape, part_aspect, rng)
    image, outline = move(image, matrix), (move(outline * 255, matrix) > 100).astype(np.uint8)
    for axis in (0, 1):
        if rng.random() < 0.5:
            image, outline = np.flip(image, axis), np.flip(outline, axis)
    return relight(image, rng), np.ascontiguousarray(outline)
