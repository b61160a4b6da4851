"""Telling a table of fields by its first bytes, its name or its class, and opening it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final, Literal, cast

from lithify.data import records
from lithify.data.archives import is_zip
from lithify.data.columns import Asked, TextTableSource, is_text
from lithify.data.files import Folder, Member, Members, SingleFile
from lithify.data.frames import Frame
from lithify.data.layout import left_aside
from lithify.data.schema import Field, Problem
from lithify.data.source import Source
from lithify.data.streams import shown
from lithify.data.tabular import TableSource
from lithify.data.tabular_excel import ExcelTable, is_workbook
from lithify.data.tabular_files import ArrowTable, form_of
from lithify.data.tabular_parts import Chain, Part
from lithify.data.tabular_sql import MAGIC as SQLITE
from lithify.data.tabular_sql import SqliteTable
from lithify.data.tabular_text import ZSTD, Held, TextTable, Unpacked, sniff, sniffed
from lithify.errors import UnknownSource, UsageError

__all__ = ["KNOWN", "Held", "open_asked", "open_file", "open_folder", "open_frame", "open_text", "sniff"]

KNOWN: Final = "a CSV, TSV, JSON lines, Parquet, Arrow or Excel file, an SQLite database, or a folder of such files"
_BINARY: Final = (
    ".parquet", ".pq", ".feather", ".arrow", ".arrows", ".ipc", ".xlsx", ".xlsm", ".sqlite", ".sqlite3", ".db"
)  # fmt: skip
_HEAD: Final = 512

Like = tuple[Field, ...] | None


def open_frame(thing: object, asked: Asked, like: Like = None) -> TableSource:
    """The source for an object with columns."""
    _no_place(asked)
    pair = isinstance(thing, tuple) and len(thing) == 2
    frame = Frame(thing, asked.label if pair else None)
    if pair and asked.label is None and asked.labelled:
        asked = replace(asked, label=frame.schema.names[-1])
    return TableSource(frame, asked, like)


def open_file(path: Path, head: bytes, kind: str | None, asked: Asked, like: Like = None) -> Source | None:
    """The source for a file that its first bytes show to be a table, or text in Zstandard; None for any other."""
    if head.startswith(ZSTD):
        file = Unpacked(SingleFile(path))
        return open_text(file, {path.name: _sniffed(file)}, kind, asked, like)
    part = _binary(path, head, asked)
    if part is None:
        return None
    _refuse_kind(kind, path)
    return TableSource(part, asked, like)


def open_asked(members: Members, asked: Asked, like: Like = None) -> TableSource:
    """The source for a single file that is said to be a table of fields."""
    (name,) = (member.name for member in members if isinstance(member, Member))
    fields = [field.name for field in like or () if field.role == "input"]
    return _fields(members, {name: _sniffed(members, fields)}, asked, like)


def open_text(
    members: Members, forms: dict[str, records.Format], kind: str | None, asked: Asked, like: Like = None
) -> Source:
    """The source for text files of records: of texts where that is so, else of fields."""
    form = next(iter(forms.values()))
    if like is None and is_text(form.columns, asked, kind):
        return TextTableSource(members, forms, asked, cast("Literal['mail', 'text'] | None", kind))
    return _fields(members, forms, asked, like)


def _fields(members: Members, forms: dict[str, records.Format], asked: Asked, like: Like) -> TableSource:
    _no_place(asked)
    return TableSource(TextTable(members, forms), asked, like)


def _sniffed(members: Members, fields: Sequence[str] = ()) -> records.Format:
    """How the only member is written."""
    member = next(member for member in members if isinstance(member, Member))
    return sniffed(member, members.path.name, members.words if isinstance(members, Held) else None, fields)


def _binary(path: Path, head: bytes, asked: Asked) -> Part | None:
    if head.startswith(SQLITE):
        return SqliteTable(path, asked.query, asked.sheet)
    if is_zip(head) and is_workbook(path):
        _no_place(replace(asked, sheet=None))
        return ExcelTable(path, asked.sheet)
    form = form_of(head, path.name)
    if form is None:
        return None
    _no_place(asked)
    return ArrowTable(path, form)


def open_folder(members: Members, kind: str | None, asked: Asked, like: Like = None) -> TableSource | None:
    """The source for a folder or an archive of tables; None where it is something else, or a table of texts.

    It is one of tables when every file is one by its name, hidden files and the like aside; or when that is asked for,
    by the kind ``table`` or an option that only tables have.
    """
    if kind in ("mail", "text") or asked.text is not None:
        return None
    wanted = kind == "table" or asked.table is not None or like is not None
    found = _tables(Unpacked(members), wanted)
    if not found:
        if wanted:
            raise UnknownSource(f"{shown(str(members.path))} holds no table.", expected=KNOWN)
        return None
    forms = {name: form for name, form in found.items() if form is not None}
    binary = [name for name, form in found.items() if form is None]
    if not binary:
        first = next(iter(forms.values()))
        if not wanted and is_text(first.columns, asked, kind):
            return None
        return _fields(Unpacked(members), forms, asked, like)
    if not isinstance(members, Folder):
        raise UnknownSource(
            f"{shown(str(members.path))} holds {shown(binary[0])}, which cannot be read inside of {members.words}.",
            expected="CSV, TSV or JSON lines inside of archives",
            hint="Unpack it and give the folder.",
        )
    return TableSource(_chain(members, found, asked), asked, like)


def _chain(members: Folder, found: dict[str, records.Format | None], asked: Asked) -> Part:
    parts: list[Part] = []
    for name, form in found.items():
        if form is not None:
            parts.append(TextTable(Unpacked(members), {name: form}))
            continue
        path = members.path / name
        with path.open("rb") as file:
            part = _binary(path, file.read(_HEAD), asked)
        if part is None:
            raise UnknownSource(f"{shown(str(path))} is not what its name says.", expected=KNOWN)
        parts.append(part)
    return Chain(parts, list(found), members.words)


def _tables(members: Members, some: bool) -> dict[str, records.Format | None] | None:
    """Name → format of every table, None for those that are not text; None unless all files are tables or ``some``."""
    found: dict[str, records.Format | None] = {}
    for member in members:
        if isinstance(member, Problem) or left_aside(member.name):
            continue
        if _suffix(member.name) in _BINARY:
            found[member.name] = None
        elif records.suffix_kind(member.name.removesuffix(".zst")):
            found[member.name] = sniffed(member)
        elif not some:
            return None
    return dict(sorted(found.items())) if isinstance(members, Folder) else found


def _suffix(name: str) -> str:
    return PurePosixPath(name.lower()).suffix


def _refuse_kind(kind: str | None, path: Path) -> None:
    """Raises ``UsageError`` when a table of fields is asked to be mail or text."""
    if kind in ("mail", "text"):
        raise UsageError(
            f"{shown(path.name)} is a table, and not one of {kind}.",
            expected="a CSV, TSV or JSON lines file with a column of it",
            hint="Save it as CSV, or leave --kind out.",
        )


def _no_place(asked: Asked) -> None:
    """Raises ``UsageError`` for options that name a part of something that has none."""
    needs = {"query": "an SQLite database", "sheet": "an Excel workbook or an SQLite database"}
    for option, what in needs.items():
        if getattr(asked, option) is not None:
            raise UsageError(f"A {option} needs {what}.", hint=f"Leave --{option} out.")
