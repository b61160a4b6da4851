"""Rows parted by the values of one field: each frequent category, or fifths of the numbers.

Edges between numbers are the shortest decimals that part the rows nearly so: they read well, and a page shows no number
that belongs to one row.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.data.cells import as_text
from lithify.data.schema import Field
from lithify.evaluation.fields import FieldCells

FEWEST = 50
"""Rows that a part must have to be looked at."""
PARTS = 5
_SLACK = 0.02
"""Of the rows: how far an edge may lie from the fifth."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Which part of a field each row is in.

    Attributes
    ----------
    names : tuple of str
        What the parts are called, for people.
    codes : (n,) int64
        Position in ``names``, -1 for rows in none.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]


def parts_of(cells: FieldCells, fewest: int = FEWEST) -> Parts:
    """The parts of at least ``fewest`` rows each; missing cells are one of them."""
    found = _categories(cells) if cells.values.dtype == object else _numbers(cells.field, cells.values)
    rows = np.bincount(found.codes[found.codes >= 0], minlength=len(found.names))
    kept = np.flatnonzero(rows >= fewest)
    renumbered = np.full(len(found.names) + 1, -1)  # the last stands for -1
    renumbered[kept] = np.arange(len(kept))
    return Parts(tuple(found.names[code] for code in kept.tolist()), renumbered[found.codes])


def between(low: float, high: float) -> float:
    """The shortest decimal above ``low`` and at most ``high``.

    >>> between(37.2193, 41.88), between(0.1, 0.2), between(1999.0, 2000.0)
    (40.0, 0.2, 2000.0)
    """
    for digits in range(1, 17):
        for tried in (float(f"{low / 2.0 + high / 2.0:.{digits}g}"), float(f"{high:.{digits}g}")):
            if low < tried <= high:
                return tried
    return high


def _categories(cells: FieldCells) -> Parts:
    texts = np.array(["" if value is None else str(value) for value in cells.values], dtype=object)
    missing = np.array([value is None for value in cells.values], dtype=bool)
    names, codes = np.unique(texts, return_inverse=True)
    codes[missing] = len(names)
    return Parts((*(str(name) for name in names), "missing"), codes.astype(np.int64))


def _numbers(field: Field, values: NDArray[np.float64]) -> Parts:
    missing = np.isnan(values)
    known = np.sort(values[~missing])
    distinct = np.unique(known)
    if len(distinct) <= PARTS:
        codes = np.searchsorted(distinct, values)
        names = tuple(as_text(field, float(value)) for value in distinct)
    else:
        edges = np.array(_edges(known))
        codes = np.searchsorted(edges, values, side="right")
        names = _named(field, edges.tolist())
    return Parts((*names, "missing"), np.where(missing, len(names), codes))


def _edges(known: NDArray[np.float64]) -> list[float]:
    """Where each next part begins; ``known`` ascending, with more than ``PARTS`` values."""
    last, slack = len(known) - 1, max(1, round(_SLACK * len(known)))
    edges = [float(known[0])]
    for part in range(1, PARTS):
        at = (part * len(known)) // PARTS
        low, high = float(known[max(at - slack, 0)]), float(known[min(at + slack, last)])
        if low == high:  # many rows have this very value: the edge lies just below it
            low = float(known[max(int(np.searchsorted(known, high)) - 1, 0)])
        edge = between(low, high) if low < high else high
        if edge > edges[-1]:
            edges.append(edge)
    return edges[1:] or [between(float(known[0]), float(known[-1]))]


def _named(field: Field, edges: list[float]) -> tuple[str, ...]:
    texts = [as_text(field, math.floor(edge / 86400.0) * 86400.0 if field.kind == "time" else edge) for edge in edges]
    inner = [f"{low} to below {high}" for low, high in itertools.pairwise(texts)]
    return (f"below {texts[0]}", *inner, f"{texts[-1]} and above")
