"""Draws a small file of every encoding in the README's table of images, and writes what Pillow makes of each.

    python make_format_files.py --out ../../crates/core/tests/data

Writes ``formats/*`` and ``formats.json``: for these and for ``images/*`` (see make_golden_images.py) whether
Pillow reads the file, and the SHA-256 of the RGB samples that training would see. A file put into ``formats`` by
hand gets its entry, too. The table's rows are in crates/core/tests/it/formats.rs.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from make_golden_images import eight_bit, encode, orientation, png_sixteen_bit, sixteen_bit, tiff_sixteen_bit
from sdd_train.data import imaging

WIDTH, HEIGHT = 23, 17


def picture(mode: str) -> Image.Image:
    if mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return eight_bit(WIDTH, HEIGHT, 5, mode)
    return eight_bit(WIDTH, HEIGHT, 5, "RGB").convert(mode)


def chunk(name: bytes, content: bytes, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", checksum)


def segment(code: int, content: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(content) + 2) + content


def exif(value: int) -> bytes:
    """Exif data without the prefix."""
    return orientation(value).tobytes().removeprefix(b"Exif\0\0")


def jpegs() -> dict[str, bytes]:
    whole = encode(picture("RGB"), "JPEG", quality=90)
    app0 = 4 + struct.unpack(">H", whole[4:6])[0]
    scan = whole.index(b"\xff\xda")
    data = exif(6)
    dpi = bytearray(whole[:app0])
    dpi[13] = 1
    return {
        "jpeg_411.jpg": encode(picture("RGB"), "JPEG", quality=90, subsampling="4:1:1"),
        "jpeg_restarts.jpg": encode(picture("RGB"), "JPEG", quality=90, restart_marker_blocks=1),
        "jpeg_two_exif_segments.jpg":
            whole[:app0] + b"".join(segment(0xE1, b"Exif\0\0" + part) for part in (data[:20], data[20:])) + whole[app0:],
        "jpeg_unreadable_exif.jpg": bytes(dpi) + segment(0xE1, b"Exif\0\0nothing to read") + whole[app0:],
        "jpeg_cut.jpg": whole[: scan + 60],
        "jpeg_no_end.jpg": whole[:-2],
        "jpeg_bytes_between.jpg": whole[:app0] + bytes(3) + whole[app0:],
        "jpeg_bytes_before_end.jpg": whole[:-2] + bytes(64) + whole[-2:],
        "jpeg_trailer.jpg": whole + b"what a phone appends",
        "jpeg_lossless.jpg": lossless_jpeg(np.asarray(picture("L"))),
        "jpeg_12_bits.jpg": header_of_frame(0xC1, bits=12),
        "jpeg_ls.jpg": header_of_frame(0xF7),
        "jpeg_hierarchical.jpg": header_of_frame(0xC5),
        "jpeg_two_components.jpg": header_of_frame(0xC0, components=2),
    }


def header_of_frame(code: int, bits: int = 8, components: int = 1) -> bytes:
    """A JPEG's start with a frame of this kind, and a scan that nobody gets to."""
    whole = encode(picture("L"), "JPEG", quality=90)
    frame, scan = whole.index(b"\xff\xc0"), whole.index(b"\xff\xda")
    parts = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    content = struct.pack(">BHHB", bits, HEIGHT, WIDTH, components) + parts
    return whole[:frame] + segment(code, content) + whole[whole.index(b"\xff\xc4") : scan] + whole[scan:]


def lossless_jpeg(pixels: np.ndarray) -> bytes:
    """uint8 ``[H, W]`` as a lossless JPEG, each sample as its difference to the one on its left (ITU-T T.81, annex H)."""
    levels = pixels.astype(int)
    before = np.empty_like(levels)
    before[:, 1:] = levels[:, :-1]
    before[1:, 0] = levels[:-1, 0]
    before[0, 0] = 128
    digits = ""
    for difference in (levels - before).ravel():
        # Nine categories with codes of four digits, and what follows of the difference itself.
        category = int(abs(difference)).bit_length()
        rest = difference if difference >= 0 else difference + (1 << category) - 1
        digits += f"{category:04b}" + (f"{rest:0{category}b}" if category else "")
    digits += "1" * (-len(digits) % 8)
    data = bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits), 8)).replace(b"\xff", b"\xff\0")
    height, width = pixels.shape
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])
    table = bytes([0, 0, 0, 0, 9]) + bytes(12) + bytes(range(9))
    scan = bytes([1, 1, 0, 1, 0, 0])
    return b"\xff\xd8" + segment(0xC3, frame) + segment(0xC4, table) + segment(0xDA, scan) + data + b"\xff\xd9"


def pngs() -> dict[str, bytes]:
    whole = encode(picture("RGB"), "PNG")
    idat, iend = whole.index(b"IDAT") - 4, whole.index(b"IEND") - 4
    packed = whole[idat + 8 : iend - 4]
    data = exif(6)
    profile = b"Raw profile type exif\0\nexif\n%8d\n%s\n" % (len(data), data.hex().encode())
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    bomb = chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(bytes(3 << 19)))
    control = struct.pack(">5L2H2B", 0, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)
    animation = chunk(b"acTL", struct.pack(">2L", 2, 0)) + chunk(b"fcTL", control)
    second = chunk(b"fcTL", struct.pack(">L", 1) + control[4:]) + chunk(b"fdAT", struct.pack(">L", 2) + packed)
    twelve = sixteen_bit(WIDTH, HEIGHT, 5, 1) >> 4
    return {
        "png_2bit.png": encode(picture("L").quantize(4), "PNG", bits=2),
        "png_palette_of_uneven_length.png": uneven_palette(),
        "png_gray_4bit.png": gray_png(4),
        "png_interlaced.png": interlaced(),
        "png_exif_behind.png": whole[:iend] + chunk(b"eXIf", data) + whole[iend:],
        "png_exif_profile.png": whole[:idat] + chunk(b"tEXt", profile) + whole[idat:],
        "png_exif_packed_profile.png":
            whole[:idat] + chunk(b"zTXt", profile[:22] + b"\0" + zlib.compress(profile[22:])) + whole[idat:],
        "png_xmp_text.png": whole[:iend] + chunk(b"tEXt", b"XML:com.adobe.xmp\0" + xmp) + whole[iend:],
        "png_unreadable_exif.png": whole[:idat] + chunk(b"eXIf", b"nothing to read") + whole[idat:],
        "png_bomb.png": whole[:iend] + bomb + whole[iend:],
        "png_bomb_comment.png": whole[:iend] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3 << 19))) + whole[iend:],
        "png_animated.png": whole[:idat] + animation + whole[idat:iend] + second + whole[iend:],
        "png_no_end.png": whole[:iend],
        "png_cut.png": whole[: idat + 200],
        "png_cut_metadata.png": whole[:iend] + chunk(b"eXIf", data)[:-10],
        "png_wrong_checksum_of_pixels.png": whole[:idat] + chunk(b"IDAT", packed, crc=1) + whole[iend:],
        "png_wrong_checksum_of_exif.png": whole[:idat] + chunk(b"eXIf", data, crc=1) + whole[idat:],
        "png_wrong_checksum_of_resolution.png": whole[:idat] + chunk(b"pHYs", bytes(9), crc=1) + whole[idat:],
        "png_wrong_adler.png": whole[:idat] + chunk(b"IDAT", packed[:-1] + bytes([packed[-1] ^ 1])) + whole[iend:],
        "png_12_in_16.png": png_sixteen_bit(twelve),
    }


def uneven_palette() -> bytes:
    """A palette with a byte behind its last color, which the picture uses, and a color that it lacks."""
    indices = (np.asarray(picture("L")) // 26).astype(np.uint8)
    colors = bytes(range(10, 10 + 3 * 9)) + b"\xc8"
    rows = b"".join(b"\0" + row.tobytes() for row in indices)
    header = struct.pack(">2L5B", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"PLTE", colors), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def gray_png(bits: int) -> bytes:
    """A gray PNG of fewer than 8 bits a sample, which Pillow does not write."""
    levels = np.asarray(picture("L")) >> (8 - bits)
    per_byte = 8 // bits
    padded = np.pad(levels, ((0, 0), (0, -WIDTH % per_byte))).reshape(HEIGHT, -1, per_byte)
    packed = sum(padded[:, :, at] << (8 - bits * (at + 1)) for at in range(per_byte)).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(">2L5B", WIDTH, HEIGHT, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def interlaced() -> bytes:
    pixels = np.asarray(picture("L"))
    passes = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
    rows = b"".join(
        b"\0" + row.tobytes() for y, dy, x, dx in passes for row in pixels[y::dy, x::dx] if row.size
    )
    header = struct.pack(">2L5B", WIDTH, HEIGHT, 8, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def bmp(
    bits: int, data: bytes, compression: int = 0, palette: bytes = b"", height: int = HEIGHT, masks: bytes = b""
) -> bytes:
    header = struct.pack("<LllHHLLllLL", 40, WIDTH, height, 1, bits, compression, len(data), 0, 0, len(palette) // 4, 0)
    start = 14 + len(header) + len(masks) + len(palette)
    return b"BM" + struct.pack("<LHHL", start + len(data), 0, 0, start) + header + masks + palette + data


def bmp_rows(pixels: np.ndarray) -> bytes:
    """uint8 ``[H, bytes]`` from the lowest row, each padded to four bytes."""
    return b"".join(row.tobytes() + bytes(-len(row.tobytes()) % 4) for row in pixels[::-1])


def bmps() -> dict[str, bytes]:
    gray = np.asarray(picture("L"))
    colors = np.asarray(picture("RGB"))[:, :, ::-1]
    grays = b"".join(bytes([level] * 3 + [0]) for level in range(256))
    sixteen_grays = b"".join(bytes([17 * level] * 3 + [0]) for level in range(16))
    blue, green, red = (colors[:, :, at].astype(np.uint16) >> 3 for at in range(3))
    sixteen = red << 10 | green << 5 | blue
    sixteen_rows = bmp_rows(np.ascontiguousarray(sixteen.astype("<u2")).view(np.uint8))
    runs = b"".join(bytes([WIDTH, int(row[0])]) + b"\0\0" for row in gray[::-1]) + b"\0\1"
    delta = bytes([WIDTH, 200]) + b"\0\0" + b"\0\2\2\1" + bytes([5, 90]) + b"\0\1"
    nibbles = b"".join(bytes([WIDTH, row[0] & 0xF0 | 3]) + b"\0\0" for row in gray[::-1]) + b"\0\1"
    with_alpha = np.dstack([colors, gray])
    opaque = np.dstack([colors, np.zeros_like(gray)])
    top_down = b"".join(row.tobytes() + bytes(-len(row.tobytes()) % 4) for row in colors)
    old = b"BM" + struct.pack("<LHHL", 26 + len(bmp_rows(colors.reshape(HEIGHT, -1))), 0, 0, 26)
    old += struct.pack("<LHHHH", 12, WIDTH, HEIGHT, 1, 24) + bmp_rows(colors.reshape(HEIGHT, -1))
    return {
        "bmp_1bit.bmp": encode(picture("1"), "BMP"),
        "bmp_4bit.bmp": bmp(4, bmp_rows(gray[:, ::2] & 0xF0 | gray[:, ::2] >> 4), palette=sixteen_grays),
        "bmp_16bit.bmp": bmp(16, sixteen_rows),
        "bmp_16bit_565.bmp": bmp(16, sixteen_rows, 3, masks=struct.pack("<3L", 0xF800, 0x7E0, 0x1F)),
        "bmp_32bit.bmp": bmp(32, bmp_rows(opaque.reshape(HEIGHT, -1))),
        "bmp_32bit_alpha.bmp": bmp(32, bmp_rows(with_alpha.reshape(HEIGHT, -1))),
        "bmp_32bit_masks.bmp":
            bmp(32, bmp_rows(opaque.reshape(HEIGHT, -1)), 3, masks=struct.pack("<3L", 0xFF0000, 0xFF00, 0xFF)),
        "bmp_top_down.bmp": bmp(24, top_down, height=-HEIGHT),
        "bmp_os2.bmp": old,
        "bmp_rle8.bmp": bmp(8, runs, 1, palette=grays),
        "bmp_rle8_delta.bmp": bmp(8, delta, 1, palette=grays),
        "bmp_rle4.bmp": bmp(4, nibbles, 2, palette=sixteen_grays),
        "bmp_no_size.bmp": bmp(24, bmp_rows(colors.reshape(HEIGHT, -1)), height=0),
        "bmp_cut.bmp": bmp(24, bmp_rows(colors.reshape(HEIGHT, -1)))[:-200],
    }


def tiffs() -> dict[str, bytes]:
    gray, color = picture("L"), picture("RGB")
    pixels = np.asarray(color).astype(np.uint16) << 8
    integers = Image.fromarray(np.asarray(gray).astype(np.int32))
    twelve_with_alpha = sixteen_bit(WIDTH, HEIGHT, 5, 4) >> 4
    twelve_with_alpha[:, :, 3] = 65535
    stack = io.BytesIO()
    gray.save(stack, "TIFF", save_all=True, append_images=[picture("RGB")])
    files = {
        "tiff_1bit.tiff": encode(picture("1"), "TIFF"),
        "tiff_1bit_group4.tiff": encode(picture("1"), "TIFF", compression="group4"),
        "tiff_palette.tiff": encode(picture("P"), "TIFF"),
        "tiff_gray_alpha.tiff": encode(picture("LA"), "TIFF"),
        "tiff_packbits.tiff": encode(color, "TIFF", compression="packbits"),
        "tiff_lzw_predictor.tiff": encode(color, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}),
        "tiff_jpeg.tiff": encode(color, "TIFF", compression="jpeg", quality=90),
        "tiff_lzma.tiff": encode(color, "TIFF", compression="lzma"),
        "tiff_zstd.tiff": encode(color, "TIFF", compression="zstd"),
        "tiff_big.tiff": encode(gray, "TIFF", big_tiff=True),
        "tiff_lab.tiff": encode(Image.frombytes("LAB", color.size, color.tobytes()), "TIFF"),
        "tiff_ycbcr.tiff": encode(picture("YCbCr"), "TIFF"),
        "tiff_32bit.tiff": encode(integers, "TIFF"),
        "tiff_float.tiff": encode(integers.convert("F"), "TIFF"),
        "tiff_rgb16.tiff": tiff_sixteen_bit(pixels, 2),
        "tiff_premultiplied_12_in_16.tiff": tiff_sixteen_bit(twelve_with_alpha, 2, 1),
        "tiff_12_in_16.tiff": tiff_sixteen_bit(sixteen_bit(WIDTH, HEIGHT, 5, 3) >> 4, 2),
        "tiff_pages.tiff": stack.getvalue(),
        "tiff_cut.tiff": tiff_sixteen_bit(pixels, 2)[:-100],
    }
    for name, layout in LAYOUTS.items():
        files[f"tiff_{name}.tiff"] = tiff(np.asarray(gray if layout.get("samples", 1) == 1 else color), **layout)
    return files


LAYOUTS: dict[str, dict[str, object]] = {
    "big_endian": {"endian": ">"},
    "strips": {"rows": 5},
    "tiles": {"tile": 16},
    "tiles_rgb": {"tile": 16, "samples": 3},
    "tiles_deflate": {"tile": 16, "compression": 8},
    "planar": {"samples": 3, "planar": True},
    "planar_tiles": {"tile": 16, "samples": 3, "planar": True},
    "deflate_planar": {"samples": 3, "planar": True, "compression": 8},
    "white_is_zero": {"photometric": 0},
    "fill_order_2": {"more": [(266, 3, 2)]},
    "gray_4bit": {"bits": 4},
    "gray_2bit": {"bits": 2},
}


def tiff(
    pixels: np.ndarray, endian: str = "<", rows: int = 0, tile: int = 0, samples: int = 1, planar: bool = False,
    compression: int = 1, photometric: int | None = None, bits: int = 8, more: list[tuple[int, int, int]] = (),
) -> bytes:
    """A TIFF of uint8 ``[H, W]`` or ``[H, W, 3]``, written by hand: Pillow chooses few layouts."""
    height, width = pixels.shape[:2]
    samples_of = pixels.reshape(height, width, -1)
    planes = [samples_of[:, :, at : at + 1] for at in range(samples)] if planar else [samples_of]
    parts = []
    for plane in planes:
        if tile:
            for y in range(0, height, tile):
                for x in range(0, width, tile):
                    block = np.zeros((tile, tile, plane.shape[2]), np.uint8)
                    found = plane[y : y + tile, x : x + tile]
                    block[: found.shape[0], : found.shape[1]] = found
                    parts.append(block)
        else:
            parts += [plane[y : y + (rows or height)] for y in range(0, height, rows or height)]
    encoded = [packed_samples(part, bits) for part in parts]
    if compression == 8:
        encoded = [zlib.compress(part) for part in encoded]
    offsets = list(np.cumsum([8] + [len(part) for part in encoded])[:-1])
    tags: dict[int, tuple[int, list[int]]] = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * samples), 259: (3, [compression]),
        262: (3, [photometric if photometric is not None else (1 if samples == 1 else 2)]), 277: (3, [samples]),
        284: (3, [2 if planar else 1]),
    }
    if tile:
        tags |= {322: (4, [tile]), 323: (4, [tile]), 324: (4, offsets), 325: (4, [len(part) for part in encoded])}
    else:
        tags |= {273: (4, offsets), 278: (4, [rows or height]), 279: (4, [len(part) for part in encoded])}
    tags |= {tag: (kind, [value]) for tag, kind, value in more}
    body = b"".join(encoded)
    body += bytes(len(body) % 2)
    start = 8 + len(body)
    after = start + 2 + 12 * len(tags) + 4
    directory, values = struct.pack(endian + "H", len(tags)), b""
    for tag, (kind, numbers) in sorted(tags.items()):
        content = struct.pack(endian + ("H" if kind == 3 else "L") * len(numbers), *numbers)
        directory += struct.pack(endian + "HHL", tag, kind, len(numbers))
        if len(content) <= 4:
            directory += content.ljust(4, b"\0")
        else:
            directory += struct.pack(endian + "L", after + len(values))
            values += content
    mark = b"II*\0" if endian == "<" else b"MM\0*"
    return mark + struct.pack(endian + "L", start) + body + directory + bytes(4) + values


def packed_samples(part: np.ndarray, bits: int) -> bytes:
    if bits == 8:
        return part.tobytes()
    per_byte = 8 // bits
    levels = np.pad(part[:, :, 0] >> (8 - bits), ((0, 0), (0, -part.shape[1] % per_byte)))
    levels = levels.reshape(part.shape[0], -1, per_byte)
    return sum(levels[:, :, at] << (8 - bits * (at + 1)) for at in range(per_byte)).astype(np.uint8).tobytes()


def webps() -> dict[str, bytes]:
    whole = encode(picture("RGB"), "WEBP", lossless=True)
    frames = io.BytesIO()
    picture("RGB").save(frames, "WEBP", save_all=True, append_images=[ImageOps.mirror(picture("RGB"))], lossless=True)
    length = struct.unpack("<L", whole[4:8])[0]
    return {
        "webp_exif.webp": encode(picture("RGB"), "WEBP", lossless=True, exif=orientation(6)),
        "webp_unreadable_exif.webp": encode(picture("RGB"), "WEBP", lossless=True, exif=b"Exif\0\0nothing to read"),
        "webp_animated.webp": frames.getvalue(),
        "webp_animated_part.webp": one_frame(picture("RGBA"), at=(4, 6), canvas=(41, 33)),
        "webp_animated_blended.webp": one_frame(picture("RGBA"), at=(0, 0), canvas=(WIDTH, HEIGHT)),
        "webp_announced_metadata.webp": announced_metadata(whole),
        "webp_size_too_large.webp": whole[:4] + struct.pack("<L", length + 100) + whole[8:],
        "webp_trailer.webp": whole + b"what a program appends",
        "webp_cut.webp": whole[:-60],
    }


def riff(chunks: list[tuple[bytes, bytes]]) -> bytes:
    body = b"WEBP" + b"".join(
        name + struct.pack("<L", len(data)) + data + bytes(len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<L", len(body)) + body


def extended_header(flags: int, width: int, height: int) -> bytes:
    return bytes([flags, 0, 0, 0]) + struct.pack("<L", width - 1)[:3] + struct.pack("<L", height - 1)[:3]


def one_frame(image: Image.Image, at: tuple[int, int], canvas: tuple[int, int]) -> bytes:
    """An animation of one image that is blended with the empty canvas, some of it transparent."""
    alpha = np.asarray(image.getchannel("A")).copy()
    alpha[: HEIGHT // 3] = 0
    image.putalpha(Image.fromarray(alpha))
    whole = encode(image, "WEBP", lossless=True, exact=True)
    place = b"".join(
        struct.pack("<L", value)[:3] for value in (at[0] // 2, at[1] // 2, image.width - 1, image.height - 1, 100)
    )
    frame = place + b"\0" + whole[whole.index(b"VP8L") :]
    return riff([(b"VP8X", extended_header(0x12, *canvas)), (b"ANIM", b"\xff" * 4 + b"\0\0"), (b"ANMF", frame)])


def announced_metadata(whole: bytes) -> bytes:
    """Flags of Exif and XMP, and neither."""
    start = whole.index(b"VP8L")
    length = struct.unpack("<L", whole[start + 4 : start + 8])[0]
    return riff([(b"VP8X", extended_header(0x0C, WIDTH, HEIGHT)), (b"VP8L", whole[start + 8 : start + 8 + length])])


def others() -> dict[str, bytes]:
    color = picture("RGB")
    return {
        "gif.gif": encode(color, "GIF"),
        "pnm_ppm.ppm": encode(color, "PPM"),
        "pnm_pgm.pgm": encode(picture("L"), "PPM"),
        "pnm_pbm.pbm": encode(picture("1"), "PPM"),
        "avif.avif": encode(color, "AVIF"),
        "heif.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64),
        "jpeg_2000.jp2": encode(color, "JPEG2000"),
        "ico.ico": encode(color, "ICO"),
        "tga.tga": encode(color, "TGA"),
        "dds.dds": encode(color, "DDS"),
        "psd.psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HLLHH", 3, HEIGHT, WIDTH, 8, 3) + bytes(64),
        "svg.svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "pdf.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
        "dicom.dcm": bytes(128) + b"DICM" + bytes(64),
        "hdr.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n" + bytes(4),
        "exr.exr": b"v/1\x01" + bytes(64),
        "qoi.qoi": b"qoif" + struct.pack(">2L2B", 1, 1, 3, 0) + b"\xfe\1\2\3" + bytes(7) + b"\1",
        "jpeg_xl.jxl": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(64),
    }


def verdict(data: bytes) -> dict[str, str]:
    """What Pillow makes of a file, and training of what it reads."""
    warnings.simplefilter("ignore")
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.load()
            ImageOps.exif_transpose(opened)
    except Exception as error:  # whatever a plugin raises
        return {"pillow": "refuses", "reason": type(error).__name__}
    try:
        pixels = imaging.load(io.BytesIO(data), "rgb")
    except ValueError:
        return {"pillow": "reads"}
    sha256 = hashlib.sha256(pixels.tobytes()).hexdigest()
    return {"pillow": "reads", "size": f"{pixels.width}x{pixels.height}", "sha256": sha256}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    (out / "formats").mkdir(parents=True, exist_ok=True)
    for make in (jpegs, pngs, bmps, tiffs, webps, others):
        for name, data in make().items():
            (out / "formats" / name).write_bytes(data)
    files = sorted(path for folder in ("formats", "images") for path in (out / folder).iterdir())
    verdicts = {f"{path.parent.name}/{path.name}": verdict(path.read_bytes()) for path in files}
    (out / "formats.json").write_text(json.dumps(verdicts, indent=1, sort_keys=True) + "\n")
    print(f"{len(verdicts)} files")


if __name__ == "__main__":
    main()
