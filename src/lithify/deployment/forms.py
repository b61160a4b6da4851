"""The files that predictions are written to: JSON lines, and tables made of them.

A line is what ``lithify predict --json`` prints. A table has one column for each thing that its model says, and
``problem`` for what could not be judged.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithify.errors import UsageError

if TYPE_CHECKING:
    from lithify.model.model import Model

Convert = Callable[[Path], Iterator[bytes]]
ROWS = 16_384
"""Rows that are converted together; in a Parquet file a row group."""


def form_of(path: Path, model: Model) -> Convert | None:
    """What makes the file of JSON lines, by the ending of its name; None where it is one of them.

    Raises ``UsageError`` for any other ending.
    """
    if path.suffix in (".jsonl", ".ndjson"):
        return None
    if path.suffix == ".csv":
        return lambda part: _csv(part, columns(model))
    if path.suffix == ".parquet":
        return lambda part: _parquet(part, columns(model), model.digest)
    raise UsageError(f"{path.name} has no ending that says what it is to be.", expected=".jsonl, .csv or .parquet")


def columns(model: Model) -> dict[str, str]:
    """The columns of a table, each with its type: ``text``, ``number``, or ``texts`` for a set of labels."""
    found = {"input": "text"}
    if model.labels:
        found |= {"label": "text"} | {_probability(label): "number" for label in model.labels}
        found |= {"verdict": "text"} if model.cutoffs is not None else {}
        found |= {"labels": "texts"} if model.conformal is not None else {}
    else:
        found |= {"value": "number"} | ({"low": "number", "high": "number"} if model.conformal is not None else {})
    return found | ({"novelty": "number"} if model.novelty is not None else {}) | {"problem": "text"}


def _probability(label: str) -> str:
    return f"p({label})"


def _csv(part: Path, named: dict[str, str]) -> Iterator[bytes]:
    """UTF-8 with a line of names; a set of labels is joined by bars, what is not there is empty."""
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(named)
    for rows in _rows(part, list(named)):
        for row in rows:
            writer.writerow(["|".join(cell) if isinstance(cell, list) else cell for cell in row])
        yield held.getvalue().encode()
        held.seek(0)
        held.truncate()
    yield held.getvalue().encode()


def _parquet(part: Path, named: dict[str, str], digest: str) -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    types = {"text": pa.string(), "number": pa.float64(), "texts": pa.list_(pa.string())}
    schema = pa.schema([(name, types[kind]) for name, kind in named.items()], {"lithify.model": digest})
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema) as writer:
        for rows in _rows(part, list(named)):
            cells = zip(*rows, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(cells, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that hands out what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._chunks.append(bytes(data))
        self._length += len(self._chunks[-1])
        return len(self._chunks[-1])

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data


def _rows(part: Path, names: list[str]) -> Iterator[list[list[Any]]]:
    with open(part, encoding="utf-8") as lines:
        while some := [_cells(json.loads(line), names) for line in islice(lines, ROWS)]:
            yield some


def _cells(document: dict[str, Any], names: list[str]) -> list[Any]:
    told = dict(document)
    told["low"], told["high"] = told.pop("interval", (None, None))
    told |= {_probability(label): share for label, share in told.pop("probabilities", {}).items()}
    return [told.get(name) for name in names]
