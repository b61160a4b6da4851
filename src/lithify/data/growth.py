"""What a source brought to a parent: counts of rows, for the person who gave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data import split
from lithify.data.schema import Problem
from lithify.data.snapshot import Snapshot, diff
from lithify.data.table import RowTable, locate


@dataclass(frozen=True)
class Growth:
    """Rows of a source beside those of a parent. Without a parent all are added.

    Attributes
    ----------
    added : int
        New rows; the next generation.
    known : int
        Rows of the parent that the source holds too.
    removed : int
        Rows of the parent that the source lacks. They stay, for a generation only adds.
    relabelled : int
        Known rows that the source says something else of.
    moved : int
        Known rows on another side than before; always 0 for a generation.
    excluded : int
        Added rows on no side: later copies of rows on an earlier side.
    copies : int
        Rows of the source that were merged into equal ones.
    quarantined : mapping of str to int
        Rows that could not be taken in, by reason.
    """

    added: int = 0
    known: int = 0
    removed: int = 0
    relabelled: int = 0
    moved: int = 0
    excluded: int = 0
    copies: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether the source holds nothing that the parent does not.

        >>> Growth(known=10, removed=2).nothing, Growth(added=1).nothing
        (True, False)
        """
        return not (self.added or self.relabelled)

    def to_json(self) -> dict[str, Any]:
        """All counts, with the quarantined rows altogether and the reasons apart."""
        counts = {name: value for name, value in vars(self).items() if name != "quarantined"}
        return counts | {"quarantined": sum(self.quarantined.values()), "reasons": dict(self.quarantined)}


def between(old: Snapshot, new: Snapshot) -> Growth:
    """What one snapshot has beside another one; here rows that were removed are gone."""
    found = diff(old, new)
    added = locate(new.table.key, old.table.key) < 0
    return Growth(
        added=len(found.added),
        known=len(new) - len(found.added),
        removed=len(found.removed),
        relabelled=len(found.relabelled),
        moved=len(found.moved),
        excluded=excluded(new.table.side, added),
        copies=int(new.manifest["copies"]),
        quarantined=new.manifest["quarantine"],
    )


def reasons(problems: Sequence[Problem]) -> dict[str, int]:
    """How many rows were quarantined for each reason, sorted by it."""
    return dict(sorted(Counter(problem.reason for problem in problems).items()))


def lacking(parent: RowTable, known: int, problems: Sequence[Problem]) -> int:
    """How many rows of a parent a source lacks that holds ``known`` of them; a quarantined one is not lacking."""
    keys = sorted({problem.key for problem in problems if problem.key is not None})
    if not keys:
        return len(parent) - known
    listed = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, 32)
    return len(parent) - known - int((locate(listed, parent.key) >= 0).sum())


def excluded(side: NDArray[np.uint8], new: NDArray[np.bool_]) -> int:
    """How many new rows are on no side."""
    return int((side[new] == split.EXCLUDED).sum())
