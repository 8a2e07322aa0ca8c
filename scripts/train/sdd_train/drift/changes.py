"""Changes to an image as a camera, a lamp or a network might make them, at five severities.

They are made to the original picture, before it is resized for a model, and depend on nothing but
the picture, the level and a seed. The same seed gives the same noise, the same direction and the
same place at every level, so that severities differ in nothing else.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

Apply = Callable[[Image.Image, float, np.random.Generator], Image.Image]


@dataclass(frozen=True)
class Change:
    """A kind of change: its name, what a level means, the levels from mild to severe, and the function."""

    name: str
    unit: str
    levels: tuple[float, ...]
    apply: Apply

    def of(self, image: Image.Image, level: float, index: int) -> Image.Image:
        """The changed image of the same size and mode; ``index`` is the image's own seed."""
        return self.apply(image, level, np.random.default_rng([zlib.crc32(self.name.encode()), index]))


def to_image(values: np.ndarray) -> Image.Image:
    """Float values ``[H, W]`` or ``[H, W, 3]``, rounded and clipped to 8 bits."""
    return Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(np.float32)


def gaussian_blur(image: Image.Image, radius: float, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def gaussian_noise(image: Image.Image, sigma: float, rng: np.random.Generator) -> Image.Image:
    values = pixels(image)
    return to_image(values + sigma * rng.standard_normal(values.shape, dtype=np.float32))


def brightness(image: Image.Image, factor: float, rng: np.random.Generator) -> Image.Image:
    return to_image(pixels(image) * factor)


def contrast(image: Image.Image, factor: float, rng: np.random.Generator) -> Image.Image:
    values = pixels(image)
    return to_image((values - values.mean()) * factor + values.mean())


def rotation(image: Image.Image, degrees: float, rng: np.random.Generator) -> Image.Image:
    """Turned about the center, to either side; corners repeat the border instead of showing black."""
    values = np.asarray(image)
    height, width = values.shape[:2]
    margin = math.ceil((math.hypot(height, width) - min(height, width)) / 2)
    padded = np.pad(values, [(margin, margin), (margin, margin)] + [(0, 0)] * (values.ndim - 2), mode="edge")
    side = 1 if rng.random() < 0.5 else -1
    turned = Image.fromarray(padded).rotate(side * degrees, Image.Resampling.BILINEAR)
    return turned.crop((margin, margin, margin + width, margin + height))


def quarter_turn(image: Image.Image, degrees: float, rng: np.random.Generator) -> Image.Image:
    """A strip that lies: width and height are exchanged, so this one alone changes the size."""
    return image.transpose(Image.Transpose.ROTATE_90)


def jpeg(image: Image.Image, quality: float, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=int(quality))
    with Image.open(buffer) as opened:
        return opened.convert(image.mode)


def occlusion(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """A black rectangle of the image's proportions somewhere over it."""
    side = math.sqrt(share)
    width, height = round(image.width * side), round(image.height * side)
    left, top = (rng.random(2) * (image.width - width, image.height - height)).astype(int).tolist()
    covered = image.copy()
    covered.paste(0 if image.mode == "L" else (0, 0, 0), (left, top, left + width, top + height))
    return covered


def low_resolution(image: Image.Image, factor: float, rng: np.random.Generator) -> Image.Image:
    """Reduced and enlarged again, as from a lens out of focus or a coarser sensor."""
    small = (max(1, round(image.width / factor)), max(1, round(image.height / factor)))
    return image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BILINEAR)


CHANGES = (
    Change("Gaussian blur", "radius in px", (1, 2, 4, 6, 8), gaussian_blur),
    Change("low resolution", "reduced by", (2, 3, 4, 6, 8), low_resolution),
    Change("Gaussian noise", "sd in gray levels", (5, 10, 20, 35, 50), gaussian_noise),
    Change("brightness up", "factor", (1.1, 1.2, 1.3, 1.5, 1.8), brightness),
    Change("brightness down", "factor", (0.95, 0.9, 0.8, 0.7, 0.5), brightness),
    Change("contrast up", "factor", (1.2, 1.4, 1.7, 2.0, 2.5), contrast),
    Change("contrast down", "factor", (0.8, 0.65, 0.5, 0.35, 0.2), contrast),
    Change("small rotation", "degrees", (1, 2, 5, 10, 15), rotation),
    Change("quarter turn", "degrees", (90,), quarter_turn),
    Change("JPEG", "quality", (50, 30, 20, 10, 5), jpeg),
    Change("occlusion", "share covered", (0.01, 0.02, 0.05, 0.1, 0.2), occlusion),
)


def changed(images: Iterable[Image.Image], change: Change, level: float) -> Iterable[Image.Image]:
    """Each image changed, one at a time, with its position as seed."""
    return (change.of(image, level, index) for index, image in enumerate(images))
