"""check_parity.py with the shipped model, on the files of the Rust tests and on more than a hundred drawn here."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from make_golden_images import (
    EXTRA_SAMPLES_TAG, ORIENTATION_TAG, PHOTOMETRIC_TAG, XMP, encode, orientation, png_sixteen_bit,
    tiff_sixteen_bit, with_tiff_tag, xmp_in_png, xmp_in_tiff,
)
from programs import MODEL, ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import check_parity  # noqa: E402

IMAGES = ROOT / "crates" / "core" / "tests" / "data" / "images"
LIMITS = check_parity.Limits(probability=1e-3, embedding=1e-3)

# Older ones bring an older libjpeg-turbo and resize in another order: see programs.py.
same_decoder = pytest.mark.skipif(
    int(PIL.__version__.split(".")[0]) < 13, reason="pixels are those of Pillow 13"
)


def noise(width: int, height: int, channels: int, seed: int) -> np.ndarray:
    """A picture of the highest frequencies: noise, a checkerboard and edges, uint8 ``[H, W, C]``."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, channels))
    y, x = np.mgrid[0:height, 0:width]
    checkers = ((x + y) % 2 * 255)[:, :, None]
    left, upper = (x < width / 3)[:, :, None], (y < height / 4)[:, :, None]
    pixels = np.where(left, checkers, np.where(upper, pixels // 128 * 255, pixels))
    return pixels.astype(np.uint8)


def picture(mode: str, width: int, height: int, seed: int) -> Image.Image:
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    return Image.frombytes(mode, (width, height), noise(width, height, channels, seed).tobytes())


def of_many_sizes() -> dict[str, bytes]:
    """Single pixels, lines, odd sizes, extreme aspects, and the model's own size."""
    sizes = (
        (1, 1), (2, 2), (1, 300), (300, 1), (7, 5), (31, 33), (101, 211), (208, 512), (209, 513),
        (3000, 3), (3, 3000), (1200, 40), (40, 1900), (640, 480), (500, 1250),
    )
    files = {}
    for seed, (width, height) in enumerate(sizes):
        for mode in ("L", "RGB"):
            name = f"size_{width}x{height}_{mode}"
            files[f"{name}.png"] = encode(picture(mode, width, height, seed), "PNG")
            files[f"{name}.jpg"] = encode(picture(mode, width, height, seed), "JPEG", quality=92)
    return files


def of_jpeg() -> dict[str, bytes]:
    files = {}
    rgb, gray, cmyk = (picture(mode, 133, 187, 100) for mode in ("RGB", "L", "CMYK"))
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        for progressive in (False, True):
            name = f"jpeg_{subsampling.replace(':', '')}{'_progressive' * progressive}.jpg"
            files[name] = encode(rgb, "JPEG", quality=80, subsampling=subsampling, progressive=progressive)
    for quality in (5, 50, 100):
        files[f"jpeg_cmyk_{quality}.jpg"] = encode(cmyk, "JPEG", quality=quality)
        files[f"jpeg_gray_{quality}.jpg"] = encode(gray, "JPEG", quality=quality)
    files["jpeg_cmyk_progressive.jpg"] = encode(cmyk, "JPEG", quality=90, progressive=True)
    files["jpeg_gray_progressive.jpg"] = encode(gray, "JPEG", quality=90, progressive=True)
    files["jpeg_restarts.jpg"] = encode(rgb, "JPEG", quality=90, restart_marker_blocks=3)
    files["jpeg_of_rgb.jpg"] = encode(rgb, "JPEG", quality=90, keep_rgb=True)
    return files


def of_orientations() -> dict[str, bytes]:
    files = {}
    for value in range(1, 9):
        exif = orientation(value)
        files[f"turned_{value}.jpg"] = encode(picture("RGB", 91, 57, value), "JPEG", exif=exif)
        files[f"turned_{value}.png"] = encode(picture("L", 57, 91, value), "PNG", exif=exif)
        files[f"turned_{value}.tiff"] = encode(
            picture("RGB", 90, 58, value), "TIFF", tiffinfo={ORIENTATION_TAG: value}
        )
        files[f"turned_{value}.webp"] = encode(
            picture("RGB", 58, 90, value), "WEBP", lossless=True, exif=exif
        )
        files[f"turned_cmyk_{value}.jpg"] = encode(picture("CMYK", 61, 93, value), "JPEG", exif=exif)
    # As some programs write it: with what precedes it in a JPEG (Pillow takes one such away).
    prefixed = b"Exif\0\0" + orientation(8).tobytes()
    files["turned_prefixed.webp"] = encode(picture("RGB", 58, 90, 9), "WEBP", lossless=True, exif=prefixed)
    # A tag that says nothing, and yet the XMP packet, which says 6, is not asked.
    for value in (0, 9):
        exif, tags = orientation(value), xmp_in_tiff()
        tags[ORIENTATION_TAG] = value
        rgb, name = picture("RGB", 91, 57, value), f"not_turned_{value}"
        files[f"{name}.jpg"] = encode(rgb, "JPEG", exif=exif, xmp=XMP)
        files[f"{name}.png"] = encode(rgb, "PNG", exif=exif, pnginfo=xmp_in_png())
        files[f"{name}.tiff"] = encode(rgb, "TIFF", tiffinfo=tags)
        files[f"{name}.webp"] = encode(rgb, "WEBP", lossless=True, exif=exif, xmp=XMP)
    return files


def of_other_kinds() -> dict[str, bytes]:
    files = {}
    for mode in ("L", "LA", "RGB", "RGBA"):
        files[f"png_{mode}.png"] = encode(picture(mode, 150, 211, 200), "PNG")
    for channels in (1, 2, 3, 4):
        # Both bytes are noise, so that it matters which is taken.
        high, low = (noise(97, 83, channels, seed).astype(np.uint16) for seed in (201, 202))
        files[f"png_16_bit_{channels}.png"] = png_sixteen_bit(high << 8 | low)
    high, low = (noise(97, 83, 4, seed).astype(np.uint16) for seed in (203, 204))
    files["tiff_16_bit_rgb.tiff"] = tiff_sixteen_bit((high << 8 | low)[:, :, :3], photometric=2)
    files["tiff_16_bit_cmyk.tiff"] = tiff_sixteen_bit(high << 8 | low, photometric=5)
    files["tiff_16_bit_gray.tiff"] = encode(Image.fromarray((high << 8 | low)[:, :, 0].copy()), "TIFF")
    palette = picture("RGB", 120, 140, 205).quantize(200)
    files["palette.png"] = encode(palette, "PNG")
    files["palette_transparent.png"] = encode(palette, "PNG", transparency=7)
    files["palette.bmp"] = encode(palette, "BMP")
    one_bit = picture("L", 131, 77, 206).convert("1")
    files["one_bit.png"], files["one_bit.tiff"] = encode(one_bit, "PNG"), encode(one_bit, "TIFF")
    for mode in ("L", "RGB"):
        files[f"bmp_{mode}.bmp"] = encode(picture(mode, 131, 77, 207), "BMP")
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        for mode in ("L", "RGB", "RGBA", "CMYK"):
            name = f"tiff_{compression or 'raw'}_{mode}.tiff"
            files[name] = encode(picture(mode, 99, 151, 208), "TIFF", compression=compression)
    for name, photometric in (("black", 1), ("white", 0)):
        gray = with_tiff_tag(encode(picture("L", 77, 59, 210), "TIFF"), PHOTOMETRIC_TAG, photometric)
        files[f"tiff_{name}_is_zero.tiff"] = gray
    for extra in (0, 1, 2):
        rgba = encode(picture("RGBA", 77, 59, 211), "TIFF")
        files[f"tiff_alpha_of_kind_{extra}.tiff"] = with_tiff_tag(rgba, EXTRA_SAMPLES_TAG, extra)
        files[f"tiff_16_bit_alpha_of_kind_{extra}.tiff"] = tiff_sixteen_bit(high << 8 | low, photometric=2, extra=extra)
    for mode in ("RGB", "RGBA"):
        files[f"webp_{mode}_lossless.webp"] = encode(picture(mode, 99, 151, 209), "WEBP", lossless=True, exact=True)
        for quality in (10, 80, 100):
            files[f"webp_{mode}_{quality}.webp"] = encode(picture(mode, 99, 151, 209), "WEBP", quality=quality)
    return files


@same_decoder
def test_every_kind_of_image_is_answered_as_python_answers(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    files = of_many_sizes() | of_jpeg() | of_orientations() | of_other_kinds()
    assert len(files) >= 100
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    comparisons = check_parity.compare([IMAGES, tmp_path], MODEL, check_parity.DRIFT_INDEX)
    print(check_parity.report(comparisons, LIMITS, worst=10))
    assert len(comparisons) == len(files) + len(list(IMAGES.iterdir()))
    assert all(comparison.answered for comparison in comparisons), capsys.readouterr().out
    assert check_parity.agree(comparisons, LIMITS, strict=True), capsys.readouterr().out
    # They are not all one answer: a comparison that always gave the same would agree, too.
    assert len({comparison.ours.probabilities.tobytes() for comparison in comparisons}) > len(files) / 2


def test_a_difference_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(picture("RGB", 90, 70, 1), "PNG"))
    (comparison,) = check_parity.compare([tmp_path], MODEL, check_parity.DRIFT_INDEX)
    shifted = check_parity.Answer(comparison.ours.probabilities, comparison.ours.embedding * 1.01)
    other = check_parity.Comparison(comparison.path, comparison.kind, shifted, comparison.theirs)
    assert check_parity.agree([comparison], LIMITS, strict=True)
    assert not check_parity.agree([comparison, other], LIMITS, strict=False)
    assert other.embedding == pytest.approx(0.01, rel=0.01)
    assert check_parity.report([comparison, other], LIMITS, worst=1).count("TOO FAR") == 1


def test_what_one_side_refuses_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    good = encode(picture("RGB", 90, 70, 2), "PNG")
    (tmp_path / "good.png").write_bytes(good)
    (tmp_path / "cut.png").write_bytes(good[: len(good) // 2])
    # Pillow opens what it recognizes, whatever the name says.
    (tmp_path / "gif.png").write_bytes(encode(picture("L", 20, 20, 3), "GIF"))
    assert check_parity.main([str(tmp_path)]) == check_parity.AGREE
    said = capsys.readouterr().out
    assert "1 of 3 images answered by both" in said
    assert "accepted by Pillow, refused by us: 1" in said and "unsupported_image: " in said
    assert "refused by both: 1" in said and "damaged_image: " in said
    assert check_parity.main([str(tmp_path), "--strict"]) == check_parity.DIFFER


def test_what_only_we_accept_is_a_failure(tmp_path: Path) -> None:
    ours = check_parity.Answer(np.array([0.5, 0.5]), np.ones(3))
    theirs = check_parity.Answer(refusal="OSError: broken")
    comparison = check_parity.Comparison(tmp_path / "a.png", "PNG L", ours, theirs)
    assert not check_parity.agree([comparison], LIMITS, strict=False)
    assert "REFUSED BY PILLOW, ACCEPTED BY US: 1" in check_parity.report([comparison], LIMITS, worst=10)


def test_a_number_that_is_none_is_a_difference(tmp_path: Path) -> None:
    ours, theirs = (check_parity.Answer(np.array([p, 1 - p]), np.ones(3)) for p in (np.nan, 0.5))
    assert not check_parity.agree([check_parity.Comparison(tmp_path, "", ours, theirs)], LIMITS, strict=False)


@pytest.mark.parametrize(
    "arguments",
    [["/nowhere/at/all"], ["EMPTY"], ["IMAGES", "--drift-index", "/nowhere"], ["IMAGES", "--model", "/nowhere.onnx"]],
)
def test_where_nothing_is_compared_the_exit_code_says_so(arguments: list[str], tmp_path: Path) -> None:
    folders = {"EMPTY": str(tmp_path), "IMAGES": str(IMAGES)}
    assert check_parity.main([folders.get(argument, argument) for argument in arguments]) == check_parity.FAILED


def test_images_that_nobody_can_read_are_no_agreement(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").touch()
    assert check_parity.main([str(tmp_path)]) == check_parity.FAILED


@pytest.mark.parametrize(
    "answer", ["[]", '{"results": [{}], "rows": 1}', '{"results": [{"error": null}], "rows": 0}', "\\377"]
)
def test_a_program_that_is_not_drift_index_is_an_error(answer: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nprintf '{answer}'\n")
    program.chmod(0o755)
    (tmp_path / "a.png").write_bytes(encode(picture("L", 9, 9, 1), "PNG"))
    assert check_parity.main([str(tmp_path / "a.png"), "--drift-index", str(program)]) == check_parity.FAILED


def test_wrong_usage_is_an_error() -> None:
    for arguments in ([], [str(IMAGES), "--max-probability", "0"], [str(IMAGES), "--max-embedding", "nan"]):
        with pytest.raises(SystemExit) as ended:
            check_parity.main(arguments)
        assert ended.value.code == check_parity.FAILED
