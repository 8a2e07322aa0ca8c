"""The reference loader on every kind of image the service accepts."""

import re
from io import BytesIO
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from make_golden_images import orientation, png_sixteen_bit, tiff_sixteen_bit
from sdd_train.data import imaging
from sdd_train.data.imaging import Preprocessing

RNG = np.random.default_rng(0)


def encoded(image: Image.Image, format: str, **options: object) -> BytesIO:
    buffer = BytesIO()
    image.save(buffer, format=format, **options)
    buffer.seek(0)
    return buffer


def test_sixteen_bit_gray_keeps_the_high_byte():
    pixels = RNG.integers(0, 65536, (7, 5, 1), dtype=np.uint16)
    loaded = imaging.load(BytesIO(png_sixteen_bit(pixels)), "gray")
    assert np.array_equal(np.asarray(loaded), (pixels[:, :, 0] >> 8).astype(np.uint8))


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_color_keeps_the_high_byte(channels):
    pixels = RNG.integers(0, 65536, (7, 5, channels), dtype=np.uint16)
    loaded = imaging.load(BytesIO(png_sixteen_bit(pixels)), "rgb")
    assert np.array_equal(np.asarray(loaded), (pixels[:, :, :3] >> 8).astype(np.uint8))


def test_sixteen_bit_tiff_is_not_clipped():
    pixels = np.full((4, 4), 0x8001, dtype=np.uint16)
    loaded = imaging.load(encoded(Image.fromarray(pixels), "TIFF"), "gray")
    assert np.asarray(loaded).tolist() == [[0x80] * 4] * 4


def test_floating_point_image_is_refused():
    with pytest.raises(ValueError, match="8 or 16 bits"):
        imaging.load(encoded(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"), "gray")


def test_alpha_is_dropped_not_blended():
    pixels = RNG.integers(0, 256, (6, 4, 4), dtype=np.uint8)
    loaded = imaging.load(encoded(Image.fromarray(pixels), "PNG"), "rgb")
    assert np.array_equal(np.asarray(loaded), pixels[:, :, :3])


def test_gray_of_color_is_the_documented_sum():
    pixels = RNG.integers(0, 256, (6, 4, 3), dtype=np.uint8)
    red, green, blue = pixels.astype(np.uint32).transpose(2, 0, 1)
    expected = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    loaded = imaging.load(encoded(Image.fromarray(pixels), "PNG"), "gray")
    assert np.array_equal(np.asarray(loaded), expected)


def test_cmyk_is_the_documented_product():
    pixels = RNG.integers(0, 256, (6, 4, 4), dtype=np.uint8)
    image = Image.frombytes("CMYK", (4, 6), pixels.tobytes())
    light = 255 - pixels[:, :, 3:].astype(int)
    expected = light - np.floor(pixels[:, :, :3] * light / 255 + 0.5).astype(int)
    assert np.array_equal(np.asarray(imaging.load(encoded(image, "TIFF"), "rgb")), expected)


@pytest.mark.parametrize(
    ("value", "upright"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.T),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].T),
        (8, lambda a: np.rot90(a)),
    ],
)
def test_exif_orientation_is_applied(value, upright):
    pixels = RNG.integers(0, 256, (5, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(pixels), "PNG", exif=orientation(value))
    assert np.array_equal(np.asarray(imaging.load(data, "gray")), upright(pixels))


def test_one_bit_and_palette_become_full_range():
    stripes = np.zeros((4, 4), dtype=bool)
    stripes[::2] = True
    one_bit = imaging.load(encoded(Image.fromarray(stripes), "PNG"), "gray")
    assert np.asarray(one_bit)[:, 0].tolist() == [255, 0, 255, 0]
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    loaded = np.asarray(imaging.load(encoded(palette, "PNG"), "rgb"))
    assert loaded.tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_gray_tensor_is_replicated_and_normalized():
    preprocessing = Preprocessing(width=4, height=6, mean=(0.5,) * 3, std=(0.25,) * 3)
    tensor = imaging.preprocess(encoded(Image.new("L", (9, 7), 51), "PNG"), preprocessing)
    assert tensor.shape == (3, 6, 4) and tensor.dtype == np.float32
    assert np.allclose(tensor, (51 / 255 - 0.5) / 0.25, atol=1e-6)


def test_filters_are_those_of_the_rust_service():
    spec = (Path(__file__).parents[3] / "crates" / "core" / "src" / "spec.rs").read_text()
    variants = re.search(r"pub enum Filter \{(.*?)\n\}", spec, re.DOTALL)[1]
    served = re.findall(r"^\s*(\w+),$", variants, re.MULTILINE)
    assert len(served) == 5
    assert sorted(imaging.RESAMPLING) == sorted(name.lower() for name in served)
    assert set(get_args(imaging.Filter)) == set(imaging.RESAMPLING)
    for name in imaging.RESAMPLING:
        preprocessing = Preprocessing(width=4, height=6, filter=name)
        assert Preprocessing.from_metadata(preprocessing.as_metadata()) == preprocessing
    refused = Preprocessing(width=4, height=6).as_metadata() | {"filter": "nearest"}
    with pytest.raises(ValueError, match="nearest"):
        Preprocessing.from_metadata(refused)


def test_preprocessing_survives_its_metadata():
    preprocessing = Preprocessing(width=4, height=6, color="rgb", filter="lanczos", scale=1.0)
    assert Preprocessing.from_metadata(preprocessing.as_metadata()) == preprocessing


# By name: what encodes uint16 ``[H, W, C]``, and the number of channels.
SIXTEEN_BIT = {
    "png gray": (png_sixteen_bit, 1),
    "png gray and alpha": (png_sixteen_bit, 2),
    "png rgb": (png_sixteen_bit, 3),
    "png rgba": (png_sixteen_bit, 4),
    "tiff gray": (lambda pixels: encoded(Image.fromarray(pixels[:, :, 0]), "TIFF").getvalue(), 1),
    "tiff premultiplied": (lambda pixels: tiff_sixteen_bit(pixels, 2, 1), 4),
}


@pytest.mark.parametrize("kind", SIXTEEN_BIT)
def test_the_highest_of_the_stated_bits_are_taken(kind):
    encode, channels = SIXTEEN_BIT[kind]
    pixels = RNG.integers(0, 4096, (7, 5, channels), dtype=np.uint16)
    pixels[0, 0, 0] = 4095
    if channels in (2, 4):
        pixels[:, :, -1] = 4095
    data = BytesIO(encode(pixels))
    loaded = np.asarray(imaging.load(data, "rgb", bit_depth=12))
    colors = pixels[:, :, :3] if channels > 2 else pixels[:, :, :1]
    assert np.array_equal(loaded, np.broadcast_to(colors >> 4, (7, 5, 3)))
    assert np.asarray(imaging.load(data, "rgb", bit_depth=16)).max() == 15 or kind == "tiff premultiplied"
    with pytest.raises(ValueError, match="bit_depth"):
        imaging.load(data, "rgb")
    with pytest.raises(ValueError, match="11 bits"):
        imaging.load(data, "rgb", bit_depth=11)


def test_an_alpha_says_nothing_of_the_bits_that_colors_have():
    pixels = RNG.integers(0, 4096, (7, 5, 4), dtype=np.uint16)
    pixels[:, :, 3] = 65535
    for data in (BytesIO(png_sixteen_bit(pixels)), BytesIO(tiff_sixteen_bit(pixels, 2, 1))):
        with pytest.raises(ValueError, match="may be one of 12 bits"):
            imaging.load(data, "rgb")
    # Premultiplied it has to be of as many bits, or the colors could not be divided by it.
    with pytest.raises(ValueError, match="65535, more than the stated 12 bits"):
        imaging.load(data, "rgb", bit_depth=12)
    assert np.asarray(imaging.load(data, "rgb", bit_depth=16)).max() <= 15


def test_a_picture_of_sixteen_bits_is_read_as_pillow_reads_it():
    pixels = RNG.integers(0, 65536, (7, 5, 4), dtype=np.uint16)
    black = np.zeros((7, 5, 3), dtype=np.uint16)
    for data in (png_sixteen_bit(pixels), tiff_sixteen_bit(pixels, 2, 1), png_sixteen_bit(black)):
        with Image.open(BytesIO(data)) as opened:
            expected = np.asarray(opened.convert("RGB"))
        assert np.array_equal(np.asarray(imaging.load(BytesIO(data), "rgb")), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "I;16", "CMYK", "RGB"])
def test_a_turned_tiff_is_the_same_by_path_file_and_bytes(mode, orientation, tmp_path):
    channels = {"CMYK": 4, "RGB": 3}.get(mode, 1)
    kind = np.uint16 if mode == "I;16" else np.uint8
    pixels = RNG.integers(np.iinfo(kind).max // 2, np.iinfo(kind).max, (9, 14, channels), dtype=kind)
    image = Image.frombytes(mode, (14, 9), pixels.tobytes())
    path = tmp_path / "turned.tif"
    image.save(path, tiffinfo={274: orientation})
    bytes_alone = np.asarray(imaging.load(BytesIO(path.read_bytes()), "rgb"))
    assert bytes_alone.shape[:2] == ((14, 9) if orientation > 4 else (9, 14))
    assert np.array_equal(np.asarray(imaging.load(path, "rgb")), bytes_alone)
    assert np.array_equal(np.asarray(imaging.load(str(path), "rgb")), bytes_alone)
    with path.open("rb") as file:
        assert np.array_equal(np.asarray(imaging.load(file, "rgb")), bytes_alone)
    path.write_bytes(encoded(image, "TIFF").getvalue())
    method = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)
    stored = imaging.load(path, "rgb")
    upright = stored if method is None else stored.transpose(method)
    assert np.array_equal(np.asarray(upright), bytes_alone)
