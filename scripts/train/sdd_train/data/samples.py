"""The sample images that are shipped with the model: drawn here, so free of the data set's license."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .folds import SAMPLE_ITEM
from .synthetic import JPEG_QUALITY, draw_surface

GOOD_SEED, DEFECT_SEED, FOREIGN_SEED = 5, 16, 7
"""Not among the seeds of the synthetic training images (from 1000 upwards)."""
FOREIGN_SIZE = (640, 480)


def sky(width: int, height: int) -> np.ndarray:
    """A vertical gradient, uint8 ``[H, W, 3]``."""
    t = np.linspace(0, 1, height)[:, None, None]
    top, bottom = np.array([40, 110, 200]), np.array([250, 215, 160])
    return np.broadcast_to(top * (1 - t) + bottom * t, (height, width, 3)).astype(np.uint8)


def ridge(width: int, base: float, roughness: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """The upper edge of a hill: points from left to right."""
    x = np.linspace(0, width, 33)
    waves = sum(rng.normal(0, roughness / k) * np.sin(k * x / width * np.pi + rng.uniform(0, 6)) for k in (1, 2, 3, 5))
    return list(zip(x.tolist(), (base + waves).tolist()))


def draw_landscape(seed: int) -> Image.Image:
    """Sun, hills, a house and trees in color: anything but a machined surface."""
    rng = np.random.default_rng(seed)
    width, height = FOREIGN_SIZE
    image = Image.fromarray(sky(width, height))
    draw = ImageDraw.Draw(image)
    draw.ellipse((470, 50, 550, 130), fill=(255, 240, 150))
    for base, roughness, color in (
        (250, 45, (110, 130, 170)), (310, 35, (70, 130, 90)), (380, 20, (60, 160, 60)),
    ):
        draw.polygon([(0, height), *ridge(width, base, roughness, rng), (width, height)], fill=color)
    draw.rectangle((120, 320, 230, 410), fill=(200, 60, 50))
    draw.polygon([(105, 320), (175, 260), (245, 320)], fill=(90, 50, 40))
    draw.rectangle((160, 360, 190, 410), fill=(240, 220, 120))
    for _ in range(9):
        x, y = rng.uniform(280, 620), rng.uniform(370, 450)
        size = rng.uniform(18, 40)
        draw.rectangle((x - 3, y, x + 3, y + size * 0.7), fill=(90, 60, 30))
        draw.ellipse((x - size / 2, y - size, x + size / 2, y + size * 0.2), fill=(20, int(rng.uniform(80, 140)), 40))
    return image.filter(ImageFilter.GaussianBlur(0.6))


def write(out: Path) -> None:
    """Writes ``good.jpg``, ``defect.jpg`` and ``foreign.jpg``."""
    out.mkdir(parents=True, exist_ok=True)
    images = {
        "good": Image.fromarray(draw_surface(GOOD_SEED, defect=False, item=SAMPLE_ITEM).pixels),
        "defect": Image.fromarray(draw_surface(DEFECT_SEED, defect=True, item=SAMPLE_ITEM).pixels),
        "foreign": draw_landscape(FOREIGN_SEED),
    }
    for name, image in images.items():
        image.save(out / f"{name}.jpg", quality=JPEG_QUALITY)
