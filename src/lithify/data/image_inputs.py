"""Images to score: from paths, bytes, arrays and Pillow images to the bytes that a model decodes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from lithify.data.archives import is_tar, is_zip
from lithify.data.image_arrays import as_images
from lithify.data.images import HEAD, is_image
from lithify.data.open import open_source
from lithify.data.schema import Problem
from lithify.data.streams import compression_of, open_regular, shown
from lithify.errors import DataError, NotFound, UsageError
from lithify.media.pixels import MAX_BYTES, BadImage, look, to_pnm

_PLACES: Final = (b"PAR1", b"ARRO", b"\x93NUM", b"\0\0\x08\x03")
"""First bytes of files other than archives that hold several images."""


def read_images(inputs: Any) -> tuple[list[str], list[bytes]]:
    r"""Names and bytes of one image or of several.

    Parameters
    ----------
    inputs
        The path of an image, or of a folder or an archive of images; its encoded bytes; a NumPy array (h, w) or
        (h, w, c); a Pillow image; a list of these; or an array (n, h, w, c). Arrays and Pillow images have no name.

    Raises
    ------
    DataError
        Something is no image, is cut before its first pixel, or is too large; the message names it.
    NotFound, UsageError
        There is nothing at a path; an input is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> read_images(np.zeros((1, 2, 3), np.uint8))
    ([''], [b'P6\n2 1\n255\n\x00\x00\x00\x00\x00\x00'])
    """
    names: list[str] = []
    contents: list[bytes] = []
    for number, item in enumerate(_items(inputs)):
        for name, raw in _read(item, f"Image {number}"):
            _look(raw, name or f"Image {number}")
            names.append(name)
            contents.append(raw)
    return names, contents


def _items(inputs: Any) -> Iterable[Any]:
    if isinstance(inputs, (str, bytes, Path)) or _is_pillow(inputs):
        return [inputs]
    dimensions = getattr(inputs, "ndim", 0)
    if dimensions == 2 or (dimensions == 3 and (inputs.shape[2] in (1, 3, 4) or inputs.shape[0] in (1, 3, 4))):
        return [inputs]
    return as_images(inputs, "the array") if dimensions else list(inputs)


def _read(item: Any, name: str) -> list[tuple[str, bytes]]:
    if isinstance(item, bytes):
        return [("", item)]
    if isinstance(item, (str, Path)):
        return _of_path(item)
    if _is_pillow(item):
        item = _of_pillow(item)
    if getattr(item, "ndim", 0) not in (2, 3):
        raise UsageError(
            f"{name} is none that can be read.",
            expected="a path, bytes, an array (h, w) or (h, w, c), or a Pillow image",
            found=f"an array of shape {item.shape}" if hasattr(item, "shape") else type(item).__name__,
        )
    try:
        return [("", to_pnm(as_images(np.asarray(item)[None], name)[0]))]
    except BadImage as bad:
        raise _bad(name, bad) from bad


def _of_path(item: str | Path) -> list[tuple[str, bytes]]:
    path = Path(item).expanduser()
    if path.is_dir():
        return _of_place(path)
    try:
        with open_regular(path) as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or "no path"
        raise NotFound(f"Cannot read {shown(str(item))[:200]}.", found=found, hint="Check the path.") from error
    if is_image(raw[:HEAD]) or not _is_archive(path):
        return [(str(item), raw)]
    return _of_place(path)


def _is_archive(path: Path) -> bool:
    """Whether a file holds several images, so that it is opened as a place."""
    with open_regular(path) as file:
        head = file.read(512)
    return bool(head) and (is_zip(head) or is_tar(head) or compression_of(head) is not None or head[:4] in _PLACES)


def _of_place(path: Path) -> list[tuple[str, bytes]]:
    source = open_source(path, kind="image", labelled=False)
    found: list[tuple[str, bytes]] = []
    for row in source.rows():
        if isinstance(row, Problem):
            raise DataError(f"{row.origin} cannot be read as an image.", found=f"{row.reason} {row.detail}".strip())
        found.append((row.origin, row.content))
    return found


def _is_pillow(item: object) -> bool:
    library = sys.modules.get("PIL.Image")
    return library is not None and isinstance(item, library.Image)


def _of_pillow(image: Any) -> Any:
    """The pixels of a Pillow image, turned as its EXIF data says."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode not in ("1", "L", "LA", "RGB", "RGBA") and not image.mode.startswith("I;16"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    pixels = np.asarray(image)
    return np.asarray(image.convert("RGBA")) if image.mode == "LA" else pixels


def _look(raw: bytes, name: str) -> None:
    try:
        look(raw)
    except BadImage as bad:
        raise _bad(name, bad) from bad


def _bad(name: str, bad: BadImage) -> DataError:
    return DataError(
        f"{shown(name)} cannot be read as an image.",
        expected="a whole JPEG, PNG, WebP, BMP, GIF or TIFF file, or an array of pixels",
        found=str(bad),
    )
