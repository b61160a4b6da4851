"""Rows from tables of fields: two passes, the first to find out what the columns hold.

The first pass reads the first :data:`INFER_ROWS` rows and decides each field's kind; the second turns every row into
its canonical content. Nothing is ever in memory but one batch. What is wrong with a table is handled and said:

==================================  ================================================================================
a record with other cells           quarantined (bad record), with both numbers; see :mod:`lithify.data.tabular_text`
columns with one name               ``UsageError`` that lists the names
a column without a name             called ``column_3`` by its place, and said
an empty file, or only a header     ``TooFewRows``; without rows to be scored nothing is read
a kind that later cells do not fit  these cells count as missing; how many is said, column by column
columns without any value,          left out by the inference, and said; see :mod:`lithify.data.fields`
or with one value, or identifiers
no column that tells rows apart     ``UsageError`` that says why each was left out
infinite numbers                    missing (:mod:`lithify.data.cells`)
dates written in several ways       a time, as far as each can be read by itself (:mod:`lithify.data.fields`)
any number of categories            all are in the content; which of them count is the features' to decide
a row without label or value        quarantined (no label)
a value to predict beyond 1e100     quarantined (bad record)
a weight not from 0 to 1e100        quarantined (bad record)
a time that cannot be read          the row has none; counted as other cells that do not fit are
files with other columns            ``UsageError`` that names file and columns; another order is nothing
columns of other types in files     read as numbers where all are, else as texts
to be scored: a missing column      missing in every row, and said; all of them missing is a ``UsageError``
to be scored: a column too many     left out, and said
to be scored: a value never seen    in the content as it is; the features have a code for it
==================================  ================================================================================
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat
from typing import Any, Final

from lithify.data.cells import Reader
from lithify.data.chunks import LARGEST_VALUE
from lithify.data.columns import Asked
from lithify.data.fields import Asked as Roles
from lithify.data.fields import infer
from lithify.data.schema import Field, Problem, Row
from lithify.data.source import Source
from lithify.data.split import TIME_MISSING
from lithify.data.tabular_parts import Part, Piece
from lithify.data.tabular_roles import check, differences, find_label, no_column, nothing_left, text_note
from lithify.errors import TooFewRows

INFER_ROWS: Final = 100_000
_NONE: Final = "\0no label"
"""Stands for the label while the fields of a table without one are inferred."""


class TableSource(Source):
    """A table of fields.

    Parameters
    ----------
    part : Part
        Where its rows come from.
    asked : Asked
        Roles and kinds a caller named.
    like : tuple of Field, optional
        The fields of a model or a snapshot: names, kinds and roles are theirs, and nothing is inferred.

    Raises
    ------
    UsageError
        The label cannot be told, a column that was asked for is not there, or it has two roles.
    TooFewRows
        There are no rows.
    """

    def __init__(self, part: Part, asked: Asked, like: tuple[Field, ...] | None = None) -> None:
        self.kind = "table"
        self._part = part
        self._asked = asked
        self._names: tuple[str, ...] = tuple(part.schema.names)
        self._misfits = Counter[str]()
        self._notes: list[str] = []
        if not self._names and asked.labelled:
            raise TooFewRows("The table has no columns.", expected="records below their names")
        check(asked, self._names)
        if like is None:
            self._infer()
        else:
            self._take(like)
            if asked.labelled:
                any(batch.num_rows for batch in self._first())  # raises where there are none
        self._reader = Reader(self.fields, self.task)

    def _infer(self) -> None:
        asked = self._asked
        label = asked.label or find_label(self._names, asked)
        roles = Roles(
            label=label, time=asked.time, group=asked.group, weight=asked.weight, side=asked.side,
            kinds=dict(asked.kinds), task=asked.task,
        )  # fmt: skip
        if label is None:
            found = infer((*self._names, _NONE), map(_with_labels, self._first()), replace(roles, label=_NONE))
            self.fields = tuple(field for field in found.fields if field.name != _NONE)
        else:
            found = infer(self._names, self._first(), roles)
            self.fields = found.fields
        if asked.labelled and not any(field.role == "input" for field in self.fields):
            raise nothing_left(self.fields)
        self.task, self._notes = found.task, [*found.notes, *text_note(self.fields)]

    def _first(self) -> Iterator[Any]:
        """The batches of the first rows."""
        left = INFER_ROWS
        for piece in self._part.pieces():
            if isinstance(piece, Piece):
                yield piece.batch.slice(0, left)
                left -= piece.batch.num_rows
            if left <= 0:
                return
        if left == INFER_ROWS and self._asked.labelled:
            raise TooFewRows("The table has no rows.", expected="rows below the names of the columns")

    def _take(self, like: tuple[Field, ...]) -> None:
        label = next((field.name for field in like if field.role == "label"), None)
        wanted = self._asked.label or label
        if self._asked.labelled:
            if wanted not in self._names:
                raise no_column(wanted, "label", self._names)
            renamed = [replace(f, name=wanted) if f.role == "label" else f for f in like]
            held = [f for f in renamed if f.role == "input" or f.name in self._names]
            self.fields = tuple(sorted(held, key=lambda field: field.name))
        else:
            self.fields = tuple(field for field in like if field.role == "input")
        self.task = self._asked.task or "classification"
        self._notes = differences(self._names, like, {wanted})

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        inputs = sum(field.role == "input" for field in self.fields)
        label = next((field.name for field in self.fields if field.role == "label"), None)
        what = "labels" if self.task == "classification" else "values to predict"
        count = f"{inputs} input {'field' if inputs == 1 else 'fields'}"
        return f"{self._part.words} with {count}, " + (f"{what} in {label!r}" if label else "without labels")

    def signature(self) -> str:
        """Changes when the data or the way it is read does."""
        fields = [(field.name, field.kind, field.role, field.form) for field in self.fields]
        return f"{self._part.signature()} {self.task} {fields}"

    def notes(self) -> list[str]:
        """What a person should know: about the fields and, once all rows were read, about cells that did not fit."""
        kinds = {field.name: field.kind for field in self.fields}
        misfits = [
            f"{name}: {_cells(count)} no {kinds[name]} and {'counts' if count == 1 else 'count'} as missing"
            for name, count in sorted(self._misfits.items())
        ]
        return [*self._part.notes(), *self._notes, *misfits]

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in a fixed order, in constant memory."""
        self._misfits.clear()
        for piece in self._part.pieces():
            if isinstance(piece, Problem):
                yield piece
            else:
                yield from self._rows(piece)

    def contents(self) -> Iterator[tuple[list[str], list[bytes]] | Problem]:
        """Origins and contents batch by batch, and problems where they stand; labels are not looked at."""
        self._misfits.clear()
        for piece in self._part.pieces():
            if isinstance(piece, Problem):
                yield piece
            else:
                yield [f"{piece.origin}:{number}" for number in piece.numbers], self._read(piece).contents

    def _read(self, piece: Piece) -> Any:
        columns = self._reader.read(piece.batch)
        self._misfits.update(columns.misfits)
        return columns

    def _rows(self, piece: Piece) -> Iterator[Row | Problem]:
        found = self._read(piece)
        none: Iterator[None] = repeat(None)
        labels: Any = none if found.labels is None else found.labels
        values: Any = none if found.values is None else found.values.tolist()
        weights: Any = repeat(1.0) if found.weights is None else found.weights.tolist()
        facts = zip(
            found.contents, piece.numbers, labels, values, _times(found.times), found.groups or none,
            found.sides or none, weights, strict=False,
        )  # fmt: skip
        for content, number, label, value, time, group, side, weight in facts:
            origin = f"{piece.origin}:{number}"
            if not 0 <= weight <= LARGEST_VALUE:
                yield Problem(origin, "bad record", f"its weight is no number from 0 to {LARGEST_VALUE:g}")
            elif self._asked.labelled and label is None and (value is None or not math.isfinite(value)):
                yield Problem(origin, "no label")
            else:
                yield Row(content, label, time, group, side, weight, origin, value=value)


def _cells(count: int) -> str:
    return f"{count:,} cell is" if count == 1 else f"{count:,} cells are"


def _with_labels(batch: Any) -> Any:
    import pyarrow as pa

    return batch.append_column(_NONE, pa.array(["a"] * batch.num_rows))


def _times(times: Any) -> Iterator[int | None]:
    if times is None:
        return repeat(None)
    return (None if time == TIME_MISSING else time for time in times.tolist())
