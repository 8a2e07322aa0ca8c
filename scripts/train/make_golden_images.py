"""Draws small images of every kind, and writes what the reference makes of them.

    python make_golden_images.py --out ../../crates/core/tests/data

Writes `images/*` and `golden.json`, which the Rust tests compare with: decoded
pixels, preprocessed tensor, and the answer of `tiny.onnx` (write that first
with make_tiny_model.py); and the noise of the Rust tests, resized by every
filter. Everything is drawn here from fixed seeds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime
import PIL
from PIL import Image, ImageDraw, TiffTags
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from make_tiny_model import PREPROCESSING
from sdd_train.data import imaging
from sdd_train.data.properties import properties

SAMPLED_PIXELS = 50
SAMPLED_VALUES = 40
ORIENTATION_TAG = 0x0112
PHOTOMETRIC_TAG = 262
EXTRA_SAMPLES_TAG = 338
XMP_TAG = 700

Encoded = tuple[bytes, bool]
"""A file's bytes, and whether decoders may differ by a few gray levels on it."""


def surface(width: int, height: int, seed: int, channels: int = 3) -> np.ndarray:
    """Gradients, two shapes and mild noise: float64 `[height, width, channels]`, 0..1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    y, x = y / max(height - 1, 1), x / max(width - 1, 1)
    planes = []
    for _ in range(channels):
        a, b, c = rng.uniform(-1, 1, 3)
        planes.append(0.5 + 0.25 * (a * x + b * y) + 0.2 * np.sin(5 * (x * c + y)))
    image = np.stack(planes, axis=2)
    canvas = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(canvas)
    draw.ellipse((width * 0.55, height * 0.1, width * 0.9, height * 0.5), fill=255)
    draw.rectangle((width * 0.1, height * 0.6, width * 0.35, height * 0.9), fill=128)
    shapes = np.asarray(canvas)[:, :, None] / 255.0
    image = image * (1 - 0.5 * shapes) + 0.5 * shapes * rng.uniform(0, 1, channels)
    return np.clip(image + rng.normal(0, 0.01, image.shape), 0, 1)


def eight_bit(width: int, height: int, seed: int, mode: str) -> Image.Image:
    """A surface as an 8-bit Pillow image of mode L, LA, RGB, RGBA or CMYK."""
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    pixels = np.round(surface(width, height, seed, channels) * 255).astype(np.uint8)
    if mode == "L":
        return Image.fromarray(pixels[:, :, 0])
    return Image.frombytes(mode, (width, height), pixels.tobytes())


def sixteen_bit(width: int, height: int, seed: int, channels: int) -> np.ndarray:
    """A surface as uint16 `[height, width, channels]` that uses the low byte too."""
    return np.round(surface(width, height, seed, channels) * 65535).astype(np.uint16)


def png_sixteen_bit(pixels: np.ndarray) -> bytes:
    """A 16-bit PNG of 1 to 4 channels, written by hand: Pillow writes none but gray."""
    height, width, channels = pixels.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = pixels.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw, 9))
        + chunk(b"IEND", b"")
    )


def tiff_sixteen_bit(pixels: np.ndarray, photometric: int, extra: int | None = None) -> bytes:
    """An uncompressed TIFF of uint16 ``[H, W, C]``, written by hand: Pillow writes none of several channels.

    ``extra`` is what the last channel is, as the tag ExtraSamples says it.
    """
    height, width, channels = pixels.shape
    bits = struct.pack(f"<{channels}H", *[16] * channels)
    data = pixels.astype("<u2").tobytes()
    count = 9 + (extra is not None)
    # The header, the directory, the bits of the channels, the samples.
    after = 8 + 2 + count * 12 + 4
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, after), (259, 3, 1, 1),
        (PHOTOMETRIC_TAG, 3, 1, photometric), (273, 4, 1, after + len(bits)), (277, 3, 1, channels),
        (278, 4, 1, height), (279, 4, 1, len(data)),
    ]
    if extra is not None:
        entries.append((EXTRA_SAMPLES_TAG, 3, 1, extra))
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, count) + directory + struct.pack("<I", 0) + bits + data


def encode(image: Image.Image, format: str, **options: object) -> bytes:
    """The bytes of an image as Pillow writes it."""
    buffer = BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def orientation(value: int) -> Image.Exif:
    """EXIF data that holds an orientation and nothing else."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = value
    return exif


def png_images() -> dict[str, Encoded]:
    """Every PNG kind: bit depths, alpha, palettes, interlace is left to the decoders' own tests."""
    palette = eight_bit(59, 43, 6, "RGB").quantize(64)
    transparent = eight_bit(59, 43, 7, "RGB").quantize(32)
    one_bit = eight_bit(61, 47, 8, "L").point(lambda v: 255 if v > 127 else 0).convert("1")
    four_gray = eight_bit(53, 41, 13, "L").quantize(16)
    images = {
        "png_gray": encode(eight_bit(61, 47, 1, "L"), "PNG"),
        "png_rgb": encode(eight_bit(61, 47, 2, "RGB"), "PNG"),
        "png_rgba": encode(eight_bit(47, 61, 3, "RGBA"), "PNG"),
        "png_gray_alpha": encode(eight_bit(53, 39, 4, "LA"), "PNG"),
        "png_palette": encode(palette, "PNG"),
        "png_palette_4bit": encode(four_gray, "PNG", bits=4),
        "png_palette_transparent": encode(transparent, "PNG", transparency=3),
        "png_1bit": encode(one_bit, "PNG"),
        "png_gray16": png_sixteen_bit(sixteen_bit(45, 37, 9, 1)),
        "png_gray_alpha16": png_sixteen_bit(sixteen_bit(33, 29, 12, 2)),
        "png_rgb16": png_sixteen_bit(sixteen_bit(41, 35, 10, 3)),
        "png_rgba16": png_sixteen_bit(sixteen_bit(33, 29, 11, 4)),
        "png_gray_tall": encode(eight_bit(67, 203, 14, "L"), "PNG"),
        "png_rgb_smaller_than_input": encode(eight_bit(11, 9, 15, "RGB"), "PNG"),
        "png_rgb_1x1": encode(eight_bit(1, 1, 16, "RGB"), "PNG"),
        "png_rgb_input_size": encode(eight_bit(24, 32, 17, "RGB"), "PNG"),
        "png_rgb_orientation_6": encode(eight_bit(41, 29, 18, "RGB"), "PNG", exif=orientation(6)),
    }
    return {f"{name}.png": (data, False) for name, data in images.items()}


def jpeg_images() -> dict[str, Encoded]:
    """JPEG: gray, both chroma samplings, CMYK, progressive, all orientations."""
    rgb = eight_bit(61, 47, 21, "RGB")
    images = {
        "jpeg_gray": encode(eight_bit(61, 47, 20, "L"), "JPEG", quality=90),
        "jpeg_rgb_420": encode(rgb, "JPEG", quality=90, subsampling="4:2:0"),
        "jpeg_rgb_422": encode(rgb, "JPEG", quality=90, subsampling="4:2:2"),
        "jpeg_rgb_444": encode(rgb, "JPEG", quality=90, subsampling="4:4:4"),
        "jpeg_rgb_progressive": encode(rgb, "JPEG", quality=90, progressive=True),
        "jpeg_cmyk": encode(eight_bit(45, 35, 22, "CMYK"), "JPEG", quality=90),
        "jpeg_rgb_large": encode(eight_bit(241, 180, 23, "RGB"), "JPEG", quality=85),
    }
    upright = eight_bit(43, 31, 24, "RGB")
    for value in range(2, 9):
        images[f"jpeg_orientation_{value}"] = encode(
            upright, "JPEG", quality=90, subsampling="4:4:4", exif=orientation(value)
        )
    return {f"{name}.jpg": (data, True) for name, data in images.items()}


def bmp_images() -> dict[str, Encoded]:
    """BMP of 24 bits, 8-bit gray and 8-bit palette."""
    images = {
        "bmp_rgb": encode(eight_bit(61, 47, 30, "RGB"), "BMP"),
        "bmp_gray": encode(eight_bit(61, 47, 31, "L"), "BMP"),
        "bmp_palette": encode(eight_bit(61, 47, 32, "RGB").quantize(64), "BMP"),
    }
    return {f"{name}.bmp": (data, False) for name, data in images.items()}


def tiff_images() -> dict[str, Encoded]:
    """TIFF: gray, RGB, 16-bit gray, LZW, CMYK, alpha, orientation."""
    gray16 = Image.fromarray(sixteen_bit(45, 37, 42, 1)[:, :, 0])
    rgb = eight_bit(53, 41, 41, "RGB")
    images = {
        "tiff_gray": encode(eight_bit(61, 47, 40, "L"), "TIFF"),
        "tiff_rgb": encode(rgb, "TIFF"),
        "tiff_rgb_lzw": encode(rgb, "TIFF", compression="tiff_lzw"),
        "tiff_rgb_deflate": encode(rgb, "TIFF", compression="tiff_adobe_deflate"),
        "tiff_rgba": encode(eight_bit(37, 31, 44, "RGBA"), "TIFF"),
        "tiff_gray16": encode(gray16, "TIFF"),
        "tiff_cmyk": encode(eight_bit(45, 35, 43, "CMYK"), "TIFF"),
        "tiff_orientation_6": encode(
            eight_bit(37, 29, 45, "RGB"), "TIFF", tiffinfo={ORIENTATION_TAG: 6}
        ),
    }
    return {f"{name}.tiff": (data, False) for name, data in images.items()}


def webp_images() -> dict[str, Encoded]:
    """WebP: lossless with and without alpha, lossy with and without alpha."""
    rgb, rgba = eight_bit(61, 47, 50, "RGB"), eight_bit(61, 47, 51, "RGBA")
    return {
        "webp_lossless.webp": (encode(rgb, "WEBP", lossless=True), False),
        "webp_lossless_alpha.webp": (encode(rgba, "WEBP", lossless=True, exact=True), False),
        "webp_lossy.webp": (encode(rgb, "WEBP", quality=85), True),
        "webp_lossy_alpha.webp": (encode(rgba, "WEBP", quality=85, exact=True), True),
    }


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""


def with_tiff_tag(data: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF whose one SHORT of this tag, which it has, is another."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            return data[: entry + 8] + struct.pack("<H", value) + data[entry + 10 :]
    raise KeyError(tag)


def xmp_in_png() -> PngInfo:
    """The text of a PNG that holds the XMP packet."""
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return text


def xmp_in_tiff() -> ImageFileDirectory_v2:
    """The tags of a TIFF that hold the XMP packet."""
    tags = ImageFileDirectory_v2()
    tags[XMP_TAG] = XMP
    tags.tagtype[XMP_TAG] = TiffTags.BYTE
    return tags


def unusual_images() -> dict[str, Encoded]:
    """Orientation by XMP alone, and over it by EXIF; premultiplied alpha; 16 bits with white at zero."""
    rgb, rgba = eight_bit(43, 31, 60, "RGB"), eight_bit(37, 31, 61, "RGBA")
    gray16 = encode(Image.fromarray(sixteen_bit(45, 37, 62, 1)[:, :, 0]), "TIFF")
    rgba16 = sixteen_bit(33, 29, 63, 4)
    return {
        "jpeg_xmp_6.jpg": (encode(rgb, "JPEG", quality=90, xmp=XMP), True),
        "jpeg_xmp_6_exif_3.jpg": (encode(rgb, "JPEG", quality=90, xmp=XMP, exif=orientation(3)), True),
        "png_xmp_6.png": (encode(rgb, "PNG", pnginfo=xmp_in_png()), False),
        "tiff_xmp_6.tiff": (encode(rgb, "TIFF", tiffinfo=xmp_in_tiff()), False),
        "webp_xmp_6.webp": (encode(rgb, "WEBP", lossless=True, xmp=XMP), False),
        "tiff_premultiplied.tiff": (with_tiff_tag(encode(rgba, "TIFF"), EXTRA_SAMPLES_TAG, 1), False),
        "tiff_gray16_white_is_zero.tiff": (with_tiff_tag(gray16, PHOTOMETRIC_TAG, 0), False),
        "jpeg_xmp_6_exif_9.jpg": (encode(rgb, "JPEG", quality=90, xmp=XMP, exif=orientation(9)), True),
        "tiff_premultiplied16.tiff": (tiff_sixteen_bit(rgba16, photometric=2, extra=1), False),
    }


FAMILIES: tuple[Callable[[], dict[str, Encoded]], ...] = (
    png_images, jpeg_images, bmp_images, tiff_images, webp_images, unusual_images,
)


RESIZED: tuple[tuple[tuple[int, int], tuple[int, int]], ...] = (
    # Source and target, width x height: both shrunk (by more one way, then the other), both
    # enlarged, mixed, one side kept, thin, single pixels, and as the shipped model does it.
    ((97, 61), (24, 32)), ((61, 97), (32, 24)), ((90, 90), (30, 45)), ((64, 48), (32, 24)),
    ((11, 9), (24, 32)), ((5, 7), (40, 63)),
    ((97, 9), (24, 32)), ((9, 97), (24, 32)), ((25, 90), (24, 32)), ((40, 64), (24, 32)),
    ((41, 64), (24, 32)), ((24, 77), (24, 32)), ((77, 32), (24, 32)), ((24, 32), (24, 32)),
    ((1, 1), (5, 3)), ((1, 50), (8, 8)), ((50, 1), (8, 8)), ((2, 3), (1, 1)), ((300, 2), (7, 2)),
    ((500, 313), (52, 128)),
    # Where it shows that Pillow's constants of the Hamming window are of single precision.
    ((61, 203), (96, 160)),
)


def noise(width: int, height: int, channels: int) -> np.ndarray:
    """Noise with all its energy at the highest frequencies, and many values at both ends: uint8 ``[H, W, C]``.

    Sample i is the high byte of a multiplicative hash of i, spread from its middle; the Rust tests
    make the same.
    """
    hashed = np.arange(width * height * channels, dtype=np.uint32) * np.uint32(2654435761)
    hashed ^= hashed >> np.uint32(15)
    hashed *= np.uint32(2246822519)
    spread = (hashed >> np.uint32(24)).astype(np.int64) * 2 - 128
    return np.clip(spread, 0, 255).astype(np.uint8).reshape(height, width, channels)


def resized(filter: str, color: str, source: tuple[int, int], target: tuple[int, int]) -> dict[str, object]:
    """What Pillow makes of noise of one size in another."""
    pixels = noise(*source, channels=1 if color == "gray" else 3)
    image = Image.fromarray(pixels[:, :, 0] if color == "gray" else pixels)
    found = np.asarray(imaging.resize(image, *target, filter))
    return {
        "filter": filter,
        "color": color,
        "source": source,
        "target": target,
        "sum": int(found.sum(dtype=np.int64)),
        "first": found.reshape(-1)[:6].tolist(),
        "sha256": hashlib.sha256(found.tobytes()).hexdigest(),
        "properties": properties_of(found),
    }


def positions(width: int, height: int, rng: np.random.Generator) -> list[list[int]]:
    """Fixed `[x, y]` positions: the corners, then seeded ones."""
    corners = [[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]]
    drawn = SAMPLED_PIXELS - len(corners)
    return corners + np.stack([rng.integers(0, width, drawn), rng.integers(0, height, drawn)], 1).tolist()


def statistics(pixels: np.ndarray) -> dict[str, object]:
    """Mean, smallest and largest value of each channel of `[H, W]` or `[H, W, 3]`."""
    planes = pixels.reshape(-1, 1 if pixels.ndim == 2 else 3)
    return {
        "mean": [round(float(v), 6) for v in planes.mean(axis=0)],
        "min": planes.min(axis=0).tolist(),
        "max": planes.max(axis=0).tolist(),
    }


def single(value: float) -> float:
    """A float32 in its shortest decimal form that reads back to the same float32."""
    return float(str(np.float32(value)))


def properties_of(pixels: np.ndarray) -> list[float]:
    """The properties in their order, as float32."""
    return [single(value) for value in properties(pixels).values()]


def entry(data: bytes, lossy: bool, seed: int, session: onnxruntime.InferenceSession) -> dict[str, object]:
    """What the reference makes of one file."""
    rng = np.random.default_rng(seed)
    with Image.open(BytesIO(data)) as opened:
        stored_mode, stored_size = opened.mode, list(opened.size)
    gray = np.asarray(imaging.load(BytesIO(data), "gray"))
    rgb = np.asarray(imaging.load(BytesIO(data), "rgb"))
    height, width = gray.shape
    at = positions(width, height, rng)
    tensor = imaging.preprocess(BytesIO(data), PREPROCESSING)
    indices = np.sort(rng.choice(tensor.size, SAMPLED_VALUES, replace=False))
    probability, embedding = session.run(["probability", "embedding"], {"image": tensor[None]})
    return {
        "lossy": lossy,
        "pillow_mode": stored_mode,
        "stored_size": stored_size,
        "size": [width, height],
        "gray": statistics(gray) | {"values": [int(gray[y, x]) for x, y in at]},
        "rgb": statistics(rgb) | {"values": [rgb[y, x].tolist() for x, y in at]},
        "positions": at,
        "tensor": {
            "channel_mean": [single(v) for v in tensor.mean(axis=(1, 2), dtype=np.float64)],
            "indices": indices.tolist(),
            "values": [single(v) for v in tensor.reshape(-1)[indices]],
        },
        "properties": properties_of(imaging.load_resized(BytesIO(data), PREPROCESSING)),
        "probability": single(probability[0, 0]),
        "embedding": [single(v) for v in embedding[0]],
    }


def compact(value: object) -> str:
    """JSON on one line, without spaces."""
    return json.dumps(value, separators=(",", ":"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder that holds tiny.onnx")
    out = parser.parse_args().out
    folder = out / "images"
    folder.mkdir(parents=True, exist_ok=True)
    session = onnxruntime.InferenceSession(str(out / "tiny.onnx"), providers=["CPUExecutionProvider"])

    images = {name: encoded for family in FAMILIES for name, encoded in family().items()}
    for name, (data, _) in images.items():
        (folder / name).write_bytes(data)
    golden = {
        "about": "Written by scripts/train/make_golden_images.py; do not edit. "
        "positions are [x, y]; gray and rgb values are those pixels after loading; tensor values "
        "are at flat indices of the float32 [3, 32, 24] input of tiny.onnx; lossy marks formats "
        "on which two correct decoders may differ by a few gray levels. resized holds noise of the "
        "size source in the size target: its first values, sum and SHA-256 of its bytes. properties are "
        "those of the picture in the model's size, in the order of ImageProperties::NAMES.",
        "pillow": PIL.__version__,
        "onnxruntime": onnxruntime.__version__,
        "preprocessing": PREPROCESSING.as_metadata(),
        "resized": [
            resized(filter, color, source, target)
            for filter in imaging.RESAMPLING
            for color in ("gray", "rgb")
            for source, target in RESIZED
        ],
        "images": {
            name: entry(data, lossy, seed, session)
            for seed, (name, (data, lossy)) in enumerate(images.items())
        },
    }
    images = [f"{json.dumps(name)}:{compact(value)}" for name, value in golden.pop("images").items()]
    cases = [compact(case) for case in golden.pop("resized")]
    head = json.dumps(golden, indent=1)[:-2]
    (out / "golden.json").write_text(
        f'{head},\n "resized": [\n' + ",\n".join(cases) + '\n],\n "images": {\n' + ",\n".join(images) + "\n}}\n"
    )


if __name__ == "__main__":
    main()
