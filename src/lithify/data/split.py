"""Train, validation and test membership of rows: pure functions of row facts, never of row order.

Rules: ``time`` trains on the past and tests on the future, ``hash`` goes by the digest of a row's near-duplicate
group within each label, ``group:F`` by the digest of a field's value, ``given:F`` takes what the source says.
Rows of one group never straddle. Validation is halved by group: one half stops training early, one calibrates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.errors import TooFewRows, UsageError

TRAIN, STOP, CALIBRATE, TEST = 0, 1, 2, 3
EXCLUDED = 254
"""A copy of an earlier row after a time cut: in no side."""
UNDECIDED = 255
"""No membership yet."""

SIDES = {"train": (TRAIN,), "validation": (STOP, CALIBRATE), "test": (TEST,)}
TIME_MISSING = np.iinfo(np.int64).min
VALIDATION_FROM, TEST_FROM = 0.8, 0.9
MIN_PER_LABEL = 50
MIN_TIMED = 0.95


@dataclass(frozen=True)
class Facts:
    """What a split may look at; arrays of one length n.

    Attributes
    ----------
    key : (n, 32) uint8
    label : (n,) int32
    time : (n,) int64, ``TIME_MISSING`` where unknown
    group : (n,) int64, equal for rows that must stay together
    given : sequence of n side names or None
    """

    key: NDArray[np.uint8]
    label: NDArray[np.int32]
    time: NDArray[np.int64]
    group: NDArray[np.int64]
    given: Sequence[str | None]


@dataclass(frozen=True)
class Split:
    """The side of each row, the rule used and why."""

    side: NDArray[np.uint8]
    rule: str
    reason: str


def assign(facts: Facts, rule: str, inherited: NDArray[np.uint8] | None = None) -> Split:
    """Decides the side of every row without inherited membership.

    Parameters
    ----------
    facts : Facts
        Of all rows, inherited ones included.
    rule : str
        ``auto``, ``time``, ``hash``, ``group`` or ``given``.
    inherited : (n,) uint8, optional
        Sides from a parent, ``UNDECIDED`` for new rows. A new row of an old group takes that group's side.

    Raises
    ------
    TooFewRows
        ``time`` was asked for and too few rows carry a time.
    UsageError
        An unknown rule, or ``given`` without sides.
    """
    side = np.full(len(facts.label), UNDECIDED, dtype=np.uint8) if inherited is None else inherited.copy()
    _inherit_by_group(side, facts.group)
    open_rows = np.flatnonzero(side == UNDECIDED)
    if rule == "given":
        side[open_rows] = _given(facts, open_rows)
        return Split(side, "given", "as the source says")
    if rule == "auto":
        chosen, reason = _choose(facts, open_rows)
    elif rule == "time":
        timed = facts.time[open_rows] != TIME_MISSING
        if len(open_rows) and timed.mean() < MIN_TIMED:
            raise TooFewRows(
                "A split by time needs times.",
                expected=f"a usable time on at least {MIN_TIMED:.0%} of the rows",
                found=f"{timed.mean():.1%}",
                hint="Use --split hash.",
            )
        chosen, reason = "time", "as asked"
    elif rule in ("hash", "group"):
        chosen, reason = rule, "as asked"
    else:
        raise UsageError("Unknown split.", expected="time, hash, group:FIELD or given:FIELD", found=rule)
    side[open_rows] = _by_time(facts, open_rows) if chosen == "time" else _by_hash(facts, open_rows)
    return Split(side, chosen, reason)


def counts(side: NDArray[np.uint8], label: NDArray[np.int32], labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Rows of each label on each side, with ``excluded`` copies apart."""
    named = {**SIDES, "excluded": (EXCLUDED,)}
    return {
        name: {text: int((np.isin(side, codes) & (label == code)).sum()) for code, text in enumerate(labels)}
        for name, codes in named.items()
    }


def _inherit_by_group(side: NDArray[np.uint8], group: NDArray[np.int64]) -> None:
    known = np.flatnonzero((side != UNDECIDED) & (side != EXCLUDED))
    if not len(known):
        return
    of_group = dict(zip(group[known].tolist(), side[known].tolist(), strict=True))
    for row in np.flatnonzero(side == UNDECIDED):
        side[row] = of_group.get(int(group[row]), UNDECIDED)


def _choose(facts: Facts, rows: NDArray[np.int64]) -> tuple[str, str]:
    """Time when it can be, else hash, and why."""
    timed = facts.time[rows] != TIME_MISSING
    if not timed.any():
        return "hash", "the rows carry no times"
    if timed.mean() < MIN_TIMED:
        return "hash", f"only {timed.mean():.1%} of the rows carry a usable time"
    side = _by_time(facts, rows)
    for name, codes in (("training", (TRAIN,)), ("validation and test", (STOP, CALIBRATE, TEST))):
        of_label = np.bincount(facts.label[rows][np.isin(side, codes)], minlength=int(facts.label.max()) + 1)
        if of_label.min() < MIN_PER_LABEL:
            return "hash", (
                f"a split by time would leave {of_label.min()} rows of one label for {name} "
                f"(at least {MIN_PER_LABEL} are needed)"
            )
    return "time", "the rows carry times, and a random split would flatter"


def _by_time(facts: Facts, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The oldest 80 % train, the newest 10 % test; a later copy of an earlier group is excluded, not moved."""
    time = facts.time[rows]
    side = np.full(len(rows), TRAIN, dtype=np.uint8)
    timed = np.flatnonzero(time != TIME_MISSING)
    if not len(timed):
        return side
    ranked = np.sort(time[timed])
    validation, test = (ranked[int(share * len(ranked))] for share in (VALIDATION_FROM, TEST_FROM))
    half = np.where(_coin(facts, rows) & 1, STOP, CALIBRATE)
    side[timed] = np.where(time[timed] >= test, TEST, np.where(time[timed] >= validation, half[timed], TRAIN))
    # rows without a time train: nothing honest can be said of them by time
    phase = np.searchsorted([validation, test], time, side="right")
    phase[time == TIME_MISSING] = 0
    _, member = np.unique(facts.group[rows], return_inverse=True)
    first = np.full(member.max() + 1, 3)
    np.minimum.at(first, member, phase)
    side[phase > first[member]] = EXCLUDED
    return side


def _by_hash(facts: Facts, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Groups in the order of their digests fill test, then validation, then train, within each label."""
    side = np.full(len(rows), TRAIN, dtype=np.uint8)
    _, first, member = np.unique(facts.group[rows], return_index=True, return_inverse=True)
    sizes = np.bincount(member)
    digest = _coin(facts, rows)[first]
    stratum = facts.label[rows][first]
    of_group = np.full(len(first), TRAIN, dtype=np.uint8)
    for label in np.unique(stratum):
        inside = np.flatnonzero(stratum == label)
        inside = inside[np.argsort(digest[inside], kind="stable")]
        share = (np.cumsum(sizes[inside]) - sizes[inside] / 2) / sizes[inside].sum()
        of_group[inside] = np.select([share < 0.10, share < 0.15, share < 0.20], [TEST, CALIBRATE, STOP], TRAIN)
    side[:] = of_group[member]
    return side


def _coin(facts: Facts, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """64 bits for each row that depend on the smallest key of its group alone."""
    smallest: dict[int, bytes] = {}
    keys = [bytes(key) for key in facts.key[rows]]
    for group, key in zip(facts.group[rows].tolist(), keys, strict=True):
        smallest[group] = min(smallest.get(group, key), key)
    coins = {group: _digest64(b"split" + key) for group, key in smallest.items()}
    return np.array([coins[group] for group in facts.group[rows].tolist()], dtype=np.uint64)


def _digest64(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")


def _given(facts: Facts, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    half = np.where(_coin(facts, rows) & 1, STOP, CALIBRATE)
    names = {"train": TRAIN, "training": TRAIN, "test": TEST, "testing": TEST}
    side = np.empty(len(rows), dtype=np.uint8)
    for i, row in enumerate(rows):
        name = (facts.given[row] or "").strip().lower()
        if name in ("validation", "valid", "val", "dev"):
            side[i] = half[i]
        elif name in names:
            side[i] = names[name]
        else:
            raise UsageError(
                "A given split must name a side for every row.", expected="train, validation or test", found=repr(name)
            )
    return side
