"""What every table is read as: record batches of bounded size, with columns of a few plain types.

CSV and JSON lines, spreadsheets and databases give every column as strings, so that what a column holds is decided in
one place (:mod:`lithify.data.fields`); files and frames with types of their own keep them, as far as they are
:func:`plain <lithify.data.tabular_types.plain_type>`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lithify.data.layout import listed
from lithify.data.schema import Problem
from lithify.data.streams import shown
from lithify.data.tabular_types import cell_text, plain_batch, plain_schema, text_array
from lithify.errors import UsageError

BATCH_ROWS: Final = 65_536
"""The most rows that are in memory as one batch."""
ROWS_TOGETHER: Final = 16_384
CHARACTERS_TOGETHER: Final = 32 << 20
"""A batch made row by row ends at either of these."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a table in their order.

    Attributes
    ----------
    batch : pyarrow.RecordBatch
        Columns of plain types, named as the table's.
    origin : str
        The file they are from.
    numbers : sequence of int
        For each row its line in the file, or its row number where there are no lines.
    """

    batch: Any
    origin: str
    numbers: Sequence[int]


class Part(ABC):
    """A table that can be read again and again, in constant memory.

    Attributes
    ----------
    words : str
        What it is, for the end of the sentence "Reading ...".
    schema : pyarrow.Schema
        Names and plain types of its columns.
    """

    words: str
    schema: Any

    @abstractmethod
    def pieces(self) -> Iterator[Piece | Problem]:
        """Every row in a fixed order, and a problem for each record that cannot be read, where it stands."""

    @abstractmethod
    def signature(self) -> str:
        """Changes when the data does."""

    def notes(self) -> list[str]:
        """What a person should know about the way it was read; complete once it was."""
        return []


class Chain(Part):
    """Several files with the same columns, one after the other."""

    def __init__(self, parts: Sequence[Part], names: Sequence[str], where: str) -> None:
        first, *others = parts
        for part, name in zip(others, names[1:], strict=True):
            same_columns(first.schema.names, part.schema.names, shown(names[0]), shown(name))
        self._parts = parts
        self.schema = plain_schema([part.schema for part in parts])
        self.words = first.words + (f" and {len(others)} more with the same columns in {where}" if others else "")

    def notes(self) -> list[str]:
        """What a person should know about the way it was read."""
        return list(dict.fromkeys(note for part in self._parts for note in part.notes()))

    def signature(self) -> str:
        """Changes when one of the files does."""
        return " ".join(part.signature() for part in self._parts)

    def pieces(self) -> Iterator[Piece | Problem]:
        """Every row of every file."""
        for part in self._parts:
            for piece in part.pieces():
                yield (
                    piece if isinstance(piece, Problem) else replace(piece, batch=plain_batch(piece.batch, self.schema))
                )


def column_names(found: Iterable[object], where: str) -> tuple[tuple[str, ...], list[str]]:
    """Names without blanks around them, and what is to be said about those that were made up.

    A column without a name is called by its place. Raises ``UsageError`` when two columns bear one name.

    >>> column_names(["a ", "", "b"], "t.csv")
    (('a', 'column_2', 'b'), ["The column without a name is called 'column_2'."])
    """
    plain = [str(name).strip() if name is not None else "" for name in found]
    made = {place: f"column_{place}" for place, name in enumerate(plain, 1) if not name}
    names = tuple(name or made[place] for place, name in enumerate(plain, 1))
    twice = [shown(name)[:60] for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(
            f"Columns of {where} bear the same name.",
            expected="a name of its own for each column",
            found=listed(map(repr, twice)),
            hint="Rename or remove one of each.",
        )
    called = listed([repr(name) for name in made.values()])
    which = "The column without a name is" if len(made) == 1 else f"{len(made)} columns without a name are"
    return names, [f"{which} called {called}."] if made else []


def same_columns(names: Sequence[str], others: Sequence[str], first: str, other: str) -> None:
    """Raises ``UsageError`` unless two files of one table have the same columns, in whatever order."""
    lacking, extra = (sorted(set(a) - set(b)) for a, b in ((names, others), (others, names)))
    if lacking or extra:
        parts = [("lacks", lacking), ("has besides", extra)]
        raise UsageError(
            f"{other} has other columns than {first}.",
            expected="files with the same columns",
            found="; ".join(f"it {verb} {listed([repr(shown(n)[:60]) for n in part])}" for verb, part in parts if part),
            hint="Give the files that belong together, or one of them.",
        )


def string_pieces(
    rows: Iterable[tuple[int, Sequence[object] | Mapping[str, object] | str]], names: Sequence[str], origin: str
) -> Iterator[Piece | Problem]:
    """Pieces of strings from rows one after the other.

    A row is its number with its cells, by place or by name; a str in place of the cells says why there are none.
    """
    numbers: list[int] = []
    columns: list[list[str | None]] = [[] for _ in names]
    size = 0
    for number, row in rows:
        if isinstance(row, str):
            if numbers:
                yield Piece(_strings(columns, names), origin, numbers)
                numbers, columns, size = [], [[] for _ in names], 0
            yield Problem(f"{origin}:{number}", "bad record", row)
            continue
        numbers.append(number)
        cells = [row.get(name) for name in names] if isinstance(row, Mapping) else row
        for column, cell in zip(columns, cells, strict=True):
            text = cell if isinstance(cell, str) else cell_text(cell)
            size += 0 if text is None else len(text)
            column.append(text)
        if len(numbers) >= ROWS_TOGETHER or size >= CHARACTERS_TOGETHER:
            yield Piece(_strings(columns, names), origin, numbers)
            numbers, columns, size = [], [[] for _ in names], 0
    if numbers:
        yield Piece(_strings(columns, names), origin, numbers)


def _strings(columns: list[list[str | None]], names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([text_array(column) for column in columns], names=list(names))
