"""Which rows two models are compared on: those of one side and generation that neither has learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lithify.data.split import SIDES
from lithify.data.table import locate
from lithify.errors import TooFewRows, UsageError
from lithify.evaluation.faces import Model, Snapshot

Generation = int | Literal["newest", "all"]
_LEARNED = (*SIDES["train"], *SIDES["validation"])
ROLES = ("champion", "challenger")


@dataclass(frozen=True, eq=False)
class Chosen:
    """The rows to compare on.

    Attributes
    ----------
    rows : (n,) int64
        Numbers of rows of the snapshot.
    generations : dict of generation to rows
    seen : dict of role to rows
        How many rows were left out because the model of that role had them, or near-duplicates of them, among its
        training or validation rows.
    notes : tuple of str
    """

    rows: NDArray[np.int64]
    generations: dict[int, int]
    seen: dict[str, int]
    notes: tuple[str, ...]


def choose(
    models: tuple[Model, Model],
    snapshot: Snapshot,
    split: str = "test",
    generation: Generation = "newest",
    trained: Mapping[str, Snapshot] | None = None,
) -> Chosen:
    """The rows of a side and a generation, without those that either model learned from.

    Parameters
    ----------
    models : (champion, challenger)
    snapshot : Snapshot
    split : "test", "validation", "train" or "all"
        ``all`` is every row that is on a side.
    generation : int, "newest" or "all"
        ``newest`` is the newest that has rows on that side.
    trained : mapping of digest to Snapshot, optional
        What the models were trained on, as far as it is at hand.

    Raises
    ------
    UsageError
        For a side or a generation that does not exist.
    TooFewRows
        When no row, or a single one, is left.
    """
    if split not in (*SIDES, "all"):
        raise UsageError("There is no such split.", expected=", ".join((*SIDES, "all")), found=split)
    sides = SIDES[split] if split != "all" else tuple(code for codes in SIDES.values() for code in codes)
    rows = np.flatnonzero(np.isin(snapshot.table.side, sides))
    rows = _of_generation(snapshot, rows, generation, split)
    seen, notes, learned = {}, [], np.zeros(len(rows), dtype=bool)
    for role, model in zip(ROLES, models, strict=True):
        origin = {snapshot.digest: snapshot, **(trained or {})}.get(model.card["data"]["snapshot"])
        if origin is None:
            notes.append(_unknown(role, model))
            continue
        known = _learned(snapshot, origin)[rows]
        seen[role], learned = int(known.sum()), learned | known
    left = rows[~learned]
    if len(left) < 2:
        raise _too_few(len(rows), len(left), split)
    found, counts = np.unique(snapshot.table.generation[left], return_counts=True)
    return Chosen(left, dict(zip(found.tolist(), counts.tolist(), strict=True)), seen, tuple(notes))


def _of_generation(
    snapshot: Snapshot, rows: NDArray[np.int64], generation: Generation, split: str
) -> NDArray[np.int64]:
    if generation == "all" or not len(rows):
        return rows
    of = snapshot.table.generation[rows]
    wanted = int(of.max()) if generation == "newest" else generation
    here: NDArray[np.int64] = rows[of == wanted]
    if not len(here):
        raise UsageError(
            f"No row of the {split} split is of generation {wanted}.",
            expected=", ".join(map(str, np.unique(of).tolist())),
        )
    return here


def _learned(snapshot: Snapshot, origin: Snapshot) -> NDArray[np.bool_]:
    """Which rows are among the training and validation rows of another snapshot, or near-duplicates of such."""
    table = snapshot.table
    at = locate(table.key, origin.table.key)
    known = (at >= 0) & np.isin(origin.table.side[at], _LEARNED)
    groups = np.zeros(len(known), dtype=bool)
    groups[table.group[known]] = True
    found: NDArray[np.bool_] = groups[table.group]
    return found


def _unknown(role: str, model: Model) -> str:
    origin = str(model.card["data"]["snapshot"])[7:19]
    return f"Snapshot {origin}, which the {role} was trained on, is not in this home: it may have seen some rows."


def _too_few(rows: int, left: int, split: str) -> TooFewRows:
    if rows < 2:
        return TooFewRows(
            f"The {split} split has too few rows to compare two models on.",
            expected="at least 2 rows",
            found=f"{rows}",
            hint="Give more data, another --split or --generation.",
        )
    return TooFewRows(
        "Too few rows are left that neither model has learned from.",
        expected="at least 2 rows",
        found=f"{left} of {rows:,} rows of the {split} split",
        hint="Give data that is new to both models: lithify compare CHAMPION CHALLENGER DATA.",
    )
