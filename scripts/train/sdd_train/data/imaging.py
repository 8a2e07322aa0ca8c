"""The reference image loader and preprocessing.

Everything that turns the bytes of a file into the tensor a model sees happens
here, in training as well as in the golden files that the Rust service is
compared with:

    open -> EXIF orientation -> 8 bit -> gray or RGB -> resize -> normalize -> NCHW

Only Pillow and NumPy are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageOps

Color = Literal["gray", "rgb"]
Filter = Literal["box", "bilinear", "hamming", "bicubic", "lanczos"]

# Those that the Rust service has, by the same names.
RESAMPLING: dict[Filter, Image.Resampling] = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_PILLOW_MODE = {"gray": "L", "rgb": "RGB"}


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a model's input.

    The input value of a pixel (0..255) is ``(pixel * scale - mean) / std`` of
    its channel. A gray image is repeated on the three channels.
    """

    width: int
    height: int
    filter: Filter = "bilinear"
    color: Color = "gray"
    scale: float = 1.0 / 255.0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if self.filter not in RESAMPLING:
            raise ValueError(f"preprocessing.filter: expected one of {list(RESAMPLING)}, found {self.filter!r}")
        if self.color not in _PILLOW_MODE:
            raise ValueError(f"preprocessing.color: expected one of {list(_PILLOW_MODE)}, found {self.color!r}")

    def as_metadata(self) -> dict[str, object]:
        """The ``preprocessing`` object of a model's metadata."""
        return {
            "width": self.width,
            "height": self.height,
            "filter": self.filter,
            "color": self.color,
            "scale": self.scale,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_metadata(cls, document: dict[str, object]) -> Preprocessing:
        """The inverse of :meth:`as_metadata`."""
        fields = dict(document)
        fields["mean"] = tuple(fields["mean"])
        fields["std"] = tuple(fields["std"])
        return cls(**fields)


def to_eight_bit(image: Image.Image) -> Image.Image:
    """Brings a 16-bit gray image to 8 bits by dropping the low byte.

    Pillow's own ``I;16 -> L`` conversion clips at 255 instead, which turns
    nearly every 16-bit picture white. (Pillow already drops the low byte of
    16-bit RGB, RGBA and gray-with-alpha files when it opens them.)

    Raises ``ValueError`` for 32-bit integer and floating-point images: their
    white level is unknown.
    """
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16)
        return Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(
            f"expected an image of 8 or 16 bits a channel, found Pillow mode {image.mode!r} "
            "(32 bits): convert the file to 8 or 16 bits first"
        )
    return image


def load(source: str | Path | BinaryIO, color: Color) -> Image.Image:
    """Opens an image upright, with 8 bits a channel, as mode "L" or "RGB".

    Alpha is dropped, not blended. CMYK is converted as Pillow does:
    ``k - round(ink * k / 255)`` a channel with ``k = 255 - black``. Gray of a
    color image is ``(19595 R + 38470 G + 7471 B + 32768) >> 16``.
    """
    with Image.open(source) as opened:
        opened.load()
        upright = ImageOps.exif_transpose(opened)
    return to_eight_bit(upright).convert(_PILLOW_MODE[color])


def resize(image: Image.Image, width: int, height: int, filter: Filter = "bilinear") -> Image.Image:
    """Pillow's resize: the filter widens with the shrink factor (antialiasing)."""
    return image.resize((width, height), RESAMPLING[filter])


def resized(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """A loaded image at the input's size: uint8 ``[H, W]`` for gray, ``[H, W, 3]`` for RGB."""
    return np.asarray(resize(image, preprocessing.width, preprocessing.height, preprocessing.filter))


def load_resized(source: str | Path | BinaryIO, preprocessing: Preprocessing) -> np.ndarray:
    """Loads and resizes an image, as :func:`resized`."""
    return resized(load(source, preprocessing.color), preprocessing)


def normalize(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """uint8 ``[H, W]`` or ``[H, W, 3]`` -> float32 ``[3, H, W]``."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    scale = np.float32(preprocessing.scale)
    mean = np.asarray(preprocessing.mean, dtype=np.float32)
    std = np.asarray(preprocessing.std, dtype=np.float32)
    values = (pixels.astype(np.float32) * scale - mean) / std
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def preprocess(source: str | Path | BinaryIO, preprocessing: Preprocessing) -> np.ndarray:
    """Image file -> float32 ``[3, H, W]``, one row of a model's NCHW input."""
    return normalize(load_resized(source, preprocessing), preprocessing)
