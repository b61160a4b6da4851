"""Rows from files: each file of a folder or an archive is a message, a text, or a mailbox of messages."""

from __future__ import annotations

import posixpath
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from lithify.data import text
from lithify.data.files import Member, Members
from lithify.data.index import Index
from lithify.data.layout import is_mailbox, left_aside, listed, mailbox_label, side_of
from lithify.data.mail import RAW_LIMIT, holds_several, mail_row, split_mbox
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.data.streams import shown


class Labels(ABC):
    """Which label a file has.

    Attributes
    ----------
    words : str
        Where the labels are, for a sentence.
    given : bool
        Whether there are labels at all, so that a file without one is a problem.
    """

    words: str
    given: bool = True

    @abstractmethod
    def of(self, name: str) -> str | Problem | None:
        """The label of the member ``name``, None when it has none; a ``Problem`` when it has two."""

    def side(self, name: str) -> str | None:
        """The side of a split that the place of the file names, None for nearly all files."""
        return None

    def group(self, name: str) -> str | None:
        """The group that something beside the file says, None for nearly all files."""
        return None

    def skips(self, name: str) -> bool:
        """Whether the file is no row."""
        return left_aside(name)

    def expected(self) -> set[str]:
        """Names of files that must be there."""
        return set()


class NoLabels(Labels):
    """No file has a label, or all have the same one, given by the caller."""

    def __init__(self, label: str | None = None) -> None:
        self._label = label
        self.given = label is not None
        self.words = f", all labelled {shown(label)}" if label is not None else ", without labels"

    def of(self, name: str) -> str | Problem | None:
        """The label of a member."""
        return self._label


class FolderLabels(Labels):
    """The label of a file is decided by its folder."""

    def __init__(self, labels: dict[tuple[str, ...], str | None], words: str, *, maildir: bool = False) -> None:
        self._labels = {"/".join(folder): label for folder, label in labels.items()}
        sides = {"/".join(folder): side_of(folder, label) for folder, label in labels.items()}
        self._sides = {folder: side for folder, side in sides.items() if side}
        self._maildir = maildir
        names = sorted({label for label in labels.values() if label is not None})
        self.given = bool(names)
        self.words = f" with {words} ({listed(names)})" if names else f", {words}, without labels"

    def of(self, name: str) -> str | Problem | None:
        """The label of a member."""
        folder = name.rpartition("/")[0]
        if self._maildir and posixpath.basename(folder) not in ("cur", "new"):
            return Problem(name, "no label", "in a maildir, but neither in cur nor in new")
        return self._labels.get(folder)

    def side(self, name: str) -> str | None:
        """The side named above the label."""
        return self._sides.get(name.rpartition("/")[0]) if self._sides else None

    def skips(self, name: str) -> bool:
        """Whether the file is no row."""
        # Mail in tmp is still being delivered.
        return left_aside(name) or (self._maildir and posixpath.basename(posixpath.dirname(name)) == "tmp")


class MailboxLabels(Labels):
    """The label of a mailbox is its file name."""

    def __init__(self, names: list[str]) -> None:
        self._names = frozenset(names)
        self.words = f" with one mbox per label ({listed(sorted({mailbox_label(name) for name in names}))})"

    def of(self, name: str) -> str | Problem | None:
        """The label of a member."""
        return mailbox_label(name) if name in self._names else None


class IndexLabels(Labels):
    """The labels stand in an index file."""

    def __init__(self, index: Index, beside: frozenset[str]) -> None:
        self._index = index
        self._beside = beside
        names = sorted({label for label in index.labels.values() if label is not None})
        self.words = f" with labels in {shown(index.name)} ({listed(names)})"

    def of(self, name: str) -> str | Problem | None:
        """The label of a member."""
        if self._index.labels.get(name, "") is None:
            return Problem(shown(name), "two labels", f"in {shown(self._index.name)}")
        return self._index.labels.get(name)

    def skips(self, name: str) -> bool:
        """Whether the file is no row."""
        return name in self._beside or (name not in self._index.labels and left_aside(name))

    def expected(self) -> set[str]:
        """Names of files that must be there."""
        return set(self._index.labels)


class FilesSource(Source):
    """Messages or texts that lie in files.

    Parameters
    ----------
    members : Members
        The files.
    labels : Labels
        Which label each has.
    kind : "mail" or "text"
        What each file holds.
    group : str, optional
        Header field whose value is the row's group; for mail only.
    mailboxes : frozenset of str
        Names of files that hold many messages, besides those named ``*.mbox``.
    words, note : str
        What this is, where ``a folder of mail`` does not say it; what else to say in the description.
    """

    def __init__(
        self,
        members: Members,
        labels: Labels,
        kind: Literal["mail", "text"],
        *,
        group: str | None = None,
        mailboxes: frozenset[str] = frozenset(),
        words: str = "",
        note: str = "",
    ) -> None:
        self.kind = kind
        self._members = members
        self._labels = labels
        self._group = group
        self._mailboxes = mailboxes
        self._words = words
        self._note = note

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        what = self._words or f"{self._members.words} of {self.kind}"
        return f"{what}{self._labels.words}{self._note}"

    def signature(self) -> str:
        """Changes when the files or the way they are read do."""
        return f"{self._members.signature()} {self.kind} {self._group} {self._labels.words}"

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in a fixed order, in constant memory."""
        expected = self._labels.expected()
        for member in self._members:
            if isinstance(member, Problem):
                yield member
                continue
            expected.discard(member.name)
            if not self._labels.skips(member.name):
                yield from self._member(member)
        for name in sorted(expected):
            yield Problem(self._members.origin(name), "unreadable", "listed among the labels, but not there")

    def _member(self, member: Member) -> Iterator[Row | Problem]:
        origin = self._members.origin(member.name)
        label = self._labels.of(member.name)
        if isinstance(label, Problem):
            yield replace(label, origin=origin)
        elif label is None and self._labels.given:
            yield Problem(origin, "no label")
        else:
            try:
                yield from self._contents(member, label, origin)
            except OSError as error:
                yield Problem(origin, "unreadable", error.strerror or "cannot be read")

    def _contents(self, member: Member, label: str | None, origin: str) -> Iterator[Row | Problem]:
        side = self._labels.side(member.name)
        if self.kind == "text":
            raw = member.read(text.RAW_LIMIT + 1)
            yield text.text_row(text.decode(raw), label, origin, side=side, truncated=len(raw) > text.RAW_LIMIT)
            return
        with member.lines() as stream:
            mailbox = is_mailbox(member.name, self._mailboxes)
            raw = b"" if mailbox else stream.read(RAW_LIMIT + 1)
            if not mailbox and not holds_several(raw):
                yield mail_row(raw, label, origin, group=self._group, side=side)
                return
            for number, message in enumerate(split_mbox(stream, begun=raw), start=1):
                yield mail_row(message, label, f"{origin}:{number}", group=self._group, side=side)
