"""Partial dependence: what a model predicts on average as one field takes one value after another.

Friedman 2001 (doi:10.1214/aos/1013203451). All other cells stay as they are, so that combinations may arise that no row
has; where fields hang together closely the curve is to be read with care.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.data.cells import as_text
from lithify.data.schema import Field
from lithify.evaluation.fields import FieldCells, with_cell

ROWS = 1_000
FIELDS = 4
GRID = 20
SEEN = 10
"""Rows that must have a category for it to be shown."""
_ENDS = (0.025, 0.975)
_DIGITS = {"number": 4, "time": 6}


@dataclass(frozen=True)
class Dependence:
    """The curves of one field.

    Attributes
    ----------
    field, kind : str
    names : tuple of str
        The values of the grid, for people.
    at : tuple of float
        Where they lie on an axis: the numbers themselves, else 0, 1, 2, ...
    ordered : bool
        Whether the values have an order, so that a line may join them.
    curves : tuple of (output, means)
        For each output its name, empty where there is one only, and its mean at each value.
    share : bool
        Whether means are probabilities.
    rows : int
        Over how many rows the means are.
    """

    field: str
    kind: str
    names: tuple[str, ...]
    at: tuple[float, ...]
    ordered: bool
    curves: tuple[tuple[str, tuple[float, ...]], ...]
    share: bool
    rows: int


def sample(keys: NDArray[np.uint8], most: int = ROWS) -> NDArray[np.int64]:
    """Positions of at most so many rows, those with the smallest keys (n, 32): as good as drawn, always the same."""
    words = np.ascontiguousarray(keys).view(">u8")
    order: NDArray[np.int64] = np.lexsort(words.T[::-1])[:most]
    return np.sort(order)


def grid(cells: FieldCells, size: int = GRID) -> list[float] | list[str]:
    """Values to try: all of few numbers, else quantiles between the outer 2.5 %; the most frequent categories.

    No value that only a few rows have is among them: such are left out, and quantiles are rounded.
    """
    if cells.values.dtype == object:
        texts = np.array([value for value in cells.values if value is not None], dtype=str)
        names, rows = np.unique(texts, return_counts=True)
        order = np.argsort(-rows, kind="stable")
        return [str(names[i]) for i in order[:size] if rows[i] >= SEEN]
    if cells.field.kind == "boolean":
        return [0.0, 1.0]
    known = cells.values[~np.isnan(cells.values)]
    distinct, rows = np.unique(known, return_counts=True)
    few = len(distinct) <= size
    values = distinct[rows >= SEEN] if few else np.quantile(known, np.linspace(*_ENDS, size))
    digits = 17 if few else _DIGITS.get(cells.field.kind, 4)
    return sorted({float(f"{value:.{digits}g}") for value in values.tolist()})


def dependence(
    fields: Sequence[Field],
    contents: Sequence[bytes],
    cells: FieldCells,
    predict: Callable[[Sequence[bytes]], NDArray[np.float64]],
    outputs: Sequence[str],
    share: bool,
) -> Dependence | None:
    """The curves of one field; None where there are not two values to try.

    Parameters
    ----------
    fields : sequence of Field
        The input fields of the contents.
    contents : sequence of bytes
        The rows to average over.
    cells : FieldCells
        Of the field, in any number of rows: the grid is made of them.
    predict : callable
        Contents to predictions (n, outputs): the model's own.
    outputs : sequence of str
        Names of the outputs to keep, the last ones of ``predict``.
    share : bool
        Whether predictions are probabilities.
    """
    one = cells.field
    values: Sequence[float | str] = grid(cells)
    if len(values) < 2:
        return None
    means = []
    for value in values:
        predicted = predict(with_cell(fields, contents, one.name, value))[:, -len(outputs) :]
        means.append([math.fsum(column) / len(contents) for column in predicted.T.tolist()])
    ordered = one.kind in ("number", "time")
    return Dependence(
        field=one.name,
        kind=one.kind,
        names=tuple(as_text(one, value) for value in values),
        at=tuple(float(value) if ordered else float(i) for i, value in enumerate(values)),
        ordered=ordered,
        curves=tuple((name, tuple(mean[i] for mean in means)) for i, name in enumerate(outputs)),
        share=share,
        rows=len(contents),
    )
