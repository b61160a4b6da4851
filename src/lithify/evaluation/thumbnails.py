"""Small pictures of rows inside a page, where contents were asked for."""

from __future__ import annotations

import base64

from lithify.media import pixels

SIDE = 128
"""Pixels of the longer side at most; smaller pictures stay as they are."""
_EXACT = 64
"""Up to this side a picture is shown pixel by pixel."""


def thumbnail(content: bytes, side: int = SIDE) -> str:
    r"""A picture as a ``data:`` URL; empty where its bytes are no picture.

    >>> thumbnail(b"P5\n1 1\n255\n\x00")[:22], thumbnail(b"no picture")
    ('data:image/png;base64,', '')
    """
    try:
        seen = pixels.look(content)
        if max(seen.width, seen.height) <= _EXACT:
            return url(pixels.thumbnail_png(content, side))
        return url(pixels.thumbnail_jpeg(content, side), "jpeg")
    except pixels.BadImage:
        return ""


def url(data: bytes, kind: str = "png") -> str:
    """The ``data:`` URL of an encoded picture."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
