"""Cells of tables and contents of rows: columns and dicts in, bytes out, and back (:mod:`lithify.data.encoding`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data import columnar, values
from lithify.data.decoding import Cells, Strings, decode, decode_row
from lithify.data.encoding import NO_STRING, NUMERIC, Layout, layout
from lithify.data.grammar import STRIPPED, date_text, shortest
from lithify.data.schema import Field, Role, Task
from lithify.data.split import TIME_MISSING

__all__ = [
    "Cells",
    "Columns",
    "Layout",
    "Reader",
    "Strings",
    "as_text",
    "decode",
    "decode_row",
    "encode_row",
    "layout",
]

_WHOLE = 1 << 63
"""Whole numbers below are surely within the range of a float."""


@dataclass(frozen=True)
class Columns:
    """What is in a batch of n rows.

    Attributes
    ----------
    contents : list of n bytes
    labels : list of str or None
        None without a label field and in regression; a missing label is None.
    values : (n,) float64 or None
        What regression learns to predict, NaN where missing.
    times : (n,) int64 or None
        Seconds since 1970 UTC, ``TIME_MISSING`` where unknown.
    groups, sides : list of str or None
    weights : (n,) float64 or None
        NaN where missing.
    misfits : dict of str to int
        For each field, how many cells could not be read and count as missing; fields without any are left out.
    """

    contents: list[bytes]
    labels: list[str | None] | None = None
    values: NDArray[np.float64] | None = None
    times: NDArray[np.int64] | None = None
    groups: list[str | None] | None = None
    sides: list[str | None] | None = None
    weights: NDArray[np.float64] | None = None
    misfits: dict[str, int] = field(default_factory=dict)


class Reader:
    """Reads batches of rows by their fields.

    A column that a batch lacks is missing in every row; columns that are no fields are not looked at.

    Parameters
    ----------
    fields : sequence of Field
        All roles.
    task : "classification" or "regression"
    """

    def __init__(self, fields: Sequence[Field], task: Task = "classification") -> None:
        self.fields, self.task = tuple(fields), task
        self._layout = layout(self.fields)
        self._roles: dict[Role, Field] = {one.role: one for one in self.fields if one.role not in ("input", "left out")}

    def read(self, batch: Any) -> Columns:
        """All of a ``pyarrow.RecordBatch`` (or table)."""
        misfits: dict[str, int] = {}
        contents = self._contents(batch, misfits)
        labels = target = times = None
        if (label := self._roles.get("label")) is not None:
            if self.task == "regression":
                target = _numbers(batch, label, misfits)
            else:
                labels = _words(batch, label, misfits)
        if (time := self._roles.get("time")) is not None:
            times = _whole_seconds(_numbers(batch, time, misfits))
        weight = self._roles.get("weight")
        weights = None if weight is None else _numbers(batch, weight, misfits)
        groups, sides = (None if (one := self._roles.get(role)) is None else _words(batch, one, misfits)
                         for role in ("group", "side"))  # fmt: skip
        found = {name: count for name, count in sorted(misfits.items()) if count}
        return Columns(contents, labels, target, times, groups, sides, weights, found)

    def _contents(self, batch: Any, misfits: dict[str, int]) -> list[bytes]:
        at, n = self._layout, batch.num_rows
        k, m = len(at.numbers), len(at.strings)
        head = np.empty((n, at.head), dtype=np.uint8)
        numbers, lengths = np.empty((n, k), dtype="<f8"), np.empty((n, m), dtype="<u4")
        for j, one in enumerate(at.numbers):
            numbers[:, j] = _numbers(batch, one, misfits)
        strings = [_texts(batch, one, misfits) for one in at.strings]
        for j, column in enumerate(strings):
            lengths[:, j] = _lengths(column)
        head[:, : 8 * k], head[:, 8 * k :] = numbers.view(np.uint8), lengths.view(np.uint8)
        return _joined(head, strings)


def encode_row(fields: Sequence[Field], row: Mapping[str, object]) -> tuple[bytes, dict[str, int]]:
    r"""The content of one row, and the fields whose value could not be read, each with a 1.

    Gives the bytes that :class:`Reader` gives for the same row. A name that is not in the mapping is a missing cell.

    Parameters
    ----------
    row : mapping
        Values of any plain type: texts, numbers, booleans, dates, None, NumPy scalars.

    >>> encode_row((Field("n", "number", "input"),), {"n": "many"})
    (b'\x00\x00\x00\x00\x00\x00\xf8\x7f', {'n': 1})
    """
    at, misfits = layout(fields), {}
    head: list[float | int] = []
    tail: list[bytes] = []
    for one in at.numbers:
        value = row.get(one.name)
        if one.kind == "number" and (type(value) is float or (type(value) is int and -_WHOLE < value < _WHOLE)):
            head.append(value + 0.0 if value - value == 0.0 else math.nan)
            continue
        found = values.number(value, one.kind, one.form)
        if found is None:
            misfits[one.name] = 1
        head.append(math.nan if found is None else found)
    for one in at.strings:
        value = row.get(one.name)
        text = value.strip(STRIPPED) if type(value) is str else values.text(value)
        if text is None:
            misfits[one.name] = 1
        data = text.encode("utf-8", "replace") if text else b""
        head.append(len(data) or NO_STRING)
        tail.append(data)
    return at.struct.pack(*head) + b"".join(tail), misfits


def as_text(field: Field, value: float | str | bytes | None) -> str:
    """A cell for people: times as ISO dates, numbers as short as they go, ``missing``.

    >>> as_text(Field("seen", "time", "input"), 86400.0), as_text(Field("age", "number", "input"), float("nan"))
    ('1970-01-02', 'missing')
    """
    if value is None or value != value:
        return "missing"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    if field.kind == "boolean" and value in (0, 1):
        return "true" if value else "false"
    return date_text(value) if field.kind == "time" else shortest(value)


def _column(batch: Any, one: Field) -> Any:
    import pyarrow as pa

    at = batch.schema.get_field_index(one.name)
    return pa.nulls(batch.num_rows) if at < 0 else columnar.plain(batch.column(at))


def _numbers(batch: Any, one: Field, misfits: dict[str, int]) -> NDArray[np.float64]:
    kind = "time" if one.role == "time" else one.kind if one.kind in NUMERIC else "number"
    found, unread = columnar.numbers(_column(batch, one), kind, one.form)
    misfits[one.name] = unread
    return found


def _texts(batch: Any, one: Field, misfits: dict[str, int]) -> Any:
    column = _column(batch, one)
    found = columnar.texts(column)
    if not columnar.supported(column.type):
        misfits[one.name] = len(column) - column.null_count
    return found


def _words(batch: Any, one: Field, misfits: dict[str, int]) -> list[str | None]:
    """Labels, groups and sides: a number by its shortest decimal, everything else as it stands."""
    if one.kind == "number":
        column = columnar.decimals(_numbers(batch, one, misfits))
    else:
        column = _texts(batch, one, misfits)
    coded = column.dictionary_encode()
    words = [*coded.dictionary.to_pylist(), None]
    return [words[code] for code in coded.indices.fill_null(len(words) - 1).to_numpy().tolist()]


def _whole_seconds(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    known = ~np.isnan(seconds)
    return np.where(known, np.floor(np.where(known, seconds, 0.0)).astype(np.int64), TIME_MISSING)


def _lengths(column: Any) -> NDArray[np.uint32]:
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths: NDArray[np.uint32] = pc.binary_length(column).cast(pa.uint32()).fill_null(NO_STRING).to_numpy()
    return lengths


def _joined(head: NDArray[np.uint8], strings: list[Any]) -> list[bytes]:
    """Heads and strings, row by row."""
    n, width = head.shape
    if not strings:
        data, ends = head.tobytes(), list(range(width, n * width + 1, width)) if width else [0] * n
    else:
        import pyarrow as pa
        import pyarrow.compute as pc

        heads = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), n, [None, pa.py_buffer(head)])
        parts = [part.cast(pa.large_binary()) for part in (heads, *strings)]
        rows = pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.large_binary()), null_handling="replace")
        data = rows.buffers()[2].to_pybytes() if n else b""
        ends = np.cumsum(pc.binary_length(rows).to_numpy()).tolist()
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
