"""Pictures: from encoded bytes to pixels, and from arrays to bytes. The face of :mod:`lithify.media.images`.

Bytes that are no usable picture raise :class:`BadImage` with the reason ``"empty"``, ``"unreadable"`` (cut short,
damaged, or no picture) or ``"too large"`` (told from the header, before anything is decoded), and nothing else.

>>> import numpy as np
>>> raw = to_pnm(np.zeros((4, 6, 3), dtype=np.uint8))
>>> look(raw).width, decode(raw, side=2).shape
(6, (2, 2, 3))
>>> decode(b"GIF89a, or so it says")
Traceback (most recent call last):
lithify.media.images.bad.BadImage: unreadable: ...
"""

from __future__ import annotations

from lithify.media.images.bad import MAX_BYTES, MAX_PIXELS, MAX_SIDE, BadImage, Reason
from lithify.media.images.decoding import REVISION, decode
from lithify.media.images.headers import Format, Look, format_of, look
from lithify.media.images.many import decode_many
from lithify.media.images.pnm import to_pnm
from lithify.media.images.showing import natural, thumbnail, thumbnail_jpeg, thumbnail_png

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "REVISION",
    "BadImage",
    "Format",
    "Look",
    "Reason",
    "decode",
    "decode_many",
    "format_of",
    "look",
    "natural",
    "thumbnail",
    "thumbnail_jpeg",
    "thumbnail_png",
    "to_pnm",
]
