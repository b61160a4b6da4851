"""What the first bytes of a picture say: its format, its size, whether it has colour, how it is to be turned.

JPEG, PNG, WebP and PNM are read here with a few ``struct`` calls, the others by Pillow, which decodes nothing to do so.
Every walk is bounded, so that time does not grow with what a hostile file claims.

Sources: ITU-T T.81 annex B and Exif 2.32 (JPEG); ISO/IEC 15948, PNG; RFC 9649, WebP; netpbm's ppm(5) and pam(5).
"""

from __future__ import annotations

import struct
from typing import Literal, NamedTuple

from lithify.media.images.bad import MAX_BYTES, BadImage, check_size

Format = Literal["jpeg", "png", "webp", "bmp", "gif", "tiff", "pnm"]

MAX_SEGMENTS = 4096
"""Segments of a JPEG before its frame header; 64 MiB hold a thousand full ones."""

MAX_CHUNKS = 64
"""Chunks of a PNG or WebP that are searched for EXIF."""

MAX_SCANS = 500
"""Scans of a JPEG. Each one goes over every pixel and may cost a few bytes, which makes a bomb of them."""

_ORIENTATION = 0x0112
_PAIR = struct.Struct(">HH")
_FRAME = struct.Struct(">BHHB")
_FRAMES = frozenset([*range(0xFFC0, 0xFFC4), *range(0xFFC5, 0xFFC8), *range(0xFFC9, 0xFFCC), *range(0xFFCD, 0xFFD0)])
_ALONE = frozenset([0xFF01, *range(0xFFD0, 0xFFD8)])
_SCAN, _END, _APP1 = 0xFFDA, 0xFFD9, 0xFFE1


class Look(NamedTuple):
    """What the header of a picture says.

    Attributes
    ----------
    format : str
        As of :func:`format_of`.
    width, height : int
        In pixels, as the picture is shown: after it is turned.
    channels : int
        1 for shades of grey, 3 for colour (palettes too); alpha does not count.
    turned : int
        EXIF orientation (2 to 8) that has yet to be applied to the stored pixels, or 0.
    planes : int
        Components of a JPEG (4 for CMYK), else 0.
    """

    format: Format
    width: int
    height: int
    channels: Literal[1, 3]
    turned: int = 0
    planes: int = 0


def format_of(head: bytes) -> Format | None:
    r"""Format of a picture by its first bytes (16 suffice), None when they are of no picture that is read.

    >>> format_of(b"\x89PNG\r\n\x1a\n"), format_of(b"P6\n2 2\n255\n"), format_of(b"%PDF-1.7")
    ('png', 'pnm', None)
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:2] in (b"P5", b"P6", b"P7") and head[2:3].isspace():
        return "pnm"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "tiff"
    # Two letters are little: the reserved words of the file header must be zero too, as in every bitmap there is.
    return "bmp" if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0" else None


def look(raw: bytes) -> Look:
    r"""What the header says; no pixel is decoded.

    Raises
    ------
    BadImage
        When there is no header of a picture, or one of a picture beyond the limits.

    Examples
    --------
    >>> look(b"P6\n2 1\n255\nabcdef")[:4]
    ('pnm', 2, 1, 3)
    """
    if not raw:
        raise BadImage("empty", "no bytes")
    if len(raw) > MAX_BYTES:
        raise BadImage("too large", f"{len(raw):,} bytes; at most {MAX_BYTES:,}")
    kind = format_of(raw[:16])
    try:
        seen = _look(raw, kind)
    except (struct.error, IndexError):
        raise BadImage("unreadable", f"a {kind} cut short in its header") from None
    check_size(seen.width, seen.height)
    return seen


def _look(raw: bytes, kind: Format | None) -> Look:
    if kind == "jpeg":
        return _jpeg(raw)
    if kind == "png":
        return _png(raw)
    if kind == "webp":
        return _webp(raw)
    if kind == "pnm":
        from lithify.media.images.pnm import header

        width, height, depth = header(raw)[:3]
        return Look("pnm", width, height, 1 if depth <= 2 else 3)
    if kind is None:
        raise BadImage("unreadable", "the first bytes are of no known picture format")
    from lithify.media.images.general import look_general

    return look_general(raw, kind)


def _turned(seen: Look) -> Look:
    """Orientations 5 to 8 lay the picture on its side."""
    return seen._replace(width=seen.height, height=seen.width) if seen.turned >= 5 else seen


def _jpeg(raw: bytes) -> Look:
    """Walks the segments up to the frame header."""
    at, turned = 2, 0
    for _ in range(MAX_SEGMENTS):
        marker, size = _PAIR.unpack_from(raw, at)
        if marker in _FRAMES:
            _, height, width, planes = _FRAME.unpack_from(raw, at + 4)
            if raw.count(b"\xff\xda") > MAX_SCANS:
                raise BadImage("too large", f"a jpeg of more than {MAX_SCANS} scans")
            return _turned(Look("jpeg", width, height, 1 if planes == 1 else 3, turned, planes))
        if marker == _APP1 and not turned and raw.startswith(b"Exif\0\0", at + 4):
            turned = orientation(raw[at + 10 : at + 2 + size])
        if marker < 0xFF01 or marker == 0xFFFF:  # no marker, or filled up before one: on to the next
            at = raw.index(b"\xff", at + 1) if b"\xff" in raw[at + 1 : at + 65536] else len(raw)
        elif marker in (_SCAN, _END):
            break
        else:
            at += 2 if marker in _ALONE else 2 + size
    raise BadImage("unreadable", "a jpeg without a frame header")


def orientation(exif: bytes) -> int:
    """EXIF orientation (2 to 8) of a TIFF structure, 0 when upright, absent or damaged."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 0
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * min(count, 512), 12):
            tag, kind, number, value = struct.unpack_from(order + "HHIH", exif, entry)
            if tag == _ORIENTATION:
                return value if kind == 3 and number == 1 and 2 <= value <= 8 else 0
    except struct.error:
        pass
    return 0


def _png(raw: bytes) -> Look:
    width, height, _, colour = struct.unpack_from(">IIBB", raw, 16)
    if raw[12:16] != b"IHDR":
        raise BadImage("unreadable", "a png that does not begin with its header")
    seen = Look("png", width, height, 1 if colour in (0, 4) else 3)
    at = 8
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(raw):
            break
        size, name = struct.unpack_from(">I4s", raw, at)
        if name == b"eXIf":
            return _turned(seen._replace(turned=orientation(raw[at + 8 : at + 8 + size])))
        at += 12 + size
    return seen


def _webp(raw: bytes) -> Look:
    name = raw[12:16]
    if name == b"VP8 ":
        width, height = struct.unpack_from("<HH", raw, 26)
        return Look("webp", width & 0x3FFF, height & 0x3FFF, 3)
    if name == b"VP8L":
        (bits,) = struct.unpack_from("<I", raw, 21)
        return Look("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 3)
    if name != b"VP8X":
        raise BadImage("unreadable", "a webp without pixels")
    width, height = (int.from_bytes(raw[at : at + 3], "little") + 1 for at in (24, 27))
    if len(raw) < 30:
        raise IndexError
    return _turned(Look("webp", width, height, 3, _webp_orientation(raw)))


def _webp_orientation(raw: bytes) -> int:
    at = 12
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(raw):
            break
        name, size = struct.unpack_from("<4sI", raw, at)
        if name == b"EXIF":
            return orientation(raw[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0"))
        at += 8 + size + (size & 1)
    return 0
