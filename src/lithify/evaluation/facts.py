"""The facts of the data that a figure was measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.data.split import SIDES, TIME_MISSING
from lithify.evaluation.faces import Snapshot


@dataclass(frozen=True)
class Facts:
    """What a reader of a figure must know about the snapshot.

    Attributes
    ----------
    rows : int
    sides : dict of side to rows
        Train, validation and test; "left out" for rows on no side, where there are any.
    labels : dict of side to {label: rows}
        The same by label; in regression nothing by side.
    groups, grouped_rows : int
        Near-duplicate groups of at least two rows, and the rows in them.
    quarantine : dict of reason to rows
    copies, truncated : int
        Identical rows that were taken once; rows cut at the read limit.
    times : (first, last) in seconds UTC, or None
    timed : int
        Rows with a time.
    rule, reason : str
        How the split was made and why so.
    """

    rows: int
    sides: dict[str, int]
    labels: dict[str, dict[str, int]]
    groups: int
    grouped_rows: int
    quarantine: dict[str, int]
    copies: int
    truncated: int
    times: tuple[int, int] | None
    timed: int
    rule: str
    reason: str


def facts_of(snapshot: Snapshot) -> Facts:
    """Reads the facts from a snapshot's table and manifest."""
    table = snapshot.table
    sizes = np.unique(table.group, return_counts=True)[1] if len(table.group) else np.zeros(0, dtype=np.int64)
    known = table.time[table.time != TIME_MISSING]
    split, sides = snapshot.manifest["split"], _sides(snapshot)
    return Facts(
        rows=len(table.label),
        sides={name: int(inside.sum()) for name, inside in sides.items()},
        labels={name: counts_of(table.label[inside], snapshot.labels) for name, inside in sides.items()},
        groups=int(np.count_nonzero(sizes > 1)),
        grouped_rows=int(sizes[sizes > 1].sum()),
        quarantine={str(reason): int(rows) for reason, rows in snapshot.manifest["quarantine"].items()},
        copies=int(snapshot.manifest["copies"]),
        truncated=int(snapshot.manifest["truncated"]),
        times=(int(known.min()), int(known.max())) if len(known) else None,
        timed=len(known),
        rule=str(split["rule"]),
        reason=str(split["reason"]),
    )


def counts_of(codes: NDArray[np.integer], labels: tuple[str, ...]) -> dict[str, int]:
    """Rows of each label, in the order of the labels."""
    found = np.bincount(codes, minlength=len(labels))
    return {label: int(found[code]) for code, label in enumerate(labels)}


def _sides(snapshot: Snapshot) -> dict[str, NDArray[np.bool_]]:
    """Which rows are on which side."""
    side = snapshot.table.side
    result = {name: np.isin(side, codes) for name, codes in SIDES.items()}
    left = ~np.isin(side, [code for codes in SIDES.values() for code in codes])
    return result | ({"left out": left} if left.any() else {})
