"""JPEG by libjpeg-turbo: exact inverse DCT and exact upsampling, so the same bits on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.media.images.bad import BadImage
from lithify.media.images.headers import Look
from lithify.media.images.libraries import simplejpeg
from lithify.media.images.turning import turn

_DAMAGED = ("remature end", "bad Huffman", "bad arithmetic", "found marker", "Bogus", "Invalid JPEG file structure")
"""What libjpeg says of pixels it had to make up. Its other complaints are about files that are fine but unusual."""


def decode_jpeg(raw: bytes, seen: Look, least: int, channels: int, out: Any = None) -> NDArray[np.uint8] | None:
    """Pixels (h, w, channels) of an ordinary JPEG, turned; None when Pillow is to be asked.

    Parameters
    ----------
    least : int
        The short side needed, or 0 for all there is. Where the picture has at least twice of that, it is decoded at
        the smallest of the sizes n/8 (n = 1, 2, 3 or 4, rounded up) whose short side is no less.
    out : (h, w, channels) uint8, optional
        Where to write a picture that has just this size as it is.
    """
    if seen.planes not in (1, 3):
        return None
    reduced = least if 0 < 2 * least <= min(seen.width, seen.height) else 0
    if reduced or seen.turned:
        out = None
    try:
        pixels: NDArray[np.uint8] = simplejpeg().decode_jpeg(
            raw, "RGB" if channels == 3 else "GRAY", False, False, reduced, reduced, 2 if reduced else 1, out
        )
    except ValueError as error:
        if any(words in str(error) for words in _DAMAGED):
            raise BadImage("unreadable", "a jpeg cut short or damaged") from None
        return None
    return turn(pixels, seen.turned) if seen.turned else pixels
