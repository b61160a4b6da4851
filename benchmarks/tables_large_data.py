"""A large table for ``large_table``, written as CSV a piece at a time: the same rows for the same seed, at any size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LABEL = "label"
PIECE = 20_000
"""Rows that are made at once."""

SIZES = (3, 10, 50, 200, 1000, 10_000)
"""Values of the categorical columns, over and over."""

MISSING = 0.02
"""Share of empty cells in every third column."""


@dataclass(frozen=True)
class Shape:
    """How many columns of numbers and of categories."""

    numbers: int
    categories: int

    @property
    def bytes_of_row(self) -> int:
        """Of a row in memory: numbers as float64, categories as int32, the label as int32."""
        return 8 * self.numbers + 4 * self.categories + 4


def write(path: Path, size: int, shape: Shape, seed: int = 0) -> int:
    """Writes whole pieces until the file has about ``size`` bytes; returns the rows."""
    from pyarrow import csv

    rows = 0
    with path.open("wb") as file:
        while file.tell() < size:
            made = piece(rows // PIECE, shape, seed)
            csv.write_csv(made, file, csv.WriteOptions(include_header=rows == 0, quoting_style="none"))
            rows += PIECE
    return rows


def piece(number: int, shape: Shape, seed: int):  # type: ignore[no-untyped-def]
    """Rows ``number * PIECE`` and on, as an Arrow table.

    The label follows some numbers, an interaction and two of the categories; about one in eight goes against them.
    """
    import pyarrow as pa

    draw = np.random.default_rng([seed, number])
    values = draw.standard_normal((PIECE, shape.numbers))
    values[:, ::4] = np.exp(values[:, ::4])
    codes = [draw.zipf(1.3, PIECE) % SIZES[at % len(SIZES)] for at in range(shape.categories)]
    label = _score(values, codes) + draw.logistic(size=PIECE) > 0
    columns = {}
    for at in range(shape.numbers):
        empty = draw.random(PIECE) < MISSING if at % 3 == 0 else None
        columns[f"n{at:02}"] = pa.array(np.round(values[:, at], 4), mask=empty)
    for at, some in enumerate(codes):
        columns[f"c{at}"] = pa.array(np.char.add(f"v{at}_", some.astype(str)))
    return pa.table(columns | {LABEL: pa.array(np.where(label, "yes", "no"))})


def _score(values: NDArray[np.float64], codes: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    """What the label follows, about zero in the mean."""
    some = values[:, np.arange(8) % values.shape[1]]
    score = 1.5 * some[:, 1] - some[:, 2] + 1.5 * some[:, 3] * some[:, 5] + np.log1p(some[:, 4]) - 0.7
    score += np.where(some[:, 6] > 1.0, 1.5, -0.3)
    for at in codes[:2]:
        score += 0.8 * ((at * 2_654_435_761 % 1000) / 500.0 - 1.0)
    return 1.5 * score
