"""The meaning of a picture: :func:`decode`, and :func:`whole` beneath it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.media.images.cutting import square
from lithify.media.images.general import decode_general
from lithify.media.images.headers import Look, look
from lithify.media.images.jpeg import decode_jpeg
from lithify.media.images.pnm import decode_pnm
from lithify.media.images.turning import in_channels, over_white

REVISION = 1
"""Changes whenever equal bytes could get other pixels."""


def decode(raw: bytes, side: int | None = None, channels: int = 3) -> NDArray[np.uint8]:
    r"""Pixels of a picture.

    In this order: the first frame is decoded; 16 bits become their high byte, palettes and CMYK become red, green and
    blue; alpha is laid over white; where EXIF says so it is turned; colour becomes luma, or grey three equal channels,
    when that is asked for (of a JPEG the luma is its own Y); the short side is scaled to ``side`` and the centre
    square is cut (:func:`lithify.media.images.cutting.square`). A JPEG whose short side is at least twice ``side`` is
    decoded at a fraction n/8 of its size, the smallest that is no less than ``side``, and scaled from there.

    Parameters
    ----------
    raw : bytes
        JPEG, PNG, WebP, BMP, GIF, TIFF, or PNM (P5, P6, P7).
    side : int, optional
        Side of the square, at least 1. Without it, the picture in its own size and shape.
    channels : {3, 1}
        Red, green and blue, or grey.

    Returns
    -------
    (side, side, channels) or (height, width, channels) uint8

    Raises
    ------
    BadImage
        And nothing else, whatever the bytes are.

    Examples
    --------
    >>> decode(b"P5\n3 1\n255\n\x01\x02\x03", side=1).tolist()
    [[[2, 2, 2]]]
    """
    pixels = whole(raw, look(raw), side or 0, channels)
    return pixels if side is None else square(pixels, side)


def whole(raw: bytes, seen: Look, least: int = 0, channels: int = 3, out: Any = None) -> NDArray[np.uint8]:
    """All of the picture, (h, w, channels), its sides reduced where ``least`` allows (:func:`decode_jpeg`)."""
    if seen.format == "jpeg":
        pixels = decode_jpeg(raw, seen, least, channels, out)
        if pixels is not None:
            return pixels
    if seen.format == "pnm":
        return in_channels(over_white(decode_pnm(raw)), channels)
    return decode_general(raw, seen, channels)
