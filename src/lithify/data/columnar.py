"""Whole columns read by the rules of :mod:`lithify.data.grammar`: common cells by Arrow, odd ones one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify.data import grammar
from lithify.data.schema import FieldKind

_UNITS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DATES = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}Z?)?$"


def plain(column: Any) -> Any:
    """One Arrow array of a column, dictionaries and large or viewed strings undone."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if isinstance(column, pa.ChunkedArray):  # no chunk, or too large for one
            column = pa.concat_arrays([column.type.wrap_array(c) for c in column.chunks]) if column.num_chunks else (
                pa.nulls(0, column.type)
            )  # fmt: skip
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_text(column.type) and column.type != pa.string():
        column = column.cast(pa.string())
    return column


def is_text(of: Any) -> bool:
    """Whether an Arrow type holds text."""
    import pyarrow as pa

    types = pa.types
    return bool(types.is_string(of) or types.is_large_string(of) or types.is_string_view(of))


def supported(of: Any) -> bool:
    """Whether cells of an Arrow type can be read: no nested types, bytes, durations or times of day."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(of):
        return supported(of.value_type)
    return is_text(of) or any(
        test(of)
        for test in (
            types.is_null, types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_date,
            types.is_timestamp,
        )
    )  # fmt: skip


def numbers(column: Any, kind: FieldKind, form: str = "") -> tuple[NDArray[np.float64], int]:
    """Cells of a number, time or boolean field as (n,) float64, NaN where missing, and how many could not be read.

    Parameters
    ----------
    column : pyarrow.Array
        As :func:`plain` gives it.
    """
    import pyarrow as pa

    if is_text(column.type):
        found = _READERS[kind](column, form)
    elif pa.types.is_temporal(column.type):
        found = _seconds(column) if kind == "time" else _nothing(len(column))
    elif supported(column.type):
        found = _typed(column, kind)
    else:
        found = _nothing(len(column))
    given = np.ones(len(column), dtype=bool) if column.null_count == 0 else ~_nulls(column)
    values, unread = found
    return _canonical(values), int((unread & given).sum())


def texts(column: Any) -> Any:
    """Cells of a category or text field as an Arrow array of strings: stripped, null where missing or empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_text(column.type):
        found = pc.utf8_trim(column, characters=grammar.STRIPPED)
        return pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)
    if pa.types.is_boolean(column.type) or pa.types.is_integer(column.type):
        return column.cast(pa.string())
    if not supported(column.type):
        return pa.nulls(len(column), pa.string())
    timed = pa.types.is_temporal(column.type)
    values, _ = numbers(column, "time" if timed else "number")
    return decimals(values, grammar.date_text if timed else grammar.shortest)


def decimals(values: NDArray[np.float64], shown: Callable[[float], str] = grammar.shortest) -> Any:
    """Numbers as an Arrow array of strings, null where they are NaN; each different number is written once."""
    import pyarrow as pa

    distinct, which = np.unique(values, return_inverse=True)
    words = pa.array([None if math.isnan(value) else shown(value) for value in distinct.tolist()], pa.string())
    return words.take(pa.array(which))


def _numbers_of_text(column: Any, form: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if form:
        return _one_by_one(column, lambda text: grammar.number(text, form))
    try:
        return _floats(column.cast(pa.float64())), np.zeros(len(column), dtype=bool)
    except pa.ArrowInvalid:
        cells = _without_missing(texts(column))
    try:
        return _floats(cells.cast(pa.float64())), np.zeros(len(column), dtype=bool)
    except pa.ArrowInvalid:
        common = pc.match_substring_regex(cells, f"^(?:{grammar.NUMBER})$").fill_null(True)
    values = _floats(pc.if_else(common, cells, pa.scalar(None, pa.string())).cast(pa.float64()))
    return _odd(cells, ~_array(common), values, grammar.number)


def _times_of_text(column: Any, form: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = _without_missing(texts(column))
    if not form and pc.all(pc.match_substring_regex(cells, _DATES)).as_py():
        for of in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
            try:
                return _seconds(cells.cast(of))
            except pa.ArrowInvalid:
                continue
    return _one_by_one(cells, lambda text: grammar.time(text, form))


def _booleans_of_text(column: Any, form: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return _one_by_one(column, grammar.boolean)


_READERS: dict[str, Callable[[Any, str], tuple[NDArray[np.float64], NDArray[np.bool_]]]] = {
    "number": _numbers_of_text,
    "time": _times_of_text,
    "boolean": _booleans_of_text,
}


def _one_by_one(column: Any, read: Callable[[str], float | None]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Each different text of a column is read once."""
    import pyarrow.compute as pc

    coded = column.dictionary_encode()
    read_all = [math.nan if not (cell := text.strip(grammar.STRIPPED)) else read(cell)
                for text in coded.dictionary.to_pylist()]  # fmt: skip
    values = np.array([*(math.nan if v is None else v for v in read_all), math.nan])
    unread = np.array([*(v is None for v in read_all), False])
    which = _array(pc.fill_null(coded.indices, len(read_all)))
    return values[which], unread[which]


def _odd(
    cells: Any, odd: NDArray[np.bool_], values: NDArray[np.float64], read: Callable[[str], float | None]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Reads the odd cells one at a time, into ``values``."""
    import pyarrow as pa

    at = np.flatnonzero(odd)
    some, unread = _one_by_one(cells.take(pa.array(at)), read)
    values = values.copy()
    values[at] = some
    odd[at] = unread
    return values, odd


def _without_missing(cells: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pa.array(sorted(grammar.MISSING))
    return pc.if_else(pc.is_in(cells, value_set=words), pa.scalar(None, pa.string()), cells)


def _typed(column: Any, kind: FieldKind) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    import pyarrow as pa

    if pa.types.is_decimal(column.type):
        column = column.cast(pa.string())  # from its digits to the nearest float, as Python does
    values = _floats(column.cast(pa.float64(), safe=False))
    if kind == "number":
        return values, np.zeros(len(values), dtype=bool)
    if kind == "boolean":
        fits = (values == 0) | (values == 1)
    else:
        values = np.where(np.abs(values) >= 1e11, values / 1000, values)
        fits = (values >= grammar.EARLIEST) & (values <= grammar.LATEST)
    return np.where(fits, values, np.nan), ~fits & np.isfinite(values)


def _seconds(column: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Dates and timestamps, whatever their unit; cut to microseconds."""
    import pyarrow as pa

    if pa.types.is_date32(column.type):
        ticks, unit = column.cast(pa.int32()).cast(pa.int64()), 0
    elif pa.types.is_date64(column.type):
        ticks, unit = column.cast(pa.int64()), _UNITS["ms"]
    else:
        ticks, unit = column.view(pa.int64()), _UNITS[column.type.unit]
    whole = _array(ticks.fill_null(0))
    if unit > 1_000_000:
        whole, unit = whole // 1000, 1_000_000
    values = whole * 86400.0 if unit == 0 else whole / unit
    values[_nulls(column)] = np.nan
    unread = (values < grammar.EARLIEST) | (values > grammar.LATEST)
    return np.where(unread, np.nan, values), unread


def _nothing(count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return np.full(count, np.nan), np.ones(count, dtype=bool)


def _floats(column: Any) -> NDArray[np.float64]:
    values: NDArray[np.float64] = column.to_numpy(zero_copy_only=False)
    return values


def _array(column: Any) -> NDArray[Any]:
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def _nulls(column: Any) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    return _array(pc.is_null(column))


def _canonical(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """One NaN for whatever is not finite, one zero."""
    return np.where(np.isfinite(values), values + 0.0, np.nan)
