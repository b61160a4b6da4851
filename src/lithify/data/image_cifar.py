"""CIFAR-10 and CIFAR-100 in their binary version: records of a label or two and 3,072 bytes of pixels.

Source: Krizhevsky, "The CIFAR-10 dataset", https://www.cs.toronto.edu/~kriz/cifar.html, section "Binary version".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from lithify.data.files import Member, Members
from lithify.data.images import image_row
from lithify.data.layout import listed
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.data.streams import damaged, shown
from lithify.errors import UnknownSource, UsageError
from lithify.media.pixels import to_pnm

_PIXELS: Final = 3 * 32 * 32
_RECORDS: Final = 1024
_TEN: Final = re.compile(r"(data_batch_\d+|test_batch)\.bin")
_HUNDRED: Final = ("train.bin", "test.bin")
_PICKLED: Final = re.compile(r"data_batch_\d+|test_batch|batches\.meta")
_NAMES: Final = 1 << 16


class Layout(NamedTuple):
    """Which files hold records, how many labels each has, and the files with the names of the labels."""

    batches: list[str]
    labels: tuple[str, ...]
    names: dict[str, str]


def recognise(names: Sequence[str]) -> Layout | None:
    """What files by these names are, None where they are not CIFAR; raises ``UnknownSource`` for the pickled version.

    >>> recognise(["c/data_batch_1.bin", "c/batches.meta.txt", "c/readme.html"])
    Layout(batches=['c/data_batch_1.bin'], labels=('label',), names={'label': 'c/batches.meta.txt'})
    """
    base = {name: posixpath.basename(name) for name in names}
    found = {short: name for name, short in base.items()}
    ten = sorted(name for name, short in base.items() if _TEN.fullmatch(short))
    if ten:
        meta = found.get("batches.meta.txt")
        return Layout(ten, ("label",), {"label": meta} if meta else {})
    hundred = sorted(found[short] for short in _HUNDRED if short in found)
    if hundred and "fine_label_names.txt" in found:
        meta_names = {which: found.get(f"{which}_label_names.txt") for which in ("coarse", "fine")}
        return Layout(hundred, ("coarse", "fine"), {which: name for which, name in meta_names.items() if name})
    pickled = [name for name, short in base.items() if _PICKLED.fullmatch(short)]
    if len(pickled) > 1 or (len(base) <= 5 and {"train", "test", "meta"} <= set(base.values())):
        raise UnknownSource(
            "This is the Python version of CIFAR, which is pickled: reading it could run any code.",
            expected="the binary version",
            found=listed([shown(name) for name in pickled or sorted(names)], 3),
            hint="Get the binary version (cifar-10-binary.tar.gz) and give that.",
        )
    return None


class CifarImages(Source):
    """The batches of one of the two data sets; those whose names begin with ``test`` are the test side."""

    kind = "image"

    def __init__(self, members: Members, layout: Layout, wanted: str | None) -> None:
        if wanted is not None and wanted not in layout.labels:
            raise UsageError(
                f"CIFAR has no labels {wanted!r}.", expected=" or ".join(layout.labels), hint="Leave the label out."
            )
        self._members = members
        self._layout = layout
        self._label = wanted or layout.labels[-1]
        self._names = _read_names(members, layout.names.get(self._label))

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        which = "CIFAR-10" if len(self._layout.labels) == 1 else f"CIFAR-100 with {self._label} labels"
        return f"{self._members.words} of {which} in its binary version"

    def signature(self) -> str:
        """Changes when the files or the way they are read do."""
        return f"{self._members.signature()} cifar {self._label}"

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in the order of the files."""
        for member in self._members:
            if isinstance(member, Problem):
                yield member
            elif member.name in self._layout.batches:
                yield from self._batch(member)

    def _batch(self, member: Member) -> Iterator[Row | Problem]:
        before = len(self._layout.labels)
        size = before + _PIXELS
        side = "test" if posixpath.basename(member.name).startswith("test") else "train"
        origin = self._members.origin(member.name)
        number = 0
        with member.lines() as stream:
            while raw := stream.read(size * _RECORDS):
                if len(raw) % size:
                    raise damaged(self._members.path, f"{shown(member.name)} does not hold whole images")
                some = np.frombuffer(raw, np.uint8).reshape(-1, size)
                pixels = some[:, before:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
                codes = some[:, self._layout.labels.index(self._label)].tolist()
                for image, code in zip(pixels, codes, strict=True):
                    yield self._row(image, code, f"{origin}:{number}", side)
                    number += 1

    def _row(self, image: np.ndarray, code: int, origin: str, side: str) -> Row | Problem:
        if self._names and code >= len(self._names):
            return Problem(origin, "bad record", "its label has no name")
        return image_row(to_pnm(image), self._names[code] if self._names else str(code), origin, side=side)


def _read_names(members: Members, name: str | None) -> list[str]:
    for member in members:
        if isinstance(member, Member) and member.name == name:
            lines = member.read(_NAMES).decode("utf-8", "replace").splitlines()
            return [line.strip() for line in lines if line.strip()]
    return []
