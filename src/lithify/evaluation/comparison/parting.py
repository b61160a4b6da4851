"""How the compared rows are parted into slices: by the fields of a table, by label or value, period and generation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lithify.data.schema import Field
from lithify.data.split import TIME_MISSING
from lithify.evaluation.comparison.slices import FEWEST, FEWEST_LABELLED
from lithify.evaluation.faces import Snapshot
from lithify.evaluation.fields import FieldCells, cells_of
from lithify.evaluation.parts import Parts, parts_of

MOST_CELLS = 100_000
"""Rows of a table that are parted by its fields: of more the first, as good as drawn, for keys are digests."""


def parting(
    snapshot: Snapshot, rows: NDArray[np.int64], y: NDArray[np.int64] | NDArray[np.float64], labels: Sequence[str]
) -> list[tuple[str, Parts]]:
    """Name and parts of everything by which these rows can be parted.

    Parameters
    ----------
    snapshot : Snapshot
    rows : (n,) int64
    y : (n,)
        Codes of the true labels; in regression the true values.
    labels : sequence of str
        Empty in regression.
    """
    made = [("label", _by_label(y, labels)) if labels else ("true value", _numbers("number", np.asarray(y, float)))]
    times = snapshot.table.time[rows]
    known = times != TIME_MISSING
    if known.any():
        made.append(("period", _numbers("time", np.where(known, times.astype(np.float64), np.nan))))
    made.append(("generation", _numbers("number", snapshot.table.generation[rows].astype(np.float64))))
    return made + (_by_field(snapshot, rows) if snapshot.kind == "table" else [])


def _by_label(y: NDArray[np.int64] | NDArray[np.float64], labels: Sequence[str]) -> Parts:
    cells = np.array(labels, dtype=object)[y.astype(np.int64)]
    return parts_of(FieldCells(Field("label", "category", "input"), cells), FEWEST_LABELLED)


def _numbers(kind: str, values: NDArray[np.float64]) -> Parts:
    field = Field("", "time" if kind == "time" else "number", "input")
    return parts_of(FieldCells(field, values), FEWEST)


def _by_field(snapshot: Snapshot, rows: NDArray[np.int64]) -> list[tuple[str, Parts]]:
    fields = tuple(Field(**each) for each in snapshot.manifest["fields"])
    some = rows[:MOST_CELLS]
    parted = [(cells.field.name, parts_of(cells, FEWEST)) for cells in cells_of(fields, snapshot.content(some))]
    rest = np.full(len(rows) - len(some), -1)
    return [(name, Parts(parts.names, np.append(parts.codes, rest))) for name, parts in parted]
