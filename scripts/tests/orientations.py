"""Small files that say in many ways, right and wrong ones, how they are to be turned."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

ORIENTATION, XMP_TAG = 274, 700
BYTE, ASCII, SHORT, LONG, RATIONAL, SIGNED_BYTE, UNDEFINED = 1, 2, 3, 4, 5, 6, 7
SIGNED_SHORT, SIGNED_LONG, SIGNED_RATIONAL, FLOAT, DOUBLE, IFD, LONG8 = 8, 9, 10, 11, 12, 13, 16
_CODES = {
    BYTE: "B", SHORT: "H", LONG: "L", SIGNED_BYTE: "b", SIGNED_SHORT: "h", SIGNED_LONG: "l",
    FLOAT: "f", DOUBLE: "d", IFD: "L", LONG8: "Q", 17: "q", 99: "B",
}
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
_ENDIANS = ("<", ">")

# Number, type, count, the values' bytes.
Entry = tuple[int, int, int, bytes]
Picture = Callable[..., bytes]


def entry(endian: str, value: object, kind: int = SHORT, count: int | None = None, tag: int = ORIENTATION) -> Entry:
    """A tag of one value (or a tuple of several)."""
    if kind in (ASCII, UNDEFINED) or isinstance(value, bytes):
        data = value
        length = len(value)
    elif kind in (RATIONAL, SIGNED_RATIONAL):
        data, length = struct.pack(endian + ("2L" if kind == RATIONAL else "2l"), *value), 1
    else:
        values = value if isinstance(value, tuple) else (value,)
        data, length = struct.pack(endian + _CODES[kind] * len(values), *values), len(values)
    return tag, kind, length if count is None else count, data


def exif(endian: str, entries: list[Entry], magic: bytes | None = None, at: int = 8, count: int | None = None) -> bytes:
    """Exif data with these tags in the directory at ``at``; long values follow it."""
    mark = b"II" if endian == "<" else b"MM"
    head = (magic or mark + struct.pack(endian + "H", 42)) + struct.pack(endian + "L", at)
    directory = struct.pack(endian + "H", len(entries) if count is None else count)
    long_values = b""
    place = at + 2 + 12 * len(entries) + 4
    for tag, kind, length, data in entries:
        directory += struct.pack(endian + "HHL", tag, kind, length)
        if len(data) <= 4:
            directory += data.ljust(4, b"\0")
        else:
            directory += struct.pack(endian + "L", place + len(long_values))
            long_values += data
    return head.ljust(at, b"\0") + directory + bytes(4) + long_values


def exif_variants() -> Iterator[tuple[str, bytes]]:
    """Exif data by a name: all that may be wrong with them."""
    for endian in _ENDIANS:
        side = "le" if endian == "<" else "be"
        for value in (*range(1, 9), 0, 9, 255, 256, 0x600):
            yield f"{side}_{value}", exif(endian, [entry(endian, value)])
        for value in (1, 3, 6, 8, 0x60006):
            yield f"{side}_long_{value}", exif(endian, [entry(endian, value, LONG)])
        for kind in (BYTE, SIGNED_BYTE, SIGNED_SHORT, SIGNED_LONG, FLOAT, DOUBLE, IFD, LONG8, 17, 99):
            yield f"{side}_kind_{kind}", exif(endian, [entry(endian, 6, kind)])
        for kind in (SIGNED_BYTE, SIGNED_SHORT, SIGNED_LONG):
            yield f"{side}_negative_{kind}", exif(endian, [entry(endian, -6, kind)])
        yield f"{side}_float", exif(endian, [entry(endian, 6.5, FLOAT)])
        for value in ((6, 1), (12, 2), (13, 2), (6, 0), (0, 0)):
            yield f"{side}_rational_{value[0]}_{value[1]}", exif(endian, [entry(endian, value, RATIONAL)])
        yield f"{side}_signed_rational", exif(endian, [entry(endian, (-6, -1), SIGNED_RATIONAL)])
        for kind, value in ((ASCII, b"6"), (ASCII, b"6\0"), (UNDEFINED, b"\x06"), (UNDEFINED, b"\0\x06")):
            yield f"{side}_text_{kind}_{len(value)}", exif(endian, [entry(endian, value, kind)])
        yield f"{side}_several", exif(endian, [entry(endian, (6, 1))])
        yield f"{side}_many", exif(endian, [entry(endian, (6, 1, 1, 1))])
        yield f"{side}_none", exif(endian, [entry(endian, 6, count=0)])
        yield f"{side}_huge_count", exif(endian, [entry(endian, 6, count=2**32 - 1)])
        yield f"{side}_beyond", exif(endian, [(ORIENTATION, SHORT, 4, struct.pack(endian + "L", 60000))])
        yield f"{side}_empty_directory", exif(endian, [])
        yield f"{side}_other_tag", exif(endian, [entry(endian, 6, tag=275)])
        yield f"{side}_twice", exif(endian, [entry(endian, 6), entry(endian, 3)])
        yield f"{side}_odd_then_good", exif(endian, [entry(endian, 6, 17), entry(endian, 3)])
        yield f"{side}_bytes_then_good", exif(endian, [entry(endian, 6, BYTE), entry(endian, 3)])
        yield f"{side}_none_then_good", exif(endian, [entry(endian, 6, count=0), entry(endian, 3)])
        yield f"{side}_count_too_large", exif(endian, [entry(endian, 6)], count=400)
        yield f"{side}_count_too_small", exif(endian, [entry(endian, 1, tag=300), entry(endian, 6)], count=1)
        yield f"{side}_cut_value_before", exif(endian, [(300, BYTE, 40, struct.pack(endian + "L", 60)), entry(endian, 6)])
        yield f"{side}_large_value_before", exif(endian, [(300, BYTE, 9000, bytes(4)), entry(endian, 6)])
        yield f"{side}_large_then_long", exif(endian, [(300, BYTE, 9000, bytes(4)), entry(endian, (6, 1, 1))])
        yield f"{side}_long_values", exif(endian, [entry(endian, bytes(30), UNDEFINED, tag=305), entry(endian, 6)])
        yield f"{side}_far", exif(endian, [entry(endian, 6)], at=200)
        yield f"{side}_directory_beyond", exif(endian, [])[:4] + struct.pack(endian + "L", 5000)
        yield f"{side}_directory_in_header", exif(endian, [entry(endian, 6)])[:4] + struct.pack(endian + "L", 0) + b"\1\0"
        whole = exif(endian, [entry(endian, 6)])
        for length in (0, 1, 3, 4, 7, 8, 9, 10, 15, 21, 22, 23, 26):
            yield f"{side}_cut_{length}", whole[:length]
        for count in (1, 2, 3):
            yield f"{side}_prefixed_{count}", b"Exif\0\0" * count + whole
        for number, magic in enumerate((b"MM\x2a\0", b"II\0\x2a", b"MM\0\x2b", b"II\x2b\0", b"IM\x2a\0", b"\0\0\0\0")):
            yield f"{side}_magic_{number}", exif(endian, [entry(endian, 6)], magic=magic)
        resolution = [entry(endian, 2, tag=0x128), entry(endian, (72, 1), RATIONAL, tag=0x11A)]
        yield f"{side}_resolution", exif(endian, [*resolution, entry(endian, 6)])


def xmp_variants() -> Iterator[tuple[str, bytes]]:
    """XMP packets by a name."""
    for value in range(10):
        yield f"attribute_{value}", b'<x:xmpmeta tiff:Orientation="%d"/>' % value
    yield "element", b"<tiff:Orientation>6</tiff:Orientation>"
    yield "quotes", b"<x tiff:Orientation='6'/>"
    yield "second", b"tiff:Orientation tiff:Orientation=\"x\" tiff:Orientation=\"8\" tiff:Orientation=\"6\""
    yield "many_digits", b'<x tiff:Orientation="62"/>'
    yield "other", b'<x exif:Orientation="6"/>'
    yield "not_utf8", b'\xff\xfe<x tiff:Orientation="6"/>'
    yield "zeros", b'\0<x tiff:Orientation="6"/>\0'
    yield "empty", b""


def pixels() -> np.ndarray:
    """A picture without symmetry, wider than high, uint8 ``[H, W, 3]``."""
    y, x = np.mgrid[0:24, 0:40]
    return np.stack([x * 6, y * 10, (x * y) % 251], axis=2).astype(np.uint8)


def encoded(format: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, format, **options)
    return file.getvalue()


def segment(code: int, content: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(content) + 2) + content


def jpeg(*segments: bytes, dpi: bool = False, behind: bytes = b"") -> bytes:
    """A JPEG with these before its tables, and with ``behind`` after the first scan's header."""
    whole = encoded("JPEG", quality=90)
    app0_end = 4 + struct.unpack(">H", whole[4:6])[0]
    app0 = bytearray(whole[2:app0_end])
    app0[11] = int(dpi)
    if dpi:
        app0[12:16] = struct.pack(">2H", 72, 72)
    return whole[:2] + bytes(app0) + b"".join(segments) + whole[app0_end:] + behind


def app1(data: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + data)


def chunk(name: bytes, content: bytes, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", checksum)


_PNG = encoded("PNG")
_IDAT, _IEND = _PNG.index(b"IDAT") - 4, _PNG.index(b"IEND") - 4


def png(before: bytes = b"", behind: bytes = b"", end: bytes = _PNG[_IEND:]) -> bytes:
    return _PNG[:_IDAT] + before + _PNG[_IDAT:_IEND] + behind + end


def text(key: bytes, value: bytes) -> bytes:
    return chunk(b"tEXt", key + b"\0" + value)


def packed_text(key: bytes, value: bytes, method: int = 0) -> bytes:
    return chunk(b"zTXt", key + b"\0" + bytes([method]) + zlib.compress(value))


def international(
    key: bytes, value: bytes, packed: bool = False, method: int = 0, names: bytes = b"en\0key\0"
) -> bytes:
    data = zlib.compress(value) if packed else value
    return chunk(b"iTXt", key + b"\0" + bytes([packed, method]) + names + data)


def profile(data: bytes, wide: int = 72, name: bytes = b"exif") -> bytes:
    digits = data.hex()
    lines = "\n".join(digits[at : at + wide] for at in range(0, len(digits), wide))
    return b"\n" + name + b"\n%8d\n" % len(data) + lines.encode() + b"\n"


_RIFF = encoded("WEBP", lossless=True)


def webp(exif_data: bytes | None = None, xmp: bytes | None = None, flags: int | None = None, extra: bytes = b"",
         first: bool = False, size: int = 0) -> bytes:
    """An extended WebP, by default with the flags of what is in it."""
    chunks = [riff_chunk(name, data) for name, data in ((b"EXIF", exif_data), (b"XMP ", xmp)) if data is not None]
    set_flags = (8 if exif_data is not None else 0) | (4 if xmp is not None else 0)
    size_less_one = struct.pack("<L", 39)[:3] + struct.pack("<L", 23)[:3]
    header = bytes([set_flags if flags is None else flags, 0, 0, 0]) + size_less_one
    metadata = b"".join(chunks) + extra
    image = _RIFF[12:]
    body = b"WEBP" + riff_chunk(b"VP8X", header) + (metadata + image if first else image + metadata)
    return b"RIFF" + struct.pack("<L", len(body) + size) + body


def riff_chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<L", len(data)) + data + bytes(len(data) % 2)


def tiff(endian: str, entries: list[Entry], wide: bool = False) -> bytes:
    """An uncompressed RGB TIFF with these tags as well, in the order of their numbers."""
    data = pixels().tobytes()
    count_code, offset_code, inline = ("Q", "Q", 8) if wide else ("L", "L", 4)
    tags = [
        entry(endian, 40, tag=256), entry(endian, 24, tag=257), entry(endian, (8, 8, 8), tag=258),
        entry(endian, 1, tag=259), entry(endian, 2, tag=262), entry(endian, 0, LONG, tag=273), entry(endian, 3, tag=277),
        entry(endian, 24, tag=278), entry(endian, len(data), LONG, tag=279), *entries,
    ]
    tags.sort(key=lambda item: item[0])
    mark = b"II" if endian == "<" else b"MM"
    head = mark + (struct.pack(endian + "HHHQ", 43, 8, 0, 16) if wide else struct.pack(endian + "HL", 42, 8))
    directory = struct.pack(endian + ("Q" if wide else "H"), len(tags))
    place = len(head) + len(directory) + len(tags) * (20 if wide else 12) + (8 if wide else 4)
    values = b""
    for tag, kind, length, value in tags:
        if tag == 273:
            value = struct.pack(endian + "L", place + sum(len(v) for _, _, _, v in tags if len(v) > inline))
        directory += struct.pack(endian + "HH" + count_code, tag, kind, length)
        if len(value) <= inline:
            directory += value.ljust(inline, b"\0")
        else:
            directory += struct.pack(endian + offset_code, place + len(values))
            values += value
    return head + directory + bytes(8 if wide else 4) + values + data


def files() -> Iterator[tuple[str, bytes]]:
    """All of them, by a name without an ending."""
    xmp_6, xmp_8 = b'<x tiff:Orientation="6"/>', b'<x tiff:Orientation="8"/>'
    for name, data in exif_variants():
        yield from _with_exif(name, data, xmp_8)
    for name, packet in xmp_variants():
        yield from _with_xmp(name, packet)
    yield from _odd_jpegs(xmp_6, xmp_8)
    yield from _odd_pngs(xmp_6, xmp_8)
    yield from _odd_webps(xmp_6)
    yield from _tiffs(xmp_6)


def _with_exif(name: str, data: bytes, xmp: bytes) -> Iterator[tuple[str, bytes]]:
    """Exif data in every place that they may stand in, alone and with an XMP packet that says 8."""
    packet = segment(0xE1, _XMP_PREFIX + xmp)
    for dpi in (False, True):
        yield f"jpeg_{name}_{dpi}", jpeg(app1(data), dpi=dpi)
        yield f"jpeg_{name}_{dpi}_xmp", jpeg(packet, app1(data), dpi=dpi)
    yield f"jpeg_{name}_split", jpeg(app1(data[:9]), app1(data[9:]))
    places = {
        "chunk": chunk(b"eXIf", data), "text": text(b"exif", data),
        "profile": text(b"Raw profile type exif", profile(data)),
        "packed": packed_text(b"Raw profile type exif", profile(b"Exif\0\0" + data)),
        "international": international(b"Raw profile type exif", profile(data)),
    }
    xmp_chunk = international(b"XML:com.adobe.xmp", xmp)
    for place, content in places.items():
        yield f"png_{name}_{place}", png(content)
        yield f"png_{name}_{place}_behind", png(behind=content)
        yield f"png_{name}_{place}_xmp", png(xmp_chunk, content)
    yield f"webp_{name}", webp(data)
    yield f"webp_{name}_xmp", webp(data, xmp, first=True)


def _with_xmp(name: str, packet: bytes) -> Iterator[tuple[str, bytes]]:
    yield f"jpeg_xmp_{name}", jpeg(segment(0xE1, _XMP_PREFIX + packet))
    key = b"XML:com.adobe.xmp"
    chunks = {
        "text": text(key, packet), "packed": packed_text(key, packet), "international": international(key, packet),
        "packed_international": international(key, packet, packed=True), "short_key": text(b"xmp", packet),
        "short_key_international": international(b"xmp", packet), "profile": text(b"Raw profile type xmp", profile(packet)),
    }
    for place, content in chunks.items():
        yield f"png_xmp_{name}_{place}", png(content)
        yield f"png_xmp_{name}_{place}_behind", png(behind=content)
    yield f"webp_xmp_{name}", webp(xmp=packet)
    for endian, kind in itertools.product(_ENDIANS, (BYTE, UNDEFINED, ASCII, SHORT)):
        value = packet if kind != SHORT else packet.ljust(len(packet) + len(packet) % 2, b"\0")
        count = len(value) // (2 if kind == SHORT else 1)
        tag = (XMP_TAG, kind, count, value)
        yield f"tiff_xmp_{name}_{endian == '<'}_{kind}", tiff(endian, [tag])


def _odd_jpegs(xmp_6: bytes, xmp_8: bytes) -> Iterator[tuple[str, bytes]]:
    turned = {value: exif("<", [entry("<", value)]) for value in range(1, 9)}
    for first, second in itertools.product((1, 3, 6), (3, 8)):
        yield f"jpeg_two_{first}_{second}", jpeg(app1(turned[first]), app1(turned[second]))
        yield f"jpeg_other_between_{first}_{second}", jpeg(app1(turned[first]), segment(0xE2, b"x"), app1(turned[second]))
    large = exif("<", [entry("<", bytes(200), UNDEFINED, tag=0x9286), entry("<", 6)])
    for at in (1, 6, 8, 10, 30, len(large) - 1):
        yield f"jpeg_joined_{at}", jpeg(app1(large[:at]), app1(large[at:]))
        yield f"jpeg_joined_xmp_{at}", jpeg(app1(large[:at]), segment(0xE1, _XMP_PREFIX + xmp_8), app1(large[at:]))
    whole = encoded("JPEG", quality=90)
    yield "jpeg_behind_end", whole + app1(turned[6])
    yield "jpeg_app2", jpeg(segment(0xE2, b"Exif\0\0" + turned[6]))
    yield "jpeg_no_zeros", jpeg(segment(0xE1, b"Exif" + turned[6]))
    yield "jpeg_lower", jpeg(segment(0xE1, b"exif\0\0" + turned[6]))
    yield "jpeg_two_xmp", jpeg(segment(0xE1, _XMP_PREFIX + xmp_6), segment(0xE1, _XMP_PREFIX + xmp_8))
    yield "jpeg_extended_xmp", jpeg(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + xmp_6))
    yield "jpeg_fill", jpeg(b"\xff\xff\xff" + app1(turned[6]))
    yield "jpeg_behind_comment", jpeg(segment(0xFE, b"\xff\xe1\0\x20Exif\0\0"), app1(turned[6]))
    yield "jpeg_junk", jpeg(b"abc", app1(turned[6]))
    mpf = b"MPF\0" + exif(">", [
        entry(">", b"0100", UNDEFINED, tag=0xB000), entry(">", 2, LONG, tag=0xB001),
        entry(">", struct.pack(">LLLHH", 0x30000, 900, 0, 0, 0) + struct.pack(">LLLHH", 0, 900, 1000, 0, 0), UNDEFINED, tag=0xB002),
    ])
    for value in (3, 6):
        yield f"jpeg_mpo_{value}", jpeg(app1(turned[value]), segment(0xE2, mpf)) + jpeg(app1(turned[8]))
        yield f"jpeg_mpo_xmp_{value}", jpeg(segment(0xE1, _XMP_PREFIX + xmp_6), segment(0xE2, mpf)) + jpeg(app1(turned[8]))
    for prefix in (b"", b"Exif\0\0", b"Exif\0\0Exif\0\0"):
        yield f"jpeg_prefix_{len(prefix)}", jpeg(app1(prefix + turned[6]))


def _odd_pngs(xmp_6: bytes, xmp_8: bytes) -> Iterator[tuple[str, bytes]]:
    turned = {value: exif(">", [entry(">", value)]) for value in range(1, 9)}
    key, raw = b"XML:com.adobe.xmp", b"Raw profile type exif"
    places = {
        "chunk": chunk(b"eXIf", turned[6]), "text": text(b"exif", turned[3]), "packed_exif": packed_text(b"exif", turned[4]),
        "international_exif": international(b"exif", b"x"), "raw": text(raw, profile(turned[5])),
        "packed_raw": packed_text(raw, profile(turned[7])), "xmp": international(key, xmp_8), "xmp_text": text(key, xmp_6),
        "short": text(b"xmp", xmp_6), "empty": text(key, b""), "empty_exif": text(b"exif", b""), "empty_raw": text(raw, b""),
        "bad_raw": text(raw, b"\n\n\nzz"), "odd_raw": text(raw, b"\n\n\n123"), "not_utf8": international(key, b"\xff" + xmp_6),
        "names": international(key, xmp_6, names=b"\xff\0\0"), "method": international(key, xmp_6, packed=True, method=1),
        "no_names": chunk(b"iTXt", key + b"\0\0\0" + xmp_6), "broken": chunk(b"zTXt", key + b"\0\0" + b"abc"),
        "broken_raw": chunk(b"zTXt", raw + b"\0\0abc"), "no_zero": chunk(b"tEXt", raw), "no_key": chunk(b"tEXt", b"\0" + xmp_6),
        "unpacked": international(key, xmp_6, method=1),
        "cut": chunk(b"zTXt", key + b"\0\0" + zlib.compress(xmp_6)[:-3]),
        "bad_sum": chunk(b"zTXt", key + b"\0\0" + zlib.compress(xmp_6)[:-1] + b"\0"),
        "cut_international": chunk(b"iTXt", key + b"\0\1\0\0\0" + zlib.compress(xmp_6)[:-6]),
        "wrong_crc": chunk(b"eXIf", turned[8], crc=1),
    }
    for name, content in places.items():
        yield f"png_place_{name}", png(content)
        yield f"png_place_{name}_behind", png(behind=content)
        yield f"png_place_{name}_no_end", png(behind=content, end=b"")
        yield f"png_place_{name}_no_sum", png(behind=content[:-4], end=b"")
    for (one, first), (two, second) in itertools.permutations(places.items(), 2):
        yield f"png_two_{one}_{two}", png(first, second)
        yield f"png_same_{one}_{two}", png(behind=first + second)
    for wide in (1, 2, 3, 72):
        yield f"png_profile_lines_{wide}", png(text(raw, profile(turned[6], wide=wide)))
    for number, separator in enumerate((b" ", b"\t", b"\r\n", b"\v", b"\f", b"\x1c", b"\0", b"\xa0", b"0")):
        digits = separator.join(turned[6].hex()[at : at + 2].encode() for at in range(0, len(turned[6]) * 2, 2))
        yield f"png_profile_separator_{number}", png(text(raw, b"\nexif\n 26\n" + digits))
        yield f"png_profile_upper_{number}", png(text(raw, b"\nexif\n 26\n" + digits.upper()))
    for name in (b"IIEN", b"1234", b"tE T", b"\0\0\0\0"):
        yield f"png_unknown_{name.hex()}", png(behind=chunk(name, b"abc") + places["chunk"])
    yield "png_behind_end", png() + places["chunk"]
    yield "png_second_pixels", png(behind=places["chunk"] + chunk(b"IDAT", b"") + text(key, xmp_8))
    yield "png_cut_behind", png(behind=places["chunk"][:-9], end=b"")
    control = struct.pack(">5L2H2B", 0, 40, 24, 0, 0, 1, 10, 0, 0)
    control_1 = struct.pack(">5L2H2B", 1, 40, 24, 0, 0, 1, 10, 0, 0)
    for frames, begun in itertools.product((0, 1, 2), (False, True)):
        before = chunk(b"acTL", struct.pack(">2L", frames, 0)) + (chunk(b"fcTL", control) if begun else b"")
        behind = chunk(b"fcTL", control_1 if begun else control) + places["chunk"]
        yield f"png_animation_{frames}_{begun}", png(before, behind)
        yield f"png_animation_{frames}_{begun}_before", png(before, places["chunk"] + behind)
        yield f"png_animation_twice_{frames}_{begun}", png(before[:20] + before, behind)
    for size in (2**20 - 40, 2**20 + 1, 2**21):
        yield f"png_bomb_{size}", png(behind=packed_text(key, xmp_6 + bytes(size)))
        yield f"png_bomb_comment_{size}", png(behind=packed_text(b"Comment", bytes(size)))


def _odd_webps(xmp_6: bytes) -> Iterator[tuple[str, bytes]]:
    turned = {value: exif("<", [entry("<", value)]) for value in range(1, 9)}
    for flags in (0, 4, 8, 12, 0x20 | 12):
        for first in (False, True):
            yield f"webp_flags_{flags}_{first}", webp(turned[3], xmp_6, flags=flags, first=first)
    yield "webp_two", webp(turned[6], extra=riff_chunk(b"EXIF", turned[3]))
    yield "webp_empty_then_good", webp(b"", extra=riff_chunk(b"EXIF", turned[3]))
    yield "webp_unknown", webp(turned[6], extra=riff_chunk(b"abcd", b"xyz"), first=True)
    yield "webp_other_case", webp(extra=riff_chunk(b"Exif", turned[6]), flags=8)
    yield "webp_simple", _RIFF
    tail = riff_chunk(b"EXIF", turned[6])
    body = _RIFF[8:] + tail
    yield "webp_simple_with_exif", b"RIFF" + struct.pack("<L", len(body)) + body
    yield "webp_behind_end", webp(xmp=xmp_6, flags=12) + tail
    yield "webp_size_short", webp(turned[6], size=-len(riff_chunk(b"EXIF", turned[6])))
    for size in (-1, 1, 2):
        yield f"webp_size_{size}", webp(turned[6], size=size)


def _tiffs(xmp_6: bytes) -> Iterator[tuple[str, bytes]]:
    packet = (XMP_TAG, BYTE, len(xmp_6), xmp_6)
    for endian, wide in itertools.product(_ENDIANS, (False, True)):
        side = f"{'le' if endian == '<' else 'be'}{'_big' if wide else ''}"
        for value in (*range(10), 0x600):
            yield f"tiff_{side}_{value}", tiff(endian, [entry(endian, value)], wide)
            yield f"tiff_{side}_{value}_xmp", tiff(endian, [entry(endian, value), packet], wide)
        for kind in (BYTE, LONG, SIGNED_BYTE, SIGNED_SHORT, SIGNED_LONG, FLOAT, DOUBLE, IFD, LONG8, 17, 99):
            yield f"tiff_{side}_kind_{kind}", tiff(endian, [entry(endian, 6, kind)], wide)
            yield f"tiff_{side}_kind_{kind}_xmp", tiff(endian, [entry(endian, 6, kind), packet], wide)
        yield f"tiff_{side}_rational", tiff(endian, [entry(endian, (12, 2), RATIONAL)], wide)
        yield f"tiff_{side}_text", tiff(endian, [entry(endian, b"6", ASCII)], wide)
        yield f"tiff_{side}_several", tiff(endian, [entry(endian, (6, 1))], wide)
        yield f"tiff_{side}_many", tiff(endian, [entry(endian, (6, 1, 1, 1, 1))], wide)
        yield f"tiff_{side}_none", tiff(endian, [entry(endian, 6, count=0), packet], wide)
        yield f"tiff_{side}_twice", tiff(endian, [entry(endian, 6), entry(endian, 3)], wide)
        yield f"tiff_{side}_odd_then_good", tiff(endian, [entry(endian, 6, 17), entry(endian, 3)], wide)
        large = (270, BYTE, 100_000, struct.pack(endian + "L", 0))
        yield f"tiff_{side}_large_before", tiff(endian, [large, entry(endian, 6)], wide)
        yield f"tiff_{side}_large_before_long", tiff(endian, [large, entry(endian, (6, 1, 1, 1, 1))], wide)
        beyond = (270, BYTE, 100, struct.pack(endian + "L", 2**31))
        yield f"tiff_{side}_beyond", tiff(endian, [beyond, entry(endian, 6)], wide)
