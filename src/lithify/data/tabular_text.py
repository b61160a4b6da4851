"""Tables in text files: CSV and its relatives, and JSON lines.

CSV is parsed by Arrow, every column as strings; a file that Arrow cannot parse (a record longer than a block, such as
after a quote that is never closed) is read by :mod:`lithify.data.records` from that record on. What is not a row is a
``Problem`` at its line:

====================================  ==============================================================================
a record with other cells than names  bad record, with both numbers
a quote that is never closed          bad record at the line where it opens; what it swallowed is lost, and that is said
a line that is no JSON object         bad record
a cell or line over 16 MiB            bad record
bytes that are not UTF-8              read as UTF-16 or UTF-32 after their marks, else as Windows-1252
NUL characters                        kept in the cell; a file of them without a mark is read as UTF-16
many control characters               no table: ``UnknownSource``
a blank line                          left out
====================================  ==============================================================================
"""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Final, cast

from lithify.data import records
from lithify.data.files import Member, Members
from lithify.data.images import is_image
from lithify.data.schema import Problem
from lithify.data.streams import Budget, Guard, shown
from lithify.data.tabular_csv import TooLong, csv_pieces
from lithify.data.tabular_parts import Part, Piece, column_names, same_columns, string_pieces
from lithify.errors import TooFewRows, UnknownSource

JSON_ROWS: Final = 10_000
"""How many records tell the columns of a file of JSON lines."""
ZSTD: Final = b"\x28\xb5\x2f\xfd"
_CONTROLS: Final = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1a\x1b")


class TextTable(Part):
    """The text files among ``members`` that ``forms`` names, which have the same columns."""

    def __init__(self, members: Members, forms: Mapping[str, records.Format]) -> None:
        import pyarrow as pa

        self._members = members
        self._forms = dict(forms)
        self._names: dict[str, tuple[str, ...]] = {}
        self._notes: list[str] = []
        for name, form in forms.items():
            found = form.columns if form.kind == "csv" else self._keys(name)
            self._names[name], notes = column_names(found, members.words if isinstance(members, Held) else shown(name))
            self._notes += [note for note in notes if note not in self._notes]
        self.schema = pa.schema([(name, pa.string()) for name in self._columns()])
        form = next(iter(forms.values()))
        many = "" if len(forms) == 1 else f" and {len(forms) - 1} more with the same columns in {members.words}"
        self.words = form.words + many

    def _columns(self) -> list[str]:
        """The columns of all files; in JSON lines a key may be absent, in CSV a column may not."""
        tables = [name for name, form in self._forms.items() if form.kind == "csv"]
        for other in tables[1:]:
            same_columns(self._names[tables[0]], self._names[other], shown(tables[0]), shown(other))
        return list(dict.fromkeys(column for names in self._names.values() for column in names))

    def signature(self) -> str:
        """Changes when the files do."""
        return self._members.signature()

    def notes(self) -> list[str]:
        """What a person should know about the way it was read."""
        return self._notes

    def pieces(self) -> Iterator[Piece | Problem]:
        """Every row in a fixed order, and a problem for each record that cannot be read."""
        for member in self._members:
            if isinstance(member, Problem):
                yield member
            elif member.name in self._forms:
                try:
                    yield from self._file(member)
                except OSError as error:
                    yield Problem(self._members.origin(member.name), "unreadable", str(error.strerror or error))

    def _file(self, member: Member) -> Iterator[Piece | Problem]:
        form, origin = self._forms[member.name], self._members.origin(member.name)
        if form.kind == "json":
            yield from string_pieces(_told(records.records(member, form)), self.schema.names, origin)
            return
        names, done = self._names[member.name], 0
        try:
            with records.open_records(member) as stream:
                for piece in csv_pieces(stream, form, names, origin):
                    done += 1 if isinstance(piece, Problem) else len(piece.numbers)
                    yield self._whole(piece)
        except TooLong:
            found = records.records(self._again(member.name), replace(form, columns=names))
            for piece in string_pieces(_told(islice(found, done, None)), names, origin):
                yield self._whole(piece)

    def _whole(self, piece: Piece | Problem) -> Piece | Problem:
        """The piece with the columns in the order of the table; those it lacks are empty."""
        if isinstance(piece, Problem) or piece.batch.schema.names == self.schema.names:
            return piece
        import pyarrow as pa

        rows, held = piece.batch.num_rows, set(piece.batch.schema.names)
        columns = [piece.batch.column(n) if n in held else pa.nulls(rows, pa.string()) for n in self.schema.names]
        return replace(piece, batch=pa.RecordBatch.from_arrays(columns, schema=self.schema))

    def _again(self, name: str) -> Member:
        """A member of which some was read already: members open once, so it is looked up anew."""
        return next(m for m in self._members if not isinstance(m, Problem) and m.name == name)

    def _keys(self, name: str) -> list[str]:
        """The keys of the first records of a file of JSON lines, in the order in which they come."""
        found: dict[str, None] = {}
        for _, record in islice(records.records(self._again(name), self._forms[name]), JSON_ROWS):
            found.update({} if isinstance(record, records.Bad) else dict.fromkeys(record))
        return list(found)


def _told(
    found: Iterator[tuple[int, records.Record | records.Bad]],
) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    for number, record in found:
        yield number, record.detail if isinstance(record, records.Bad) else record


def sniffed(
    member: Member, name: str | None = None, called: str | None = None, fields: Collection[str] = ()
) -> records.Format:
    """How a text file of records is written; raises ``TooFewRows`` when there are none, ``UnknownSource`` for an image.

    ``called`` names it to a person. A single column needs a name that says what the file is, or to be one of the
    ``fields`` that are looked for: else any line of text would be a header.
    """
    name = member.name if name is None else name
    with records.open_records(member) as stream:
        head = stream.read(1 << 20)
    form = sniff(head, name) or _single_column(head, fields)
    whose = shown(name) if called is None else called[:1].upper() + called[1:]
    if is_image(head):
        raise UnknownSource(f"{whose} is an image.", expected="rows of a table")
    if _is_binary(head):
        raise UnknownSource(f"{whose} is not text.", expected="rows of a table, as text", found="binary data")
    if form is None:
        raise TooFewRows(f"{whose} has no records.", expected="a first line with the column names")
    return form


def _is_binary(head: bytes) -> bool:
    """Whether one byte in fifty is a control character that no text holds; UTF-16 and UTF-32 are text."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)) or _unmarked(head):
        return False
    return len(head) - len(head.translate(None, _CONTROLS)) > max(16, len(head) // 50)


def _single_column(head: bytes, fields: Collection[str]) -> records.Format | None:
    form = sniff(head, "column.csv") if fields else None
    return form if form is not None and form.columns[0] in fields else None


def sniff(head: bytes, name: str) -> records.Format | None:
    """As :func:`lithify.data.records.sniff`; text without a mark of which every other byte is NUL is UTF-16.

    None also for what is not text.
    """
    if _is_binary(head):
        return None
    name = name.removesuffix(".zst")
    coding = _unmarked(head)
    if coding is None:
        return records.sniff(head, name)
    form = records.sniff(head[: len(head) // 2 * 2].decode(coding, "replace").encode(), name)
    return form and replace(form, encoding=coding, words=f"{form.words} in UTF-16")


def _unmarked(head: bytes) -> str | None:
    """``utf-16-le`` or ``utf-16-be`` where most of every other byte is the NUL of a plain letter, else None."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return None
    some = head[:4096]
    most, few = 0.35 * len(some), 0.03 * len(some)
    even, odd = some[0::2].count(0), some[1::2].count(0)
    return "utf-16-le" if odd > most and even <= few else "utf-16-be" if even > most and odd <= few else None


class Unpacked(Members):
    """Members as they are, but for Zstandard, which the streams of all sources do not know: that is decompressed."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self.path = members.path
        self.words = members.words

    def __iter__(self) -> Iterator[Member | Problem]:
        return (item if isinstance(item, Problem) else _unpacked(item) for item in self._members)

    def origin(self, name: str) -> str:
        """How a member is named to a person."""
        return self._members.origin(name)

    def signature(self) -> str:
        """Changes when the files or the way they are read do."""
        return self._members.signature()


class Held(Members):
    """A file that was read already, as from standard input; ``words`` name it to a person."""

    def __init__(self, content: bytes, name: str = "-", words: str = "standard input") -> None:
        self._content = content
        self.path = Path(name)
        self.words = words

    def __iter__(self) -> Iterator[Member]:
        yield Member(str(self.path), len(self._content), partial(io.BytesIO, self._content))

    def origin(self, name: str) -> str:
        """How a member is named to a person."""
        return name

    def signature(self) -> str:
        """Digest of the content."""
        return hashlib.sha256(self._content).hexdigest()


def _unpacked(member: Member) -> Member:
    return Member(member.name, member.size, partial(_unpack, member))


def _unpack(member: Member) -> IO[bytes]:
    import pyarrow as pa

    stream = member.lines()
    if not stream.peek(4).startswith(ZSTD):
        return stream
    path = Path(member.name)
    packed = cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd"))
    guard = Guard(packed, path, Budget(path, member.size), (OSError, pa.ArrowInvalid), closes=stream)
    return io.BufferedReader(guard, 1 << 16)
