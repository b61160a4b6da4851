"""Images whose labels stand in files of the same name beside them, in one tar or in many: WebDataset shards.

Source: the WebDataset format, https://github.com/webdataset/webdataset: files of one sample lie one after the other and
share everything up to the first dot of their names.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lithify.data.archives import Tar
from lithify.data.files import Member, Members
from lithify.data.image_files import Aside
from lithify.data.images import image_row, is_named, read_image
from lithify.data.layout import SIDECARS, left_aside, side_named, side_of
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.data.streams import compression_of, open_regular, shown
from lithify.data.text import decode

_KEYS: Final = ("label", "cls", "class", "target")
_LIMIT: Final = 1 << 20


class ImageSamples(Source):
    """Images with a file of the same name and the ending ``cls``, ``json`` or ``txt`` that says the label.

    A ``json`` file holds an object with a ``label`` or ``cls``; the others hold the label and nothing else.
    """

    kind = "image"

    def __init__(self, members: Members, ending: str, *, labelled: bool = True, note: str = "") -> None:
        self._members = members
        self._ending = ending
        self._labelled = labelled
        self._note = note
        self._aside = Aside()

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        return f"{self._members.words} of images with labels in files .{self._ending} beside them{self._note}"

    def signature(self) -> str:
        """Changes when the files or the way they are read do."""
        return f"{self._members.signature()} image samples {self._ending}"

    def notes(self) -> list[str]:
        """How many files were left aside."""
        return self._aside.notes()

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in a fixed order, in constant memory."""
        self._aside = Aside()
        sample = _Sample("")
        for member in self._members:
            if isinstance(member, Problem):
                yield member
                continue
            if left_aside(member.name):
                continue
            key, ending = _parts(member.name)
            if key != sample.key:
                yield from self._row(sample)
                sample = _Sample(key)
            try:
                self._add(sample, member, ending)
            except OSError as error:
                yield Problem(self._members.origin(member.name), "unreadable", error.strerror or "cannot be read")
        yield from self._row(sample)

    def _add(self, sample: _Sample, member: Member, ending: str) -> None:
        if is_named(member.name):
            if sample.raw is None or "." not in ending:
                sample.raw, sample.origin = read_image(member), self._members.origin(member.name)
        elif ending == self._ending:
            sample.said = member.read(_LIMIT)
        elif ending not in SIDECARS:
            self._aside.add(member.name)

    def _row(self, sample: _Sample) -> Iterator[Row | Problem]:
        if sample.raw is None:
            return
        try:
            label = None if sample.said is None else _label(sample.said, self._ending)
        except (ValueError, RecursionError):
            yield Problem(sample.origin, "bad record", f"its file .{self._ending} is no JSON object with a label")
            return
        if not label and self._labelled:
            yield Problem(sample.origin, "no label")
        else:
            side = side_of(tuple(posixpath.dirname(sample.key).split("/")), None)
            yield image_row(sample.raw, label or None, sample.origin, side=side)


class _Sample:
    """What is known of one sample while its files go by."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.raw: bytes | None = None
        self.said: bytes | None = None
        self.origin = ""


def _parts(name: str) -> tuple[str, str]:
    """Key and ending of a member.

    >>> _parts("a.b/0001.seg.PNG")
    ('a.b/0001', 'seg.png')
    """
    folder, base = posixpath.split(name)
    key, _, ending = base.partition(".")
    return posixpath.join(folder, key), ending.lower()


def _label(said: bytes, ending: str) -> str | None:
    r"""The label that a file says; raises ``ValueError`` where it says none.

    >>> _label(b"7\n", "cls"), _label(b'{"label": "cat", "width": 4}', "json")
    ('7', 'cat')
    """
    if ending != "json":
        return decode(said).strip()
    found = json.loads(said)
    label = next((found[key] for key in _KEYS if key in found), None) if isinstance(found, dict) else None
    if isinstance(label, bool) or not isinstance(label, (str, int)):
        raise ValueError("no label")
    return str(label).strip()


class Shards(Members):
    """The members of several tar archives in one folder, one archive after the other.

    A member's name begins with the side of a split where the name of its archive says one.
    """

    def __init__(self, folder: Members, names: list[str]) -> None:
        self.path = folder.path
        self.words = f"{len(names)} tar archives" if len(names) != 1 else "a tar archive"
        self._folder = folder
        self._archives = [_tar(folder.path / name) for name in sorted(names)]
        self._current = self._archives[0]
        self._prefix = ""

    def origin(self, name: str) -> str:
        """How the member that was asked for last, or another one of its archive, is named to a person."""
        return self._current.origin(name.removeprefix(self._prefix))

    def signature(self) -> str:
        """Changes when one of the archives does."""
        return self._folder.signature()

    def __iter__(self) -> Iterator[Member | Problem]:
        for archive in self._archives:
            side = side_named(archive.path.name.partition(".")[0])
            self._current, self._prefix = archive, f"{side}/" if side else ""
            for member in archive:
                if isinstance(member, Member) and side:
                    member = Member(self._prefix + member.name, member.size, member.open)
                yield member


def _tar(path: Path) -> Tar:
    with open_regular(path) as file:
        return Tar(path, compression_of(file.read(16)))


def ending_of(endings: dict[str, int], pictures: int) -> str | None:
    """Which files say the labels, None where too few images have one.

    >>> ending_of({"txt": 9, "cls": 10}, 10), ending_of({"txt": 1}, 10)
    ('cls', None)
    """
    return next((ending for ending in SIDECARS if 2 * endings.get(ending, 0) > pictures), None)


def shard_names(names: list[str]) -> list[str] | None:
    """The archives of a folder in which there is nothing else, None where there are other files."""
    tars = [name for name in names if name.lower().endswith((".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2"))]
    return tars if tars and len(tars) == len(names) and all("/" not in shown(name) for name in names) else None
