"""Images in NumPy files, and in arrays that go together by their names; nothing is ever unpickled."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify.data import streams
from lithify.data.image_arrays import ImageArrays, Stack, as_images, as_labels
from lithify.data.layout import SIDES, listed
from lithify.data.streams import damaged, shown
from lithify.errors import UnknownSource, UsageError

_IMAGES: Final = ("x", "images", "image", "data", "imgs", "arr_0")
_LABELS: Final = ("y", "labels", "label", "target", "targets", "arr_1")
_SIDED: Final = re.compile(
    r"^(?:(?P<side>train|training|test|val|valid|validation)_?(?P<what>\w+)|(?P<what2>\w+?)_(?P<side2>train|test|val|valid))$"
)


def stacks_of(arrays: Mapping[str, Any], where: str) -> list[Stack]:
    """Images and labels that belong together by their names; raises ``UsageError`` where there are none."""
    found: dict[str | None, dict[str, Any]] = {}
    for name, values in arrays.items():
        side, what = _role(name)
        if what:
            found.setdefault(side, {}).setdefault(what, values)
    stacks = []
    for side, both in found.items():
        if "x" in both:
            x = as_images(both["x"], f"the images of {where}")
            stacks.append(Stack(x, as_labels(both["y"], len(x)) if "y" in both else None, side, where))
    if not stacks:
        raise UsageError(
            f"{where} holds no images by the names of its arrays.",
            expected="x and y, images and labels, or x_train, y_train, x_test and y_test",
            found=listed(arrays),
        )
    return stacks


def _role(name: str) -> tuple[str | None, str | None]:
    """Side and part (``x`` or ``y``) that the name of an array says.

    >>> _role("x_train"), _role("test_labels"), _role("X"), _role("mean")
    (('train', 'x'), ('test', 'y'), (None, 'x'), (None, None))
    """
    plain = name.lower()
    side = None
    if (match := _SIDED.match(plain)) is not None:
        side, plain = match["side"] or match["side2"], match["what"] or match["what2"]
    what = "x" if plain in _IMAGES else "y" if plain in _LABELS else None
    return (SIDES.get(side, side) if side else None), what


def is_npz(path: Path) -> bool:
    """Whether a zip archive is one of NumPy arrays."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def open_npz(path: Path, signature: str, *, labelled: bool = True) -> ImageArrays:
    """The source for an ``.npz`` file; nothing in it is unpickled.

    Raises ``UnknownSource`` for arrays of objects, ``UsageError`` for names that say nothing, ``DamagedSource``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            budget = streams.Budget(path, path.stat().st_size)
            arrays = {}
            for info in archive.infolist():
                budget.spend(info.file_size)
                with archive.open(info) as file:
                    arrays[info.filename.removesuffix(".npy")] = _read_array(file, info.file_size, path)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, *streams.BROKEN) as error:
        raise damaged(path) from error
    return ImageArrays(stacks_of(arrays, shown(path.name)), "a NumPy archive", signature, labelled=labelled)


def open_npy(path: Path, signature: str) -> ImageArrays:
    """The source for an ``.npy`` file, which holds images without labels."""
    try:
        with path.open("rb") as file:
            values = _read_array(file, path.stat().st_size, path)
    except ValueError as error:
        raise damaged(path) from error
    return ImageArrays([Stack(as_images(values, shown(path.name)), None)], "a NumPy file", signature)


def _read_array(file: IO[bytes], size: int, path: Path) -> NDArray[Any]:
    """One array; what its header says is believed only as far as the file is large."""
    major, _ = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise UnknownSource(
            f"{shown(path.name)} holds Python objects, and reading them could run any code.",
            expected="arrays of numbers or texts",
            hint="Save it again with arrays of one type: labels as y.astype(str), images as one uint8 array.",
        )
    count = 1
    for length in shape:
        count *= length
    if count * dtype.itemsize > size:
        raise damaged(path)
    flat = np.frombuffer(bytearray(file.read(count * dtype.itemsize)), dtype, count)
    return flat.reshape(shape, order="F" if fortran else "C")
