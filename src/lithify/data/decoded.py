"""Encoded images to one block of pixels, and what the bits of that depend on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from lithify.errors import DataError
from lithify.media import pixels

REVISION: int = pixels.REVISION
"""Changes whenever an image could get other pixels by our own doing."""
FEW = 64
"""Images below which more than one thread would cost more than it gains."""
LIBRARIES = ("pillow", "simplejpeg")


def decoded(
    contents: Sequence[bytes],
    side: int,
    channels: int,
    threads: int | None = None,
    name: Callable[[int], str] = "Image {}".format,
) -> NDArray[np.uint8]:
    """The pixels of encoded images; see :func:`lithify.media.pixels.decode`.

    Parameters
    ----------
    contents : sequence of bytes
    side : int
        Of the square that each becomes.
    channels : int
        1 (grey) or 3 (red, green, blue).
    threads : int, optional
        By default as many as there are cores, or one where there are few images.
    name : callable
        How to call the i-th of them in an error.

    Returns
    -------
    (n, side, side, channels) array of uint8

    Raises
    ------
    DataError
        One of them is no image that can be decoded.
    """
    images = np.empty((len(contents), side, side, channels), dtype=np.uint8)
    count = threads or (cores() if len(contents) >= FEW else 1)
    for number, bad in enumerate(pixels.decode_many(contents, side, channels, images, threads=count)):
        if bad is not None:
            raise DataError(f"{name(number)} cannot be decoded.", found=str(bad))
    return images


def versions() -> Mapping[str, str]:
    """The libraries that decode and their versions: another version of a decoder may round differently.

    >>> sorted(versions()) == list(LIBRARIES)
    True
    """
    return {library: _version(library) for library in LIBRARIES}


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "absent"
