"""Tables in memory: pandas and Polars frames, Arrow tables, NumPy arrays and dicts of columns."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from lithify.data.layout import listed
from lithify.data.tabular_files import renamed
from lithify.data.tabular_parts import (
    BATCH_ROWS,
    Part,
    Piece,
    column_names,
)
from lithify.data.tabular_types import plain_batch, plain_schema, text_array
from lithify.errors import UnknownSource, UsageError

TARGET: Final = "target"
"""The column that ``y`` of a pair (X, y) becomes, unless it has a name of its own or is given one."""
KNOWN: Final = (
    "a path, a pandas or Polars frame, an Arrow table, a dict of columns, a NumPy array, or a pair (X, y) of arrays"
)


class Frame(Part):
    """Columns in memory; rows are numbered from 0, as frames do.

    Parameters
    ----------
    thing : frame, table, array, mapping, or pair (X, y)
        Columns of an array without names are called ``c0``, ``c1``, ...; the index of a pandas frame is left out.
    label : str, optional
        What ``y`` of a pair is called.

    Raises
    ------
    UnknownSource
        The object is none of these.
    UsageError
        Columns of different lengths, or with the same name.

    Examples
    --------
    >>> frame = Frame(([[1.0, 2.0], [3.0, 4.0]], ["a", "b"]))
    >>> frame.schema.names, frame.words
    (['c0', 'c1', 'target'], 'arrays X and y')
    """

    def __init__(self, thing: object, label: str | None = None) -> None:
        import pyarrow as pa

        self.words, pairs, self._notes = _columns(thing, label)
        names, notes = column_names((name for name, _ in pairs), self.words)
        self._notes += notes
        arrays = [_array(values) for _, values in pairs]
        lengths = {len(array) for array in arrays}
        if len(lengths) > 1:
            raise UsageError("The columns have different lengths.", found=listed(map(str, sorted(lengths))))
        if not arrays:
            raise UsageError(f"There are no columns in {self.words}.")
        self._table = pa.table(arrays, names=list(names))
        self.schema = renamed(plain_schema([self._table.schema]), names)

    def notes(self) -> list[str]:
        """What a person should know about the way it was read."""
        return self._notes

    def signature(self) -> str:
        """Digest of all cells."""
        hasher = hashlib.sha256(repr(self.schema.names).encode())
        for piece in self.pieces():
            hasher.update(memoryview(piece.batch.serialize()))
        return hasher.hexdigest()

    def pieces(self) -> Iterator[Piece]:
        """Every row in its order."""
        number = 0
        for batch in self._table.to_batches(max_chunksize=BATCH_ROWS):
            rows = range(number, number + batch.num_rows)
            number = rows.stop
            yield Piece(plain_batch(batch, self.schema), "row", rows)


def _columns(thing: object, label: str | None) -> tuple[str, list[tuple[object, Any]], list[str]]:
    """What it is, its names and columns, and what is to be said."""
    if isinstance(thing, tuple) and len(thing) == 2:
        return _pair(*thing, label)
    if isinstance(thing, Mapping):
        return "a dict of columns", list(thing.items()), []
    if (frame := _instance(thing, "pandas", "DataFrame")) is not None:
        index = [str(name) for name in frame.index.names if name is not None]
        notes = [f"The index {listed(map(repr, index))} is left out; reset_index() makes it a column."] if index else []
        names = [" ".join(map(str, name)) if isinstance(name, tuple) else name for name in frame.columns]
        return "a pandas frame", [(name, values) for name, (_, values) in zip(names, frame.items(), strict=True)], notes
    if _instance(thing, "polars", "LazyFrame") is not None:
        raise UsageError("A lazy frame holds no rows yet.", hint="Give frame.collect().")
    if (frame := _instance(thing, "polars", "DataFrame")) is not None:
        return "a Polars frame", _of_table(frame.to_arrow()), []
    if isinstance(thing, (np.ndarray, list)):
        return _of_array(np.asarray(thing))
    if hasattr(thing, "__arrow_c_stream__") or hasattr(thing, "__arrow_c_array__"):
        return "an Arrow table", _of_table(_arrow_table(thing)), []
    raise UnknownSource("Cannot read rows from this object.", expected=KNOWN, found=type(thing).__name__)


def _arrow_table(thing: Any) -> Any:
    import pyarrow as pa

    if isinstance(thing, pa.RecordBatchReader):
        raise UsageError("A reader of record batches can be read only once.", hint="Give reader.read_all().")
    return thing if isinstance(thing, pa.Table) else pa.table(thing)


def _of_table(table: Any) -> list[tuple[object, Any]]:
    return list(zip(table.column_names, table.columns, strict=True))


def _pair(x: Any, y: Any, label: str | None) -> tuple[str, list[tuple[object, Any]], list[str]]:
    _, pairs, notes = _columns(x, None)
    name = label or getattr(y, "name", None) or TARGET
    if name in [str(column) for column, _ in pairs]:
        raise UsageError(
            f"X has a column {name!r} of its own.", hint="Name y with label=, or leave the column out of X."
        )
    return "arrays X and y", [*pairs, (name, y)], notes


def _of_array(array: Any) -> tuple[str, list[tuple[object, Any]], list[str]]:
    if array.dtype.names:
        return "a structured array", [(name, array[name]) for name in array.dtype.names], []
    if array.ndim != 2:
        raise UsageError(
            "An array without names of columns must have rows and columns.",
            expected="an array of two dimensions",
            found=f"the shape {array.shape}",
        )
    return "an array", [(f"c{i}", array[:, i]) for i in range(array.shape[1])], []


def _array(values: Any) -> Any:
    """A column as an Arrow array; one of mixed things is one of texts."""
    import pyarrow as pa

    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    if (series := _instance(values, "polars", "Series")) is not None:
        return series.to_arrow()
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise UsageError("A column must have one dimension.", found=f"the shape {values.shape}")
        values = np.ascontiguousarray(values)
    elif not isinstance(values, Sequence) and _instance(values, "pandas", "Series") is None:
        values = list(values)
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, UnicodeEncodeError, OverflowError):
        return text_array(list(values))


def _instance(thing: object, module: str, name: str) -> Any:
    """The object itself where it is of a class of a module that is loaded, else None."""
    kind = getattr(sys.modules.get(module), name, None)
    return thing if kind is not None and isinstance(thing, kind) else None
