"""The reference image loader and preprocessing.

Everything that turns the bytes of a file into the tensor a model sees happens
here, in training as well as in the golden files that the Rust service is
compared with:

    open -> EXIF orientation -> 8 bit -> gray or RGB -> resize -> normalize -> NCHW

Only Pillow and NumPy are needed.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageFile, ImageOps

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
# How Pillow calls 16-bit samples of several channels, and their byte order: big, little, the machine's.
_SIXTEEN_BIT_COLOR = re.compile("(?P<layout>LA|RGB|RGBA|RGBa|RGBX|CMYK);16(?P<order>[BLN])")
BIT_DEPTHS = range(9, 17)
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
    bit_depth: int | None = None
    """Bits of a sample in 16-bit files, 9 to 16; ``None``: see :func:`load`."""

    def __post_init__(self) -> None:
        if self.filter not in RESAMPLING:
            raise ValueError(f"preprocessing.filter: expected one of {list(RESAMPLING)}, found {self.filter!r}")
        if self.color not in _PILLOW_MODE:
            raise ValueError(f"preprocessing.color: expected one of {list(_PILLOW_MODE)}, found {self.color!r}")
        if self.bit_depth is not None and self.bit_depth not in BIT_DEPTHS:
            raise ValueError(f"preprocessing.bit_depth: expected 9 to 16, found {self.bit_depth!r}")

    def as_metadata(self) -> dict[str, object]:
        """The ``preprocessing`` object of a model's metadata."""
        content: dict[str, object] = {
            "width": self.width,
            "height": self.height,
            "filter": self.filter,
            "color": self.color,
            "scale": self.scale,
            "mean": list(self.mean),
            "std": list(self.std),
        }
        return content if self.bit_depth is None else content | {"bit_depth": self.bit_depth}

    @classmethod
    def from_metadata(cls, document: dict[str, object]) -> Preprocessing:
        """The inverse of :meth:`as_metadata`."""
        fields = dict(document)
        fields["mean"] = tuple(fields["mean"])
        fields["std"] = tuple(fields["std"])
        return cls(**fields)


def load(source: str | Path | BinaryIO, color: Color, bit_depth: int | None = None) -> Image.Image:
    """Opens an image upright, with 8 bits a channel, as mode "L" or "RGB".

    Alpha is dropped, not blended. CMYK is converted as Pillow does:
    ``k - round(ink * k / 255)`` a channel with ``k = 255 - black``. Gray of a
    color image is ``(19595 R + 38470 G + 7471 B + 32768) >> 16``.

    Of 16-bit samples the 8 highest of ``bit_depth`` bits are taken (9 to 16),
    without it the high byte. Raises ``ValueError`` where that would be wrong,
    as the service does: a 16-bit image may be of 12 bits and nothing is
    stated, or it has more bits than stated; and for 32-bit integer and
    floating-point images, whose white level is unknown.
    """
    # Never by its path: Pillow maps such a file into memory, and an uncompressed TIFF that is to be turned on
    # its side comes out scrambled.
    if isinstance(source, (str, Path)):
        data = Path(source).read_bytes()
    else:
        source.seek(0)
        data = source.read()
    return _eight_bit(data, bit_depth).convert(_PILLOW_MODE[color])


def _eight_bit(data: bytes, bit_depth: int | None) -> Image.Image:
    with Image.open(BytesIO(data)) as opened:
        mode = opened.mode
        rawmode = _rawmode(opened.tile[0]) if opened.tile else ""
    if mode.startswith("I;16"):
        samples = np.asarray(_upright(data)).astype(np.uint16)
        return Image.fromarray(_narrowed(samples, samples, bit_depth))
    if mode in ("I", "F"):
        raise ValueError(
            f"expected an image of 8 or 16 bits a channel, found Pillow mode {mode!r} "
            "(32 bits): convert the file to 8 or 16 bits first"
        )
    sixteen_bit = _SIXTEEN_BIT_COLOR.fullmatch(rawmode)
    if not sixteen_bit:
        return _upright(data)
    if sixteen_bit["layout"] == "LA":
        parts = np.asarray(_upright(data, "RGBA")).astype(np.uint16)
        gray = parts[:, :, 0] << 8 | parts[:, :, 1]
        return Image.fromarray(_narrowed(gray, gray, bit_depth))
    return _narrowed_color(data, mode, sixteen_bit["layout"], sixteen_bit["order"], bit_depth)


def _narrowed_color(data: bytes, mode: str, layout: str, order: str, bit_depth: int | None) -> Image.Image:
    """An image of which Pillow keeps the high bytes alone: the low ones are had by telling it the other byte order."""
    swapped = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}[order]
    premultiplied = layout == "RGBa"
    layout = layout.upper()
    high, low = (
        np.asarray(_upright(data, f"{layout};16{order}")).astype(np.uint16) for order in (order, swapped)
    )
    samples = high << 8 | low
    narrowed = _narrowed(samples, samples[:, :, :3] if mode == "RGBA" else samples, bit_depth)
    if premultiplied:
        # The alpha says nothing of the colors' bits, and is narrowed with them: it must keep to what is stated.
        _check_stated(samples, bit_depth)
        colors, alpha = narrowed[:, :, :3].astype(np.uint32), narrowed[:, :, 3:].astype(np.uint32)
        divided = np.where(alpha > 0, colors * 255 // np.maximum(alpha, 1), 0)
        return Image.fromarray(np.minimum(divided, 255).astype(np.uint8))
    height, width, _ = narrowed.shape
    return Image.frombytes(mode, (width, height), narrowed.tobytes())


def _narrowed(samples: np.ndarray, colors: np.ndarray, bit_depth: int | None) -> np.ndarray:
    """The 8 highest bits of uint16 samples, ``colors`` being those that are no alpha."""
    largest = int(colors.max())
    if bit_depth is None and 0 < largest < 4096:
        raise ValueError(
            f"no sample of the 16-bit image is above {largest}: it may be one of 12 bits, or a dark one of 16. "
            "State `bit_depth` in the preprocessing: 12, or what the camera delivers; 16 takes the image as it stands"
        )
    _check_stated(colors, bit_depth)
    return (samples >> ((bit_depth or 16) - 8)).astype(np.uint8)


def _check_stated(samples: np.ndarray, bit_depth: int | None) -> None:
    largest = int(samples.max())
    if bit_depth is not None and largest >> bit_depth:
        raise ValueError(f"the 16-bit image has a sample of {largest}, more than the stated {bit_depth} bits")


def _upright(data: bytes, rawmode: str | None = None) -> Image.Image:
    """The image, its samples taken to be laid out as in ``rawmode`` where one is given."""
    with Image.open(BytesIO(data)) as opened:
        if rawmode is not None:
            opened.tile = [
                tile._replace(args=rawmode if isinstance(tile.args, str) else (rawmode, *tile.args[1:]))
                for tile in opened.tile
            ]
        opened.load()
        return ImageOps.exif_transpose(opened)


def _rawmode(tile: ImageFile._Tile) -> str:
    args = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    return args[0] if args and isinstance(args[0], str) else ""


def resize(image: Image.Image, width: int, height: int, filter: Filter = "bilinear") -> Image.Image:
    """Pillow's resize: the filter widens with the shrink factor (antialiasing)."""
    return image.resize((width, height), RESAMPLING[filter])


def resized(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """A loaded image at the input's size: uint8 ``[H, W]`` for gray, ``[H, W, 3]`` for RGB."""
    return np.asarray(resize(image, preprocessing.width, preprocessing.height, preprocessing.filter))


def load_resized(source: str | Path | BinaryIO, preprocessing: Preprocessing) -> np.ndarray:
    """Loads and resizes an image, as :func:`resized`."""
    return resized(load(source, preprocessing.color, preprocessing.bit_depth), preprocessing)


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
