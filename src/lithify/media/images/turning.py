"""Turning pixels as EXIF says, and laying alpha over white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def turn(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Pixels (h, w, c) as they are meant to be seen.

    Source: Exif 2.32, tag 0x0112; orientations 5 to 8 swap width and height.

    >>> turn(np.array([[[1], [2]]], dtype=np.uint8), 6).tolist()
    [[[1]], [[2]]]
    """
    if orientation < 2:
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def over_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels with alpha as their last value laid over white, rounded; others as they are.

    >>> over_white(np.array([[[0, 255], [0, 0], [100, 128]]], dtype=np.uint8)).tolist()
    [[[0], [255], [177]]]
    """
    if pixels.shape[2] in (1, 3):
        return pixels
    alpha = pixels[:, :, -1:].astype(np.uint32)
    mixed = pixels[:, :, :-1] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def in_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Grey as three equal channels, or colour as luma: (19595 R + 38470 G + 7471 B + 32768) / 65536, as of BT.601.

    >>> in_channels(np.array([[[255, 0, 0]]], dtype=np.uint8), 1).tolist()
    [[[76]]]
    """
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    weighted = pixels @ np.array([19595, 38470, 7471], dtype=np.uint32)
    return ((weighted + 32768) >> 16).astype(np.uint8)[:, :, None]
