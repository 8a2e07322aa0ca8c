"""Procedurally drawn surfaces, with and without a crack.

The style follows KolektorSDD: a gray, grainy, slightly streaked strip of about
500 x 1250 pixels with dark pits, bright specks and shaded edges; the defect is
a thin dark crack that runs in from a side. Nothing is copied from the data
set, so these images are free to ship and to show.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH = 500
ITEM_STREAM = 2
"""Second number of an item's random stream; 0 and 1 are those of sound and defective images."""
JPEG_QUALITY = 92
SUPERSAMPLING = 4
"""A crack's outline is drawn this many times larger, then reduced, for soft edges."""


@dataclass(frozen=True)
class Surface:
    """A drawn surface. ``pixels`` uint8 ``[H, W]``, ``outline`` bool ``[H, W]`` (all false if sound)."""

    pixels: np.ndarray
    outline: np.ndarray

    @property
    def label(self) -> str:
        """The data set's name for what is seen."""
        return "defect" if self.outline.any() else "non_defect"


def blurred_noise(shape: tuple[int, int], sigma_y: float, sigma_x: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, low-passed in the Fourier domain, of unit variance ``[H, W]``."""
    height, width = shape
    fy = np.fft.fftfreq(height)[:, None]
    fx = np.fft.rfftfreq(width)[None, :]
    gain = np.exp(-2 * np.pi**2 * ((sigma_y * fy) ** 2 + (sigma_x * fx) ** 2))
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, s=shape)
    return noise / noise.std()


def grain(shape: tuple[int, int], style: np.random.Generator, rng: np.random.Generator) -> np.ndarray:
    """The base texture in gray levels around zero: grain, blotches, vertical streaks."""
    contrast = style.uniform(0.8, 1.7)
    fine = blurred_noise(shape, style.uniform(1.2, 1.8), style.uniform(1.8, 3.2), rng)
    middle = blurred_noise(shape, style.uniform(3.0, 5.0), style.uniform(3.5, 7.0), rng)
    coarse = blurred_noise(shape, style.uniform(25, 70), style.uniform(20, 60), rng)
    streaks = blurred_noise(shape, 400.0, style.uniform(2.0, 6.0), rng)
    return contrast * (
        style.uniform(8, 12) * fine
        + style.uniform(5, 10) * middle
        + style.uniform(2, 5) * coarse
        + style.uniform(1, 5) * streaks
    )


def spots(shape: tuple[int, int], count: int, radius: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Soft elliptical spots, 0..1 ``[H, W]``."""
    height, width = shape
    layer = np.zeros(shape)
    for _ in range(count):
        ry = rng.uniform(*radius)
        rx = ry * rng.uniform(0.8, 1.8)
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        top, bottom = max(int(cy - 3 * ry), 0), min(int(cy + 3 * ry) + 2, height)
        left, right = max(int(cx - 3 * rx), 0), min(int(cx + 3 * rx) + 2, width)
        y, x = np.mgrid[top:bottom, left:right]
        spot = rng.uniform(0.4, 1.0) * np.exp(-0.5 * (((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2))
        layer[top:bottom, left:right] = np.maximum(layer[top:bottom, left:right], spot)
    return layer


def edge_shading(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Gray levels to subtract near the left and right edge ``[1, W]``."""
    x = np.arange(shape[1])[None, :]
    left = rng.uniform(0, 25) * np.exp(-x / rng.uniform(4, 20))
    right = rng.uniform(5, 60) * np.exp(-(shape[1] - 1 - x) / rng.uniform(4, 25))
    return left + right


def glare(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A burnt-out sliver on the left edge, 0..1 ``[H, W]``."""
    height, width = shape
    canvas = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(1, 3))):
        middle, half = rng.uniform(0.2, 0.9) * height, rng.uniform(20, 110)
        reach = rng.uniform(5, 18)
        draw.ellipse((-reach, middle - half, reach, middle + half), fill=255)
    return np.asarray(canvas.filter(ImageFilter.GaussianBlur(2))) / 255.0


def crack_path(shape: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A crack's course from a side inwards: points ``[P, 2]`` (x, y) and widths ``[P]`` in pixels."""
    height, width = shape
    length = rng.uniform(110, 330)
    points = int(length / 6)
    along = np.linspace(0, length, points)
    slope = rng.uniform(-0.25, 0.25)
    wander = np.cumsum(np.cumsum(rng.normal(0, 0.22, points)) * 0.35 + rng.normal(0, 0.9, points))
    y = rng.uniform(0.15, 0.85) * height + slope * along + wander
    inset = rng.uniform(0, 60) if rng.random() < 0.3 else 0.0
    x = width - 1 - inset - along if rng.random() < 0.8 else inset + along
    widest = rng.uniform(2.5, 6.5)
    taper = np.clip(1.15 - along / length, 0.25, 1.0)
    widths = np.maximum(widest * taper * rng.uniform(0.7, 1.3, points), 1.2)
    return np.stack([x, np.clip(y, 5, height - 6)], axis=1), widths


def crack_layer(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Coverage of a crack, 0..1 ``[H, W]``."""
    height, width = shape
    path, widths = crack_path(shape, rng)
    scale = SUPERSAMPLING
    top = max(int(path[:, 1].min()) - 12, 0)
    bottom = min(int(path[:, 1].max()) + 13, height)
    canvas = Image.new("L", (width * scale, (bottom - top) * scale), 0)
    draw = ImageDraw.Draw(canvas)
    for start, end, thickness in zip(path[:-1], path[1:], widths):
        a = ((start[0] * scale), (start[1] - top) * scale)
        b = ((end[0] * scale), (end[1] - top) * scale)
        radius = thickness * scale / 2
        draw.line([a, b], fill=255, width=max(round(thickness * scale), 1))
        draw.ellipse((b[0] - radius, b[1] - radius, b[0] + radius, b[1] + radius), fill=255)
    strip = canvas.resize((width, bottom - top), Image.Resampling.BOX)
    layer = np.zeros(shape)
    layer[top:bottom] = np.asarray(strip.filter(ImageFilter.GaussianBlur(0.7))) / 255.0
    return layer


def draw_surface(seed: int, defect: bool, item: int | None = None) -> Surface:
    """Draws one surface. The same arguments give the same pixels.

    Images of one ``item`` share material and light, as those of a physical part do; without it every
    seed has its own.
    """
    rng = np.random.default_rng([seed, int(defect)])
    style = rng if item is None else np.random.default_rng([item, ITEM_STREAM])
    shape = (int(rng.integers(1236, 1281)), WIDTH)
    base = style.uniform(178, 200)
    gray = base + grain(shape, style, rng)
    gray -= style.uniform(40, 80) * spots(shape, int(style.integers(60, 500)), (2.0, 7.0), rng)
    gray += style.uniform(20, 45) * spots(shape, int(style.integers(150, 700)), (1.2, 2.8), rng)
    gray -= edge_shading(shape, rng)
    if rng.random() < 0.3:
        gray += (255 - gray) * glare(shape, rng)
    coverage = np.zeros(shape)
    if defect:
        coverage = crack_layer(shape, rng)
        darkness = rng.uniform(70, 120) * (1 + 0.25 * blurred_noise(shape, 1.0, 12.0, rng))
        gray -= coverage * np.clip(darkness, 35, 150)
    gray += rng.normal(0, 1.0, shape)
    return Surface(np.clip(np.round(gray), 0, 255).astype(np.uint8), coverage > 0.3)


def write_set(folder: Path, count: int, first_seed: int, item: int | None = None) -> None:
    """Draws ``count`` surfaces, every other one with a crack, below ``folder``.

    Writes ``{defect,non_defect}/synthetic_SEED.jpg`` and, for each crack,
    ``outlines/synthetic_SEED.png``.
    """
    for name in ("defect", "non_defect", "outlines"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        seed = first_seed + index
        surface = draw_surface(seed, defect=index % 2 == 0, item=item)
        stem = f"synthetic_{seed}"
        Image.fromarray(surface.pixels).save(
            folder / surface.label / f"{stem}.jpg", quality=JPEG_QUALITY
        )
        if surface.outline.any():
            outline = Image.fromarray(surface.outline.astype(np.uint8) * 255)
            outline.save(folder / "outlines" / f"{stem}.png")
