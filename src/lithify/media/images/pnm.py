"""PNM: the plainest format there is, and what arrays are kept as.

``P5`` (grey), ``P6`` (colour) and ``P7`` (PAM, with alpha) in their binary forms; of several pictures the first.
Sources: netpbm's pgm(5), ppm(5) and pam(5).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.media.images.bad import BadImage, check_size

_BLANK = rb"(?:[ \t\r\n\v\f]|#[^\r\n]{0,1000}[\r\n]){1,100}"
_PLAIN = re.compile(rb"P([56])" + (_BLANK + rb"(\d{1,9})") * 3 + rb"(?:#[^\r\n]{0,1000}[\r\n]|[ \t\r\n\v\f])")
_PAM = re.compile(rb"P7\n((?:[^\n]{0,1000}\n){0,100}?)ENDHDR[ \t]{0,10}\n")
_KINDS = {1: b"GRAYSCALE", 2: b"GRAYSCALE_ALPHA", 3: b"RGB", 4: b"RGB_ALPHA"}


def header(raw: bytes) -> tuple[int, int, int, int, int]:
    r"""Width, height, values per pixel, largest value, and where the pixels start.

    >>> header(b"P5\n# made by hand\n2 3 255\n......")
    (2, 3, 1, 255, 26)
    """
    match = _PLAIN.match(raw)
    if match is not None:
        width, height, top = (int(match[i]) for i in (2, 3, 4))
        found = (width, height, 1 if match[1] == b"5" else 3, top, match.end())
    else:
        found = _pam_header(raw)
    if not (1 <= found[2] <= 4 and 1 <= found[3] <= 65535):
        raise BadImage("unreadable", "a pnm of an unknown kind")
    return found


def _pam_header(raw: bytes) -> tuple[int, int, int, int, int]:
    match = _PAM.match(raw)
    fields = (
        {} if match is None else dict(re.findall(rb"(?m)^(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+(\d{1,9})\s*?$", match[1]))
    )
    if match is None or len(fields) < 4:
        raise BadImage("unreadable", "a damaged pnm header")
    width, height, depth, top = (int(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    return width, height, depth, top, match.end()


def decode_pnm(raw: bytes) -> NDArray[np.uint8]:
    r"""Pixels as (height, width, values), values being 1, 3, or with alpha last 2, 4.

    Values of 16 bits keep their high byte; those of another range are scaled to 255 and rounded.

    >>> decode_pnm(b"P5\n2 1\n65535\n\x01\xff\x02\x00").tolist()
    [[[1], [2]]]
    """
    width, height, depth, top, start = header(raw)
    check_size(width, height)
    kind = np.dtype(np.uint8 if top < 256 else ">u2")
    if len(raw) - start < width * height * depth * kind.itemsize:
        raise BadImage("unreadable", "a pnm cut short")
    values: NDArray[Any] = np.frombuffer(raw, kind, width * height * depth, start).reshape(height, width, depth)
    if top == 255:
        return np.asarray(values, dtype=np.uint8).copy()
    if top == 65535:
        return np.asarray(values >> 8, dtype=np.uint8)
    if int(values.max()) > top:
        raise BadImage("unreadable", "a pnm with values beyond its range")
    return np.asarray((values.astype(np.uint32) * 255 + top // 2) // top, dtype=np.uint8)


def to_pnm(array: NDArray[Any]) -> bytes:
    r"""Canonical PNM bytes of an array: equal pixels, equal bytes.

    Parameters
    ----------
    array : (h, w) or (h, w, c)
        c = 1 (grey), 2 (grey, alpha), 3 (red, green, blue) or 4 (and alpha). Whole numbers in 0..255, uint16 in its
        full range, bool, or floats in [0, 1], which are multiplied by 255 and rounded.

    Raises
    ------
    BadImage
        When the array is no picture: another shape, values out of range, or too many.

    Examples
    --------
    >>> to_pnm(np.array([[0, 128], [255, 1]], dtype=np.uint8))
    b'P5\n2 2\n255\n\x00\x80\xff\x01'
    """
    values = np.asarray(array)
    if values.size == 0:
        raise BadImage("empty", "an array without pixels")
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or values.shape[2] not in _KINDS:
        raise BadImage("unreadable", f"an array of shape {np.shape(array)} is no picture")
    height, width, depth = values.shape
    check_size(width, height)
    pixels = _whole(values)
    top = 255 if pixels.dtype == np.uint8 else 65535
    if depth in (1, 3):
        head = b"P%d\n%d %d\n%d\n" % (5 if depth == 1 else 6, width, height, top)
    else:
        fields = (width, height, depth, top, _KINDS[depth])
        head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %b\nENDHDR\n" % fields
    return head + pixels.tobytes()


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    """The same values as uint8, or as big-endian uint16 where they are of that type."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return values.astype(">u2")
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    low, high = (values.min(), values.max()) if values.dtype.kind in "iuf" else (-1, -1)
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.rint(values.astype(np.float64) * 255).astype(np.uint8)
    if values.dtype.kind in "iu" and low >= 0 and high <= 255:
        return values.astype(np.uint8)
    raise BadImage("unreadable", f"an array of {values.dtype} with values outside of [0, 255], or [0, 1] for floats")
