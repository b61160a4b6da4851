"""Pictures made by whole numbers alone: golden inputs of image models, the same bytes on every machine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lithify import rng

Grid = NDArray[np.int64]


def picture(number: int, side: int, channels: int) -> bytes:
    r"""One picture as PNM: noise, a gradient, a checkerboard, flat or shapes, in turn.

    Every other one is of ``side`` x ``side`` pixels, the others are larger, smaller, wide and high; two have the other
    number of channels.

    Parameters
    ----------
    number : int
        Decides all that is drawn.
    side : int
        Pixels; at least 1.
    channels : int
        1 or 3.

    Examples
    --------
    >>> picture(2, 2, 1)
    b'P5\n2 2\n255\n>\xf6\xf6>'
    """
    width, height = _size(number, side)
    channels = 4 - channels if number in (5, 12) else channels
    y, x = np.mgrid[:height, :width]
    planes = [_DRAWN[number % len(_DRAWN)](x, y, rng.key(0, "golden", "image", number, at)) for at in range(channels)]
    pixels = np.stack(planes, axis=2).astype(np.uint8)
    return b"P%d\n%d %d\n255\n" % (5 if channels == 1 else 6, width, height) + pixels.tobytes()


def _size(number: int, side: int) -> tuple[int, int]:
    """Width and height."""
    others = (
        (2 * side, side),
        (side, 2 * side),
        (side // 2, side // 2),
        (3 * side + 1, 2 * side - 1),
        (side + 1, side + 1),
    )
    width, height = others[number // 2 % len(others)] if number % 2 else (side, side)
    return max(1, width), max(1, height)


def _noise(x: Grid, y: Grid, stream: int) -> Grid:
    levels: Grid = rng.below(stream, (y * x.shape[1] + x).astype(np.uint64), 256)
    return levels


def _gradient(x: Grid, y: Grid, stream: int) -> Grid:
    across, down, start = rng.below(stream, 0, 256, 3).tolist()
    levels: Grid = (start + x * across // max(1, x.shape[1] - 1) + y * down // max(1, x.shape[0] - 1)) % 256
    return levels


def _checkers(x: Grid, y: Grid, stream: int) -> Grid:
    cell = max(1, min(x.shape) // 6)
    dark, light = rng.below(stream, 0, 256, 2).tolist()
    levels: Grid = np.where((x // cell + y // cell) % 2 == 0, dark, light)
    return levels


def _flat(x: Grid, y: Grid, stream: int) -> Grid:
    level: Grid = np.full(x.shape, rng.below(stream, 0, 256, 1)[0])
    return level


def _shapes(x: Grid, y: Grid, stream: int) -> Grid:
    """A disc, a ring and a bar, one over the other."""
    height, width = x.shape
    ground, disc, ring, bar = rng.below(stream, 0, 256, 4).tolist()
    far = (2 * x - width) ** 2 + (2 * y - height) ** 2
    radius = min(width, height) ** 2
    drawn = np.where(4 * far < 3 * radius, ring, ground)
    drawn = np.where(4 * far < radius, disc, drawn)
    barred: Grid = np.where((x * 8 // width == 1) | (y * 8 // height == 6), bar, drawn)
    return barred


_DRAWN: tuple[Callable[[Grid, Grid, int], Grid], ...] = (_noise, _gradient, _checkers, _flat, _shapes)
