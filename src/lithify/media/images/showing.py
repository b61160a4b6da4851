"""Pictures for people: small, upright, and in a format that every browser shows."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from lithify.media.images.cutting import resized
from lithify.media.images.decoding import decode, whole
from lithify.media.images.headers import look
from lithify.media.images.libraries import pillow

Picture = bytes | NDArray[np.uint8]


def natural(raw: bytes) -> NDArray[np.uint8]:
    """The picture in its own size and shape, (h, w, 3) uint8."""
    return decode(raw)


def thumbnail(picture: Picture, side: int) -> NDArray[np.uint8]:
    """A picture, or pixels (h, w), (h, w, 1) or (h, w, 3), with no side longer than ``side``; never enlarged."""
    if isinstance(picture, bytes):
        seen = look(picture)
        long, short = max(seen.width, seen.height), min(seen.width, seen.height)
        pixels = whole(picture, seen, max(1, -(-side * short // long)))
    else:
        pixels = np.ascontiguousarray(picture if picture.ndim == 3 else picture[:, :, None])
    height, width, _ = pixels.shape
    long = max(height, width)
    if long <= side:
        return pixels
    size = (max(1, round(width * side / long)), max(1, round(height * side / long)))
    return resized(pixels, size)


def thumbnail_png(picture: Picture, side: int) -> bytes:
    """PNG bytes of :func:`thumbnail`: exact, for small pictures, drawings and heat maps."""
    return _saved(thumbnail(picture, side), "PNG", {"optimize": True})


def thumbnail_jpeg(picture: Picture, side: int) -> bytes:
    """JPEG bytes of :func:`thumbnail`: short, for photographs."""
    return _saved(thumbnail(picture, side), "JPEG", {"quality": 85})


def _saved(pixels: NDArray[np.uint8], kind: str, options: dict[str, object]) -> bytes:
    file = io.BytesIO()
    pillow().fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, kind, **options)
    return file.getvalue()
