"""From a picture of any shape to a square of a given side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lithify.media.images.libraries import pillow


def square(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The centre square of (h, w, c), scaled to (side, side, c).

    With s = min(h, w), the square is that of rows (h - s) // 2 and columns (w - s) // 2 onwards, s of each. It is
    scaled by side / s with a triangle filter, widened by s / side when that is above 1 so that nothing aliases, which
    sees the pixels around the square where there are any. Pillow computes this in integers ("BILINEAR").
    A square of that side comes out as it went in.
    """
    height, width = pixels.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    if short == side:
        return np.ascontiguousarray(pixels[top : top + side, left : left + side])
    return resized(pixels, (side, side), (left, top, left + short, top + short))


def resized(
    pixels: NDArray[np.uint8], size: tuple[int, int], box: tuple[int, int, int, int] | None = None
) -> NDArray[np.uint8]:
    """A box (left, top, right, bottom) of (h, w, c), or all of it, scaled to (width, height) as in :func:`square`."""
    library = pillow()
    image = library.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    scaled = np.asarray(image.resize(size, library.Resampling.BILINEAR, box))
    return scaled.reshape(size[1], size[0], pixels.shape[2])
