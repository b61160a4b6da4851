"""Images in IDX files, the format of MNIST: one file of pixels and beside it one of labels.

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import math
import posixpath
import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify.data import records
from lithify.data.files import Member, Members
from lithify.data.images import image_row
from lithify.data.layout import SIDES
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.data.streams import damaged, shown
from lithify.errors import UsageError
from lithify.media.pixels import BadImage, to_pnm

_IMAGES: Final = re.compile(r"(?i)(^|.*[-_.])images?[-_.]idx3[-_.]ubyte(\.gz|\.xz|\.bz2)?$")
_LARGEST: Final = 4 << 30


class IdxImages(Source):
    """Pairs of IDX files.

    Parameters
    ----------
    members : Members
        The files.
    names : sequence of str
        Those with the pixels, as of :func:`image_files`; the labels are looked for under :func:`label_file`.
    label : str, optional
        The label of all images where there is no file with labels.
    sided : bool
        Whether the names say sides of a split.
    labelled : bool
        Whether images without labels are problems.
    """

    kind = "image"

    def __init__(
        self, members: Members, names: Sequence[str], *, label: str | None, sided: bool, labelled: bool = True
    ) -> None:
        self._members = members
        self._names = sorted(names)
        self._label = label
        self._sided = sided
        self._labelled = labelled
        present = {member.name for member in members if isinstance(member, Member)}
        self._labels = {name: stem for name in self._names if (stem := label_file(name, present)) is not None}
        if label is not None and self._labels:
            raise UsageError("A label cannot be given for data with labels of its own.", hint="Leave the label out.")

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        of = "" if self._labels else ", without labels"
        count = "an IDX file" if len(self._names) == 1 else f"{len(self._names)} IDX files"
        return f"{self._members.words} with {count} of images{of}"

    def signature(self) -> str:
        """Changes when the files or the way they are read do."""
        return f"{self._members.signature()} idx {self._names} {self._label}"

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in the order of the files."""
        wanted = {*self._names, *self._labels.values()}
        arrays: dict[str, NDArray[np.uint8]] = {}
        for member in self._members:
            if isinstance(member, Problem):
                yield member
            elif member.name in wanted:
                arrays[member.name] = self._read(member)
        for name in self._names:
            if name in arrays:
                yield from self._rows(name, arrays.pop(name), arrays.get(self._labels.get(name, "")))

    def _rows(self, name: str, images: NDArray[np.uint8], labels: Any) -> Iterator[Row | Problem]:
        if labels is not None and len(labels) != len(images):
            raise damaged(self._members.path, f"{len(images):,} images, but {len(labels):,} labels")
        side = idx_side(name) if self._sided else None
        for number, image in enumerate(images):
            origin = f"{self._members.origin(name)}:{number}"
            label = self._label if labels is None else str(int(labels[number]))
            if label is None and self._labels and self._labelled:
                yield Problem(origin, "no label")
                continue
            try:
                yield image_row(to_pnm(image), label, origin, side=side)
            except BadImage as bad:
                yield Problem(origin, bad.reason, bad.detail)

    def _read(self, member: Member) -> NDArray[np.uint8]:
        with records.open_records(member) as stream:
            content = stream.read(_LARGEST)
        dimensions = 3 if member.name in self._names else 1
        try:
            return parse_idx(content, dimensions)
        except ValueError as error:
            raise damaged(self._members.path, f"{shown(member.name)}: {error}") from error


def parse_idx(content: bytes, dimensions: int) -> NDArray[np.uint8]:
    r"""The array in the bytes of an IDX file of uint8; raises ``ValueError`` for any other bytes.

    >>> parse_idx(b"\0\0\x08\x01\0\0\0\x02\x07\x09", 1).tolist()
    [7, 9]
    """
    start = 4 + 4 * dimensions
    if content[:4] != bytes((0, 0, 8, dimensions)) or len(content) < start:
        raise ValueError("not an IDX file of bytes")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise ValueError(f"{len(content) - start:,} bytes where the header says {math.prod(shape):,}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def image_files(names: Sequence[str]) -> list[str]:
    """The names of IDX files of images.

    >>> image_files(["train-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte", "train-labels-idx1-ubyte", "a.txt"])
    ['train-images-idx3-ubyte.gz', 't10k-images.idx3-ubyte']
    """
    return [name for name in names if _IMAGES.match(posixpath.basename(name))]


def label_file(name: str, present: set[str]) -> str | None:
    """The file with the labels of a file of images, compressed or not; None where there is none."""
    folder, base = posixpath.split(name)
    plain = re.sub(r"(?i)\.(gz|xz|bz2)$", "", base)
    for mark in ("-", "."):
        labels = re.sub(r"(?i)image(s?)[-_.]idx3", rf"label\1{mark}idx1", plain)
        for ending in ("", ".gz", ".xz", ".bz2"):
            if (found := posixpath.join(folder, labels + ending)) in present:
                return found
    return None


def idx_side(name: str) -> str | None:
    """The side that a file's name says; ``t10k`` is the test set of MNIST.

    >>> idx_side("emnist-letters-train-images-idx3-ubyte"), idx_side("t10k-images-idx3-ubyte")
    ('train', 'test')
    """
    words = re.split(r"[-_.]", posixpath.basename(name).lower())
    return next(("test" if word == "t10k" else SIDES[word] for word in words if word == "t10k" or word in SIDES), None)
