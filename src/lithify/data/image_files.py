"""Rows from files that are images: in folders and archives, labelled by their folders or by a list of names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lithify.data.collection import Labels
from lithify.data.files import Member, Members
from lithify.data.images import HEAD, image_row, is_image, is_named, read_image
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.data.streams import shown


class ImageFiles(Source):
    """Every file that is an image by its name or its first bytes; others are left aside, and counted.

    Parameters
    ----------
    members : Members
        The files.
    labels : Labels
        Which label each has.
    words, note : str
        What this is, where ``a folder of images`` does not say it; what else to say in the description.
    """

    kind = "image"

    def __init__(self, members: Members, labels: Labels, *, words: str = "", note: str = "") -> None:
        self._members = members
        self._labels = labels
        self._words = words or f"{members.words} of images"
        self._note = note
        self._aside = Aside()

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        return f"{self._words}{self._labels.words}{self._note}"

    def signature(self) -> str:
        """Changes when the files or the way they are read do."""
        return f"{self._members.signature()} image {self._labels.words}"

    def notes(self) -> list[str]:
        """How many files were left aside."""
        return self._aside.notes()

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in a fixed order, in constant memory."""
        self._aside = Aside()
        expected = self._labels.expected()
        for member in self._members:
            if isinstance(member, Problem):
                yield member
                continue
            expected.discard(member.name)
            if not self._labels.skips(member.name) and (found := self._member(member)) is not None:
                yield found
        for name in sorted(expected):
            yield Problem(self._members.origin(name), "unreadable", "listed among the labels, but not there")

    def _member(self, member: Member) -> Row | Problem | None:
        labels, name = self._labels, member.name
        origin = self._members.origin(name)
        try:
            raw = read_image(member) if is_named(name) else self._unnamed(member)
        except OSError as error:
            return Problem(origin, "unreadable", error.strerror or "cannot be read")
        if raw is None:
            return None
        label = labels.of(name)
        if isinstance(label, Problem):
            return replace(label, origin=origin)
        if label is None and labels.given:
            return Problem(origin, "no label")
        return image_row(raw, label, origin, side=labels.side(name), group=labels.group(name))

    def _unnamed(self, member: Member) -> bytes | None:
        """The bytes of a file whose name says nothing, None where they are no image."""
        raw = read_image(member)
        if is_image(raw[:HEAD]):
            return raw
        self._aside.add(member.name)
        return None


class Aside:
    """Files that are left aside: how many, and one of them."""

    def __init__(self) -> None:
        self.count = 0
        self._example = ""

    def add(self, name: str) -> None:
        """One more."""
        self.count += 1
        self._example = self._example or name

    def notes(self) -> list[str]:
        """What is to be said of them."""
        if not self.count:
            return []
        if self.count == 1:
            return [f"Left aside: {shown(self._example)}, which is no image."]
        return [f"Left aside: {self.count:,} files that are no images, such as {shown(self._example)}."]
