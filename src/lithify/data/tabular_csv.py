"""CSV by Arrow: blocks of text become record batches of strings."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

from lithify.data import records
from lithify.data.schema import Problem
from lithify.data.tabular_parts import BATCH_ROWS, Piece
from lithify.data.text import FALLBACK
from lithify.errors import DamagedSource

BLOCK: Final = 2 << 20
"""Bytes that are parsed at a time; a longer record is left to the slower reader."""
_END: Final = "\0end of records\0"
"""A line after the last: inside of a cell it shows a quote that was never closed."""
_READ: Final = 1 << 20
_UNCLOSED: Final = "a quote that is never closed"


class TooLong(Exception):
    """A record that does not fit into a block; all before it was yielded."""


def csv_pieces(stream: IO[bytes], form: records.Format, names: Sequence[str], origin: str) -> Iterator[Piece | Problem]:
    """Every record of a CSV as a row of strings, or as a problem where its cells are not as many as the names.

    Parameters
    ----------
    stream : binary stream
    form : Format
        How it is written, as :func:`lithify.data.records.sniff` says.
    names : sequence of str
        The columns in the order of the file.
    origin : str
        How the file is named to a person. Rows are numbered as their lines are in a file in which no cell holds a line
        end and no blank line stands between rows.

    Raises
    ------
    TooLong
    """
    text = _Text(stream, form.encoding)
    bad: list[tuple[int, str]] = []
    width, number = len(names), 2
    held: Piece | None = None

    def skip(row: Any) -> str:
        ending = row.text.rstrip("\r\n")
        if ending != _END:
            unclosed = ending.endswith(_END)
            many = f"{row.actual_columns} cells where the first line has {width}"
            bad.append((row.number, _UNCLOSED if unclosed else many))
        return "skip"

    batches = _batches(text, form, names, skip)
    while True:
        try:
            batch = next(batches, None)
        except TooLong:
            if held is not None:
                yield held
            raise
        if batch is None:
            break
        if held is not None:
            yield held
        # Arrow parses ahead of what it hands out: all bad records up to here are known, and perhaps some after it
        numbers, after, passed = _numbered(batch.num_rows, number, [at for at, _ in bad])
        for at, detail in bad[:passed]:
            yield Problem(f"{origin}:{at + text.blank}", "bad record", detail)
        del bad[:passed]
        number = after
        held = Piece(batch, origin, _moved(numbers, text.blank))
    if held is not None:
        yield from _without_end(held)
    for at, detail in bad:
        yield Problem(f"{origin}:{at + text.blank}", "bad record", detail)


def _batches(text: _Text, form: records.Format, names: Sequence[str], skip: Any) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv

    # one thread: with more, bad records would not know their numbers
    reading = csv.ReadOptions(
        column_names=list(names), block_size=BLOCK, use_threads=False, skip_rows_after_names=1, encoding="utf8"
    )
    parsing = csv.ParseOptions(
        delimiter=form.delimiter,
        quote_char='"' if form.quoted else False,
        newlines_in_values=form.quoted,
        invalid_row_handler=skip,
    )
    converting = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
    )
    try:
        # a raw stream may give less than a block at a time, a buffered one only at the end
        reader = csv.open_csv(_Blocks(text, _READ), reading, parsing, converting)
        while (batch := reader.read_next_batch()) is not None:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield batch.slice(start, BATCH_ROWS)
    except StopIteration:
        return
    except pa.ArrowInvalid as error:
        if "straddling" in str(error) or "block" in str(error):
            raise TooLong from None
        raise DamagedSource("A CSV cannot be read.", found=str(error)[:200]) from error


def _numbered(count: int, number: int, bad: Sequence[int]) -> tuple[Sequence[int], int, int]:
    """Numbers of ``count`` good records from ``number`` on, the number after them, and how many bad ones they pass.

    >>> _numbered(3, 2, [3, 9])
    ([2, 4, 5], 6, 1)
    """
    if not bad or bad[0] > number + count:
        return range(number, number + count), number + count, 0
    wrong, numbers = set(bad), list[int]()
    while len(numbers) < count:
        if number not in wrong:
            numbers.append(number)
        number += 1
    return numbers, number, sum(at < number for at in bad)


def _moved(numbers: Sequence[int], by: int) -> Sequence[int]:
    if not by:
        return numbers
    if isinstance(numbers, range):
        return range(numbers.start + by, numbers.stop + by)
    return [number + by for number in numbers]


def _without_end(piece: Piece) -> Iterator[Piece | Problem]:
    """The last piece without the line after the last, which is a row where there is one column."""
    batch = piece.batch
    last = batch.column(batch.num_columns - 1)[batch.num_rows - 1].as_py()
    if not last.rstrip("\r\n").endswith(_END):
        yield piece
        return
    if batch.num_rows > 1:
        yield Piece(batch.slice(0, batch.num_rows - 1), piece.origin, piece.numbers[:-1])
    if batch.num_columns > 1 or last != _END:
        yield Problem(f"{piece.origin}:{piece.numbers[-1]}", "bad record", _UNCLOSED)


class _Blocks(io.BufferedReader):
    """Blocks for Arrow, none of which ends between the two characters of a line end.

    Arrow leaves out a line feed that comes first in a block when the block before it ended in a carriage return, and
    does so in the middle of a quoted cell as well.
    """

    _held = b""

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes; one less where the last would be a carriage return."""
        size = -1 if size is None else size
        found = self._held + super().read(size - len(self._held) if size > 0 else size)
        self._held = b"\r" if size > 1 and len(found) > 1 and found.endswith(b"\r") else b""
        return found[: len(found) - len(self._held)]


class _Text(io.RawIOBase):
    """A CSV as UTF-8, without a mark and without blank lines at its top, and with a line after its last.

    Attributes
    ----------
    blank : int
        How many lines were left out at the top.
    """

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(FALLBACK)
        self._ready = memoryview(b"")
        self._begun = False
        self._ended = False
        self.blank = 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fills ``buffer`` and returns how many bytes it got."""
        while not self._ready and not self._ended:
            self._ready = memoryview(self._next().encode())
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _next(self) -> str:
        raw = self._stream.read(_READ)
        text = self._decoder.decode(raw, not raw)
        if not self._begun:
            plain = text.lstrip("\ufeff").lstrip("\r\n")
            self.blank += text[: len(text) - len(plain)].replace("\r\n", "\n").count("\n")
            self._begun, text = bool(plain), plain
        if not raw:
            self._ended = True
            text += f"\n{_END}\n"
        return text
