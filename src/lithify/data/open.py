"""Recognising what a person gives as data, and opening it as a source."""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from lithify.data import layout, records
from lithify.data.archives import Tar, Zip, is_tar, is_zip
from lithify.data.collection import NoLabels
from lithify.data.columns import LABEL_NAMES, TEXT_NAMES, Asked, TableSource, named
from lithify.data.files import Folder, SingleFile
from lithify.data.inputs import read_input as read_input
from lithify.data.mail import RAW_LIMIT, looks_like_mail, looks_like_mbox, mail_row
from lithify.data.recognise import KNOWN, ContentKind, files_source, no_columns, open_members
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.data.streams import compression_of, open_decompressed, open_regular, shown
from lithify.data.text import decode, text_row
from lithify.errors import NotFound, TooFewRows, UnknownSource, UsageError

_HEAD: Final = 1 << 20


def open_source(
    thing: str | Path,
    *,
    kind: str | None = None,
    label: str | None = None,
    text: str | None = None,
    time: str | None = None,
    group: str | None = None,
    side: str | None = None,
    labelled: bool = True,
) -> Source:
    r"""Opens a place with rows, whatever it is.

    Parameters
    ----------
    thing : str or Path
        A folder, an archive or a file; ``-`` is one message on standard input.
    kind : "mail" or "text", optional
        What the rows hold; found out from the first bytes when not given.
    label : str, optional
        Of a table: the column with the labels. Of mail or text that has no labels of its own: the label of all of it.
    text, time : str, optional
        Of a table: the columns with the text and the time.
    group : str, optional
        Of a table: the column with the group. Of mail: the header field whose value is the group.
    side : str, optional
        Of a table: the column that says ``train``, ``validation`` or ``test``. In folders, those named so above the
        labels say it.
    labelled : bool
        False accepts a table without a label column, as for prediction.

    Raises
    ------
    NotFound
        Nothing is there.
    UnknownSource
        Something is there, but no rows can be read from it.
    TooFewRows
        It is empty.
    DamagedSource, UnsafeSource
        An archive is cut short, or leads outside of itself.
    UsageError
        An option does not fit what was found.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as home:
    ...     for name in ("ham", "spam"):
    ...         pathlib.Path(home, name).mkdir()
    ...         _ = pathlib.Path(home, name, "1.eml").write_bytes(b"From: a@b.org\nSubject: hello\n\nhello")
    ...     source = open_source(home)
    ...     source.kind, source.describe(), [row.label for row in source.rows()]
    ('mail', 'a folder of mail with one sub-folder per label (ham, spam)', ['ham', 'spam'])
    """
    if kind not in (None, "mail", "text"):
        raise UsageError(f"Unknown kind {kind!r}.", expected="mail or text")
    wanted = cast("ContentKind | None", kind)
    asked = Asked(label, text, time, group, side, labelled)
    if str(thing) == "-":
        return _OneMessage(sys.stdin.buffer.read(RAW_LIMIT + 1), wanted, asked)
    path = Path(thing).expanduser()
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        return open_members(Folder(path), wanted, asked)
    if not stat.S_ISREG(mode):
        raise UnknownSource(f"{shown(str(path))} is a device, pipe or socket.", expected=KNOWN)
    return _open_file(path, wanted, asked)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError) as error:
        near = difflib.get_close_matches(path.name, _beside(path), 1)
        reason = "" if isinstance(error, FileNotFoundError) else f" ({getattr(error, 'strerror', None) or error})"
        hint = f"Did you mean {shown(near[0])}?" if near else "Check the path."
        raise NotFound(f"There is nothing at {shown(str(path))}{reason}.", hint=hint) from error


def _beside(path: Path) -> list[str]:
    try:
        return os.listdir(path.parent)[:10_000]
    except (OSError, ValueError):
        return []


# --- one file -------------------------------------------------------------------------------------------------------


def _open_file(path: Path, kind: ContentKind | None, asked: Asked) -> Source:
    try:
        with open_regular(path) as file:
            head = file.read(512)
    except OSError as error:
        raise NotFound(f"Cannot read {shown(str(path))}.", found=error.strerror) from error
    if not head:
        raise TooFewRows(f"{shown(str(path))} is empty.", expected=KNOWN)
    if is_zip(head):
        return open_members(Zip(path), kind, asked)
    compression = compression_of(head)
    with open_decompressed(path, compression) as stream:
        head = stream.read(_HEAD)
    if not head:
        raise TooFewRows(f"{shown(str(path))} holds nothing but its compression.", expected=KNOWN)
    if is_tar(head):
        return open_members(Tar(path, compression), kind, asked)
    return _open_single(SingleFile(path, compression), head, kind, asked)


def _open_single(file: SingleFile, head: bytes, kind: ContentKind | None, asked: Asked) -> Source:
    name = file.path.name
    plain = name.removesuffix(f".{file.compression}")
    if looks_like_mbox(head) or plain.lower().endswith((".mbox", ".mbx")):
        return files_source(
            file, NoLabels(asked.label), kind or "mail", asked, mailboxes=frozenset([plain]), words="an mbox"
        )
    known = records.suffix_kind(name)
    if known is None and kind != "text" and looks_like_mail(head):
        return files_source(file, NoLabels(asked.label), "mail", asked, words="one message")
    form = records.sniff(head, name)
    if form is not None and (known or _asked_for(form, asked) or (kind is None and _is_table(form))):
        return TableSource(file, {plain: form}, asked, kind)
    if plain.lower().endswith(".json") and kind is None:
        hint = "Write one object per line, and name the file .jsonl."
        raise UnknownSource(f"{shown(name)} is not JSON lines.", expected="one JSON object on every line", hint=hint)
    if known is not None:
        raise TooFewRows(f"{shown(str(file.path))} has no records.", expected="a first line with the column names")
    if layout.content_of(head) == "binary" and kind is None:
        raise _unknown(file.path, head)
    return files_source(file, NoLabels(asked.label), kind or "text", asked, words="one file")


def _asked_for(form: records.Format, asked: Asked) -> bool:
    return asked.text is not None or asked.label in form.columns


def _is_table(form: records.Format) -> bool:
    """Whether a file without a telling name is a table: JSON lines, or a first line with a plain column name."""
    return form.kind == "json" or named(form.columns, (*LABEL_NAMES, *TEXT_NAMES)) is not None


def _unknown(path: Path, head: bytes) -> UnknownSource:
    hints = {
        b"PAR1": "Save the table as CSV.",
        b"\xd0\xcf\x11\xe0": "If it is an Outlook message, save it as .eml.",
        b"!BDN": "Export the Outlook folder as mbox.",
        b"7z\xbc\xaf": "Unpack it and give the folder.",
        b"Rar!": "Unpack it and give the folder.",
    }
    hint = next((hint for magic, hint in hints.items() if head.startswith(magic)), None)
    return UnknownSource(f"Cannot read rows from {shown(str(path))}.", expected=KNOWN, found="binary data", hint=hint)


class _OneMessage(Source):
    """One message or text that was read already."""

    def __init__(self, raw: bytes, kind: ContentKind | None, asked: Asked) -> None:
        no_columns(asked, "standard input")
        self.kind = kind or ("mail" if layout.content_of(raw) == "mail" else "text")
        self._raw = raw
        self._asked = asked

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        return f"one {'message' if self.kind == 'mail' else 'text'} from standard input"

    def signature(self) -> str:
        """Changes when the files or the way they are read do."""
        return hashlib.sha256(self._raw).hexdigest()

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in a fixed order, in constant memory."""
        if self.kind == "mail":
            yield mail_row(self._raw, self._asked.label, "-", group=self._asked.group)
        else:
            yield text_row(decode(self._raw), self._asked.label, "-", truncated=len(self._raw) > RAW_LIMIT)
