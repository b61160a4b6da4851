"""Recognising what a person gives as data, and opening it as a source."""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast, get_args

from lithify.data import image_open, layout, records
from lithify.data.archives import Tar, Zip, is_tar, is_zip
from lithify.data.collection import NoLabels
from lithify.data.columns import LABEL_NAMES, TEXT_NAMES, Asked, named
from lithify.data.files import Folder, SingleFile
from lithify.data.images import image_row
from lithify.data.mail import RAW_LIMIT, looks_like_mail, looks_like_mbox, mail_row
from lithify.data.recognise import KNOWN, ContentKind, files_source, no_columns, open_members
from lithify.data.schema import Field, FieldKind, Problem, Row, Task
from lithify.data.source import Source
from lithify.data.streams import compression_of, open_decompressed, open_regular, shown
from lithify.data.text import decode, text_row
from lithify.errors import NotFound, TooFewRows, UnknownSource, UsageError
from lithify.media.pixels import MAX_BYTES

_HEAD: Final = 1 << 20
TABLES: Final = (b"PK\3\4", b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"SQLite format 3\0", b"\x28\xb5\x2f\xfd")
"""How files begin that may be tables other than text; only for these the rooms that read them are loaded."""


def open_source(
    thing: Any,
    *,
    kind: str | None = None,
    label: str | None = None,
    text: str | None = None,
    time: str | None = None,
    group: str | None = None,
    side: str | None = None,
    weight: str | None = None,
    fields: Mapping[str, FieldKind] | None = None,
    task: Task | None = None,
    query: str | None = None,
    sheet: str | None = None,
    labelled: bool = True,
    like: tuple[Field, ...] | None = None,
) -> Source:
    r"""Opens a place with rows, whatever it is.

    A table (CSV, TSV, JSON lines) is one of texts or mails only where :func:`lithify.data.columns.is_text` says so:
    when that is asked for by ``kind`` or ``text``, or when a column with a plain name of texts is all that stands
    beside label, time, group, side and identifiers. Every other table is one of fields, of the kind ``table``; so are
    Parquet, Arrow and Excel files, SQLite databases, and what is in memory.

    Parameters
    ----------
    thing : str or Path, or an object with columns
        A folder, an archive or a file; ``-`` is one message on standard input, or with ``kind="table"`` a table. Or a
        pandas or Polars frame, an Arrow table, a dict of columns, a NumPy array or a pair (X, y) of arrays. Of images
        too: an array of three dimensions or four, or a Hugging Face data set.
    kind : "mail", "text", "table" or "image", optional
        What the rows hold; found out from the first bytes and the names of the columns when not given.
    label : str, optional
        Of a table: the column with the labels, or with the values to predict. Of mail or text that has no labels of its
        own: the label of all of it.
    text, time : str, optional
        Of a table: the columns with the text and the time.
    group : str, optional
        Of a table: the column with the group. Of mail: the header field whose value is the group.
    side : str, optional
        Of a table: the column that says ``train``, ``validation`` or ``test``. In folders, those named so above the
        labels say it.
    weight : str, optional
        Of a table of fields: the column with the weight of each row in training.
    fields : mapping of str to str, optional
        Of a table of fields: the kinds of some, in place of those that would be inferred.
    task : "classification" or "regression", optional
        What is learned from a table of fields; told by the label when not given.
    query, sheet : str, optional
        Which rows of a database; which sheet of a workbook, or table of a database.
    labelled : bool
        False accepts a table without a label column, as for prediction.
    like : tuple of Field, optional
        Fields of a model or a snapshot: a table is read with these, and nothing is inferred.

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
    if kind not in (None, "mail", "text", "table", "image"):
        raise UsageError(f"Unknown kind {kind!r}.", expected="mail, text, table or image")
    asked = Asked(
        label, text, time, group, side, labelled,
        weight=weight, kinds=_kinds(fields), task=_task(task), query=query, sheet=sheet,
    )  # fmt: skip
    if not isinstance(thing, (str, Path)):
        from lithify.data import tabular_open

        images = like is None and image_open.concerns(kind, asked)
        if images and (source := image_open.open_thing(thing, kind, asked)) is not None:
            return source
        if kind == "image":
            raise UnknownSource("There are no images in this object.", expected=image_open.KNOWN)
        return tabular_open.open_frame(thing, asked, like)
    if str(thing) == "-":
        return _standard_input(kind, asked, like)
    path = Path(thing).expanduser()
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        return open_members(Folder(path), kind, asked, like)
    if not stat.S_ISREG(mode):
        raise UnknownSource(f"{shown(str(path))} is a device, pipe or socket.", expected=KNOWN)
    return _open_file(path, kind, asked, like)


def _kinds(fields: Mapping[str, FieldKind] | None) -> tuple[tuple[str, FieldKind], ...]:
    for name, kind in (fields or {}).items():
        if kind not in get_args(FieldKind):
            expected = ", ".join(get_args(FieldKind))
            raise UsageError(f"The field {name!r} cannot be of the kind {kind!r}.", expected=expected)
    return tuple(sorted((fields or {}).items()))


def _task(task: Task | None) -> Task | None:
    if task not in (None, *get_args(Task)):
        raise UsageError(f"Unknown task {task!r}.", expected=" or ".join(get_args(Task)))
    return task


def _standard_input(kind: str | None, asked: Asked, like: tuple[Field, ...] | None) -> Source:
    if kind != "table":
        return _OneMessage(sys.stdin.buffer.read(MAX_BYTES + 1), cast("ContentKind | None", kind), asked)
    from lithify.data import tabular_open

    return tabular_open.open_asked(tabular_open.Held(sys.stdin.buffer.read()), asked, like)


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


def _open_file(path: Path, kind: str | None, asked: Asked, like: tuple[Field, ...] | None) -> Source:
    try:
        with open_regular(path) as file:
            head = file.read(512)
    except OSError as error:
        raise NotFound(f"Cannot read {shown(str(path))}.", found=error.strerror) from error
    if not head:
        raise TooFewRows(f"{shown(str(path))} is empty.", expected=KNOWN)
    images = like is None and image_open.concerns(kind, asked)
    if images and (source := image_open.open_file(path, head, asked)) is not None:
        return source
    if head.startswith(TABLES) and kind != "image":
        from lithify.data import tabular_open

        if (table := tabular_open.open_file(path, head, kind, asked, like)) is not None:
            return table
    if is_zip(head):
        return open_members(Zip(path), kind, asked, like)
    compression = compression_of(head)
    with open_decompressed(path, compression) as stream:
        head = stream.read(_HEAD)
    if not head:
        raise TooFewRows(f"{shown(str(path))} holds nothing but its compression.", expected=KNOWN)
    if is_tar(head):
        return open_members(Tar(path, compression), kind, asked, like)
    return _open_single(SingleFile(path, compression), head, kind, asked, like)


def _open_single(
    file: SingleFile, head: bytes, kind: str | None, asked: Asked, like: tuple[Field, ...] | None
) -> Source:
    if kind == "image":
        raise UnknownSource(f"There are no images in {shown(str(file.path))}.", expected=image_open.KNOWN)
    name = file.path.name
    plain = name.removesuffix(f".{file.compression}")
    if kind == "table":
        from lithify.data import tabular_open

        return tabular_open.open_asked(file, asked, like)
    content = cast("ContentKind | None", kind)
    if looks_like_mbox(head) or plain.lower().endswith((".mbox", ".mbx")):
        return files_source(
            file, NoLabels(asked.label), content or "mail", asked, mailboxes=frozenset([plain]), words="an mbox"
        )
    known = records.suffix_kind(name)
    if known is None and kind != "text" and looks_like_mail(head):
        return files_source(file, NoLabels(asked.label), "mail", asked, words="one message")
    from lithify.data import tabular_open

    form = tabular_open.sniff(head, name)
    if form is not None and (known or _asked_for(form, asked) or (kind is None and _is_table(form))):
        return tabular_open.open_text(file, {plain: form}, kind, asked, like)
    if layout.content_of(head) == "binary" and kind is None:
        raise _unknown(file.path, head)
    if plain.lower().endswith(".json") and kind is None:
        hint = "Write one object per line, and name the file .jsonl."
        raise UnknownSource(f"{shown(name)} is not JSON lines.", expected="one JSON object on every line", hint=hint)
    if known is not None:
        raise TooFewRows(f"{shown(str(file.path))} has no records.", expected="a first line with the column names")
    return files_source(file, NoLabels(asked.label), content or "text", asked, words="one file")


def _asked_for(form: records.Format, asked: Asked) -> bool:
    return asked.text is not None or asked.label in form.columns or asked.table is not None


def _is_table(form: records.Format) -> bool:
    """Whether a file without a telling name is a table: JSON lines, or a first line with a plain column name."""
    return form.kind == "json" or named(form.columns, (*LABEL_NAMES, *TEXT_NAMES)) is not None


def _unknown(path: Path, head: bytes) -> UnknownSource:
    hints = {
        b"PAR1": "Unpack it first: Parquet is compressed inside.",
        b"ARROW1": "Unpack it first: Arrow files are compressed inside.",
        b"SQLite format 3": "Unpack the database first.",
        b"FEA1": "Save the frame as Feather of version 2, or as Parquet.",
        b"\xd0\xcf\x11\xe0": "If it is an Outlook message, save it as .eml; an old Excel workbook, as .xlsx.",
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
        found = layout.content_of(raw)
        self.kind = kind or ("text" if found == "binary" else found)
        self._raw = raw
        self._asked = asked

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        return f"one {'message' if self.kind == 'mail' else self.kind} from standard input"

    def signature(self) -> str:
        """Changes when the files or the way they are read do."""
        return hashlib.sha256(self._raw).hexdigest()

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in a fixed order, in constant memory."""
        if self.kind == "mail":
            yield mail_row(self._raw[: RAW_LIMIT + 1], self._asked.label, "-", group=self._asked.group)
        elif self.kind == "image":
            yield image_row(self._raw, self._asked.label, "-")
        else:
            raw = self._raw[: RAW_LIMIT + 1]
            yield text_row(decode(raw), self._asked.label, "-", truncated=len(raw) > RAW_LIMIT)
