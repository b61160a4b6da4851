"""Records of a CSV, TSV or JSON lines file, one after the other, whatever their encoding."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, Literal, Protocol, cast

from lithify.data.files import Member
from lithify.data.streams import compression_of, decompressed
from lithify.data.text import FALLBACK, encoding_of

FIELD_LIMIT: Final = 16 << 20
"""A longer field, or JSON line, is a bad record: most likely a quote that is never closed."""
SUFFIXES: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
}
_END: Final = "\0end of records\0"
"""A line after the last: one that ends up inside of a cell shows a quote that was never closed."""
_CUT: Final = "\0cut\0"
_ENCODINGS: Final = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-32": "UTF-32"}

_TOO_LONG: Final = f"longer than {FIELD_LIMIT >> 20} MiB"

Record = dict[str, object]


class _Reader(Protocol):
    """What ``csv.reader`` returns."""

    line_num: int

    def __next__(self) -> list[str]: ...

    def __iter__(self) -> Iterator[list[str]]: ...


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that cannot be read, and why."""

    detail: str


@dataclass(frozen=True, slots=True)
class Format:
    """How a file of records is written.

    ``words`` is for people. ``delimiter`` and ``quoted`` mean nothing for JSON lines.
    """

    kind: Literal["csv", "json"]
    words: str
    columns: tuple[str, ...]
    encoding: str = "utf-8"
    delimiter: str = ","
    quoted: bool = True


def suffix_kind(name: str) -> str | None:
    """``csv`` or ``json`` when the name says that the file holds records, else None.

    >>> suffix_kind("a.csv"), suffix_kind("A.JSONL.gz"), suffix_kind("a.eml")
    ('csv', 'json', None)
    """
    plain = name.lower().removesuffix(".gz").removesuffix(".xz").removesuffix(".bz2")
    return SUFFIXES.get(PurePosixPath(plain).suffix)


def sniff(head: bytes, name: str = "") -> Format | None:
    r"""The format of a file from its name and first bytes; None when it holds no records.

    Parameters
    ----------
    head : bytes
        The first 64 KiB or more; the last line may be cut.
    name : str
        The file's name, for its suffix.

    Examples
    --------
    >>> sniff(b"label,text\nspam,buy\n").columns
    ('label', 'text')
    >>> sniff(b'{"text": "a", "label": 1}\n').kind
    'json'
    """
    encoding = encoding_of(head)
    text = head.decode(encoding, FALLBACK).lstrip("\ufeff")
    suffix = suffix_kind(name)
    if suffix == "json" or (suffix is None and text.lstrip()[:1] == "{"):
        columns = _json_columns(text)
        return Format("json", "JSON lines" + _in(head, encoding), columns, encoding) if columns or suffix else None
    line = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = _delimiter(line, name)
    if not text.strip() or (suffix is None and (delimiter is None or "\0" in text)):
        return None
    delimiter = delimiter or ","
    quoted = delimiter != "\t" or _quoted(text[: 1 << 16])
    reader = _reader(io.StringIO(text, newline=""), delimiter, quoted)
    columns = tuple(cell.strip() for cell in next(filter(None, reader)))
    words = {",": "a CSV file", "\t": "a TSV file"}.get(delimiter, f"a CSV file parted by {delimiter!r}")
    return Format("csv", words + _in(head, encoding), columns, encoding, delimiter, quoted)


def records(member: Member, form: Format) -> Iterator[tuple[int, Record | Bad]]:
    """Line number and record, one after the other, in constant memory; records that cannot be read are :class:`Bad`."""
    with io.TextIOWrapper(open_records(member), form.encoding, FALLBACK, newline="") as stream:
        yield from _json_records(stream) if form.kind == "json" else _csv_records(stream, form)


def open_records(member: Member) -> io.BufferedReader:
    """The member's bytes, decompressed when it is gzip inside of a folder or an archive."""
    stream = member.lines()
    compression = compression_of(stream.peek(8)[:8])
    return stream if compression is None else decompressed(stream, Path(member.name), compression, member.size)


def _csv_records(stream: io.TextIOWrapper, form: Format) -> Iterator[tuple[int, Record | Bad]]:
    reader = _reader(cast(IO[str], stream), form.delimiter, form.quoted)
    columns = form.columns
    first, line = True, 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            found: Record | Bad = Bad(_csv_detail(str(error)))
        else:
            if not cells or cells == [_END] or first:
                first, line = first and not cells, reader.line_num + 1
                continue
            found = _record(cells, columns)
        yield line, found
        first, line = False, reader.line_num + 1


def _reader(stream: IO[str], delimiter: str, quoted: bool) -> _Reader:
    """The limit is the process's, not the reader's: it is only ever raised, so that long messages fit."""
    csv.field_size_limit(max(csv.field_size_limit(), FIELD_LIMIT))
    return csv.reader(
        _lines(stream),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )


def _lines(stream: IO[str]) -> Iterator[str]:
    """Every line, an endless one cut and marked, and one line after the last."""
    while line := stream.readline(2 * FIELD_LIMIT):
        cut = len(line) == 2 * FIELD_LIMIT and line[-1] not in "\r\n"
        yield line + _CUT if cut else line
        while cut and (rest := stream.readline(2 * FIELD_LIMIT)):
            cut = rest[-1] not in "\r\n"
    yield _END


def _json_records(stream: io.TextIOWrapper) -> Iterator[tuple[int, Record | Bad]]:
    number, whole = 0, True
    while line := stream.readline(FIELD_LIMIT + 1):
        started, whole = whole, line[-1] in "\r\n"
        number += started
        if not started:
            continue
        if not whole and len(line) > FIELD_LIMIT:
            yield number, Bad(_TOO_LONG)
        elif line.strip(" \t\r\n\ufeff"):
            yield number, _json_record(line)


def _json_record(line: str) -> Record | Bad:
    try:
        found = json.loads(line.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return Bad("not JSON")
    return found if isinstance(found, dict) else Bad("not a JSON object")


def _json_columns(text: str) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for line in text.splitlines()[:100]:
        if isinstance(found := _json_record(line), dict):
            names.update(dict.fromkeys(found))
    return tuple(names)


def _record(cells: list[str], columns: tuple[str, ...]) -> Record | Bad:
    if cells[-1].endswith(_END):
        return Bad("a quote that is never closed")
    if cells[-1].endswith(_CUT):
        return Bad(_TOO_LONG)
    if len(cells) == len(columns):
        return dict(zip(columns, cells, strict=True))
    return Bad(f"{len(cells)} cells where the first line has {len(columns)}")


def _csv_detail(message: str) -> str:
    return _TOO_LONG if "field larger" in message else "broken quoting"


def _delimiter(line: str, name: str) -> str | None:
    if re.search(r"\.(tsv|tab)(\.\w+)?$", name.lower()) and "\t" in line:
        return "\t"
    counts = {mark: re.sub(r'"[^"]*"', "", line).count(mark) for mark in ",\t;|"}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else None


def _quoted(text: str) -> bool:
    """Whether tab-separated cells are quoted, or their quotes are text: whole quoted cells outnumber the others."""
    cells = [cell.strip("\r\n") for line in text.splitlines() for cell in line.split("\t") if cell.startswith('"')]
    whole = sum(len(cell) > 1 and cell.endswith('"') for cell in cells)
    return whole > len(cells) - whole


def _in(head: bytes, encoding: str) -> str:
    if encoding != "utf-8":
        return f" in {_ENCODINGS[encoding]}"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return " in Windows-1252 where it is not UTF-8"
    return ""
