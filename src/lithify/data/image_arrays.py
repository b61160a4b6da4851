"""Images in memory: arrays of pixels with their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify.data.images import image_row
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.errors import UsageError
from lithify.media.pixels import BadImage, to_pnm

SHAPES: Final = "(n, h, w), (n, h, w, c) or (n, c, h, w), c being 1, 3 or 4"


@dataclass(frozen=True)
class Stack:
    """Images of one side of a split, or of none: ``x`` as of :func:`as_images`, ``y`` one label for each or None."""

    x: NDArray[Any]
    y: list[str | None] | None
    side: str | None = None
    name: str = "array"


class ImageArrays(Source):
    r"""Arrays of pixels.

    Examples
    --------
    >>> source = ImageArrays([Stack(np.zeros((2, 4, 4), np.uint8), ["cat", "dog"])], "arrays X and y")
    >>> [(row.label, row.content[:9]) for row in source.rows()]
    [('cat', b'P5\n4 4\n25'), ('dog', b'P5\n4 4\n25')]
    """

    kind = "image"

    def __init__(self, stacks: Sequence[Stack], words: str, signature: str = "", *, labelled: bool = True) -> None:
        self._stacks = stacks
        self._words = words
        self._signature = signature
        self._labelled = labelled

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        without = ", without labels" if all(stack.y is None for stack in self._stacks) else ""
        return f"{self._words} of images{without}"

    def signature(self) -> str:
        """Digest of all pixels and labels."""
        if self._signature:
            return self._signature
        hasher = hashlib.sha256()
        for stack in self._stacks:
            hasher.update(repr((len(stack.x), str(stack.x.dtype), stack.side, stack.y)).encode())
            for image in stack.x:
                hasher.update(repr(image.shape).encode())
                hasher.update(np.ascontiguousarray(image).data)
        return hasher.hexdigest()

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in a fixed order."""
        for stack in self._stacks:
            labels = [None] * len(stack.x) if stack.y is None else stack.y
            for number, (image, label) in enumerate(zip(stack.x, labels, strict=True)):
                origin = f"{stack.name}:{number}"
                if label is None and (stack.y is not None) and self._labelled:
                    yield Problem(origin, "no label")
                    continue
                try:
                    yield image_row(to_pnm(image), label, origin, side=stack.side)
                except BadImage as bad:
                    yield Problem(origin, bad.reason, bad.detail)


def as_images(x: Any, what: str = "X") -> NDArray[Any]:
    """An array (n, h, w) or (n, h, w, c) of whole numbers or of floats in [0, 1] from what a person gives.

    Channels that come first are moved last where that is the only reading: 1, 3 or 4 of them, and not so many columns.
    Floats up to 255 are rounded. A list of uint8 images of several sizes becomes an array of arrays.

    Raises
    ------
    UsageError
        Another shape or type, or values that are no pixels.

    Examples
    --------
    >>> as_images(np.zeros((5, 3, 32, 32))).shape, as_images(np.full((1, 2, 2), 255.0)).dtype
    ((5, 32, 32, 3), dtype('uint8'))
    """
    try:
        values: NDArray[Any] = np.asarray(x)
    except ValueError:
        values = np.empty(0)  # arrays of several shapes
        if all(getattr(image, "dtype", None) == np.uint8 and image.ndim in (2, 3) for image in x):
            values = np.empty(len(x), dtype=object)
            values[:] = x
            return values
    if values.ndim == 4 and values.shape[3] not in (1, 3, 4) and values.shape[1] in (1, 3, 4):
        values = np.moveaxis(values, 1, 3)
    if values.ndim not in (3, 4) or (values.ndim == 4 and values.shape[3] not in (1, 3, 4)):
        raise UsageError(f"{what} holds no images.", expected=f"an array {SHAPES}", found=f"the shape {values.shape}")
    if values.dtype.kind not in "buif":
        raise UsageError(f"{what} holds no images.", expected="numbers", found=f"an array of {values.dtype}")
    if values.dtype in (np.uint8, np.uint16, np.bool_) or not values.size:
        return values
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return values
    if low >= 0 and high <= 255:
        whole: NDArray[np.uint8] = np.rint(values).astype(np.uint8)
        return whole
    if values.dtype.kind in "iu" and low >= 0 and high <= 65535:
        return values.astype(np.uint16)
    raise UsageError(
        f"The values of {what} are no pixels.",
        expected="values from 0 to 255, or floats from 0 to 1",
        found=f"values from {low:g} to {high:g}",
        hint="Give the pixels as they were before they were normalised.",
    )


def as_labels(y: Any, count: int, names: Sequence[str] = ()) -> list[str | None]:
    """One label for each of ``count`` images, as texts; whole numbers are positions in ``names`` where there are any.

    >>> as_labels([[1], [0]], 2, ["cat", "dog"]), as_labels(np.array([1.0, 7.0]), 2)
    (['dog', 'cat'], ['1', '7'])
    """
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or len(values) != count:
        raise UsageError(
            "There must be one label for each image.",
            expected=f"an array of {count:,}",
            found=f"the shape {values.shape}",
            hint="Labels as columns of 0 and 1 become numbers by y.argmax(axis=1)." if values.ndim == 2 else None,
        )
    return [label_of(value, names) for value in values.tolist()]


def label_of(value: object, names: Sequence[str] = ()) -> str | None:
    """A label as text; None for what is none, such as the -1 of a test set without labels."""
    if value is None or value == "" or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and names:
        return names[value] if 0 <= value < len(names) else None
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip() or None


def of_pair(x: Any, y: Any, *, labelled: bool = True) -> ImageArrays:
    """A source for a pair (X, y)."""
    images = as_images(x)
    return ImageArrays([Stack(images, as_labels(y, len(images)))], "arrays X and y", labelled=labelled)
