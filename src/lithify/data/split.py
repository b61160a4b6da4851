"""Train, validation and test membership of rows: pure functions of row facts, never of row order.

Rules: ``time`` trains on the past and tests on the future, ``hash`` goes by the digest of a row's near-duplicate
group within each label, ``group`` does the same with groups that a field joined, ``given`` takes what the source says.
Rows of one group never straddle: where a rule would part them, those on the later side are excluded and counted.
Validation is halved by group: one half stops training early, one calibrates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithify import rng
from lithify.errors import TooFewRows, UsageError

TRAIN, STOP, CALIBRATE, TEST = 0, 1, 2, 3
EXCLUDED = 254
"""A near-duplicate of a row on an earlier side: on no side."""
UNDECIDED = 255
"""No membership yet."""

SIDES: Final = {"train": (TRAIN,), "validation": (STOP, CALIBRATE), "test": (TEST,)}
TIME_MISSING: Final = int(np.iinfo(np.int64).min)
VALIDATION_FROM, TEST_FROM = 0.8, 0.9
MIN_PER_LABEL = 50
"""Rows of each label before the cut, and of each after it, below which a split by time is not chosen by itself."""
MIN_TIMED = 0.95
STRATA = 10
CARVED, FEWEST_CARVED, MOST_CARVED, LARGEST_SHARE = 0.04, 200, 5000, 0.1
"""Share of training images that calibrate where the source names no validation; at least so many of them, but never
more than the largest share, and at most so many."""

_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("validation", "valid", "val", "dev"), CALIBRATE),
    **dict.fromkeys(("test", "testing"), TEST),
}
_PHASE = np.zeros(TEST + 1, dtype=np.int64)
_PHASE[[STOP, CALIBRATE, TEST]] = [1, 1, 2]
_COIN = rng.key(0, "split")


@dataclass(frozen=True)
class Facts:
    """What a split may look at; arrays of one length n, in the order of the keys.

    Attributes
    ----------
    key : (n, 8 or more) uint8, the first bytes of each key
    label : (n,) int32, or in regression what :func:`strata` makes of the values
    time : (n,) int64, ``TIME_MISSING`` where unknown
    group : (n,) int64, equal for rows that must stay together, in [0, n)
    given : (n,) uint8, what :func:`named` made of the source's word; ``UNDECIDED`` where it has none
    grouped : (n,) bool, whether a field named the row's group
    """

    key: NDArray[np.uint8]
    label: NDArray[np.int32]
    time: NDArray[np.int64]
    group: NDArray[np.int64]
    given: NDArray[np.uint8]
    grouped: NDArray[np.bool_]

    def take(self, rows: NDArray[np.int64]) -> Facts:
        """The facts of some rows; their groups keep their numbers."""
        return Facts(**{name: values[rows] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Split:
    """The side of each row, the rule used and why."""

    side: NDArray[np.uint8]
    rule: str
    reason: str


def strata(value: NDArray[np.float64]) -> NDArray[np.int32]:
    """Which of ten quantile bins each value of a regression falls in, so that every side gets its share of each.

    >>> strata(np.arange(20.0)).tolist()
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9]
    """
    if not len(value):
        return np.zeros(0, dtype=np.int32)
    edges = np.sort(value)[[len(value) * part // STRATA for part in range(1, STRATA)]]
    return np.searchsorted(np.unique(edges), value, side="right").astype(np.int32)


def named(side: str | None) -> int:
    """The code of a side as a source names it, ``UNDECIDED`` for what names none; validation is halved later.

    >>> named("Train"), named("dev") == CALIBRATE, named("?") == UNDECIDED
    (0, True, True)
    """
    return _NAMES.get((side or "").strip().lower(), UNDECIDED)


def assign(facts: Facts, rule: str, inherited: NDArray[np.uint8] | None = None, kind: str = "mail") -> Split:
    """Decides the side of every row without inherited membership.

    Parameters
    ----------
    facts : Facts
        Of all rows, inherited ones included.
    rule : str
        ``auto``, ``time``, ``hash``, ``group`` or ``given``.
    inherited : (n,) uint8, optional
        Sides from a parent, ``UNDECIDED`` for new rows. A new row of an old group takes that group's side.
    kind : str
        What the rows are. Images are split by ``auto`` as the source says where it names training and test rows, else
        by ``hash``; and of images whose source names no validation rows some training rows calibrate.

    Raises
    ------
    TooFewRows
        ``time`` was asked for and too few rows carry a time.
    UsageError
        An unknown rule, ``given`` without sides, or ``group`` without groups.
    """
    side = np.full(len(facts.label), UNDECIDED, dtype=np.uint8) if inherited is None else inherited.copy()
    _inherit_by_group(side, facts.group)
    rows = np.flatnonzero(side == UNDECIDED)
    new = facts if len(rows) == len(side) else facts.take(rows)  # all of a large table is not copied
    choose = _choose_images if kind == "image" else _choose
    chosen, reason = choose(new) if rule == "auto" else (rule, "as asked")
    if chosen not in _RULES:
        raise UsageError("Unknown split.", expected="time, hash, group:FIELD or given:FIELD", found=rule)
    if len(rows):
        decided = _RULES[chosen](new)
        if kind == "image" and chosen == "given" and not np.isin(decided, (STOP, CALIBRATE)).any():
            carved = _carved(new, decided)
            reason += f"; {int(carved.sum()):,} of its training rows calibrate, since it names no validation rows"
            decided[carved] = CALIBRATE
        side[rows] = decided
    return Split(side, chosen, reason)


def counts(side: NDArray[np.uint8], label: NDArray[np.int32], labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Rows of each label on each side, with ``excluded`` copies apart; in regression all are ``rows``."""
    named_sides = {**SIDES, "excluded": (EXCLUDED,)}
    labels = labels or ("rows",)
    return {
        name: dict(zip(labels, np.bincount(label[np.isin(side, codes)], minlength=len(labels)).tolist(), strict=True))
        for name, codes in named_sides.items()
    }


def _inherit_by_group(side: NDArray[np.uint8], group: NDArray[np.int64]) -> None:
    known, new = side <= TEST, side == UNDECIDED
    of_group = np.full(len(side), UNDECIDED, dtype=np.uint8)
    np.minimum.at(of_group, group[known], side[known])
    side[new] = of_group[group[new]]


def _choose(facts: Facts) -> tuple[str, str]:
    """Time when it can be, else hash, and why."""
    timed = facts.time != TIME_MISSING
    if not timed.any():
        return "hash", "the rows carry no times" if len(timed) else "there are no new rows"
    if timed.mean() < MIN_TIMED:
        return "hash", f"only {timed.mean():.1%} of the rows carry a usable time"
    side = _by_time(facts)
    for name, codes in (("training", (TRAIN,)), ("validation and test", (STOP, CALIBRATE, TEST))):
        fewest = np.bincount(facts.label[np.isin(side, codes)], minlength=int(facts.label.max()) + 1).min()
        if fewest < MIN_PER_LABEL:
            return "hash", (
                f"a split by time would leave {fewest} rows of one label for {name} "
                f"(at least {MIN_PER_LABEL} are needed)"
            )
    return "time", "the rows carry times, and a random split would flatter"


def _choose_images(facts: Facts) -> tuple[str, str]:
    """What the source says, when it says it of all rows; else hash."""
    if not len(facts.given):
        return "hash", "there are no new rows"
    if (facts.given == UNDECIDED).any():
        some = (facts.given != UNDECIDED).any()
        return "hash", "the source names the sides of some rows only" if some else "the source names no sides"
    if not (facts.given == TEST).any() or not (facts.given == TRAIN).any():
        return "hash", "the source does not name both training and test rows"
    return "given", "the source names the side of every row"


def _carved(facts: Facts, side: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Training rows that are to calibrate: whole groups in the order of their coins, as many of each label as of all.

    Which ones depends on the rows' keys and groups alone.
    """
    train = np.flatnonzero(side == TRAIN)
    taken = np.zeros(len(side), dtype=bool)
    if not len(train):
        return taken
    fewest = min(FEWEST_CARVED, LARGEST_SHARE * len(train))
    share = min(max(CARVED * len(train), fewest), MOST_CARVED) / len(train)
    some = facts.take(train)
    first, member = _groups(some.group)
    sizes = np.bincount(member)
    coin, stratum = _coins(some.key[first]), some.label[first]
    of_group = np.zeros(len(first), dtype=bool)
    for label in np.unique(stratum):
        inside = np.flatnonzero(stratum == label)
        inside = inside[np.argsort(coin[inside], kind="stable")]
        of_group[inside] = np.cumsum(sizes[inside]) <= share * sizes[inside].sum() + 0.5
    taken[train] = of_group[member]
    return taken


def _asked_by_time(facts: Facts) -> NDArray[np.uint8]:
    timed = float((facts.time != TIME_MISSING).mean())
    if timed < MIN_TIMED:
        raise TooFewRows(
            "A split by time needs times.",
            expected=f"a usable time on at least {MIN_TIMED:.0%} of the rows",
            found=f"{timed:.1%}",
            hint="Use --split hash.",
        )
    return _by_time(facts)


def _by_time(facts: Facts) -> NDArray[np.uint8]:
    """The oldest 80 % train, the newest 10 % test; rows of one second stay together."""
    # rows without a time train: nothing honest can be said of them by time
    side = np.full(len(facts.time), TRAIN, dtype=np.uint8)
    timed = facts.time != TIME_MISSING
    ranked = np.sort(facts.time[timed])
    validation, test = (ranked[int(share * len(ranked))] for share in (VALIDATION_FROM, TEST_FROM))
    later = timed & (facts.time >= validation)
    side[later] = _halves(facts)[later]
    side[timed & (facts.time >= test)] = TEST
    return _without_copies(side, facts.group)


def _by_hash(facts: Facts) -> NDArray[np.uint8]:
    """Groups in the order of their coins fill test, then validation, then train, within each label."""
    first, member = _groups(facts.group)
    sizes = np.bincount(member)
    coin, stratum = _coins(facts.key[first]), facts.label[first]
    of_group = np.full(len(first), TRAIN, dtype=np.uint8)
    for label in np.unique(stratum):
        inside = np.flatnonzero(stratum == label)
        inside = inside[np.argsort(coin[inside], kind="stable")]
        # where the middle of each group lies when the groups are laid end to end
        middle = (np.cumsum(sizes[inside]) - sizes[inside] / 2) / sizes[inside].sum()
        of_group[inside] = np.select([middle < 0.10, middle < 0.15, middle < 0.20], [TEST, CALIBRATE, STOP], TRAIN)
    side: NDArray[np.uint8] = of_group[member]
    return side


def _by_field(facts: Facts) -> NDArray[np.uint8]:
    if not facts.grouped.any():
        raise UsageError("No row has a value in the group field.", hint="Check its name, or use --split hash.")
    return _by_hash(facts)


def _given(facts: Facts) -> NDArray[np.uint8]:
    if (unnamed := int((facts.given == UNDECIDED).sum())) > 0:
        raise UsageError(
            "A given split must name a side for every row.",
            expected="train, validation or test",
            found=f"{unnamed:,} of {len(facts.given):,} rows without one of these",
        )
    return _without_copies(np.where(facts.given == CALIBRATE, _halves(facts), facts.given), facts.group)


def _without_copies(side: NDArray[np.uint8], group: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Excludes the rows of groups that also stand on an earlier side: copies are left out, not moved."""
    _, member = _groups(group)
    first = np.full(len(side), _PHASE.max())
    np.minimum.at(first, member, _PHASE[side])
    return np.where(_PHASE[side] > first[member], EXCLUDED, side).astype(np.uint8)


def _halves(facts: Facts) -> NDArray[np.uint8]:
    """The half of validation that each row would stand on."""
    first, member = _groups(facts.group)
    odd = (_coins(facts.key[first]) & np.uint64(1)).astype(bool)
    return np.where(odd[member], STOP, CALIBRATE).astype(np.uint8)


def _groups(group: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The first row of each group, by the groups' numbers, and for each row which of them it is in.

    Numbers are small, so nothing is sorted: ``np.unique`` takes twice the time and memory, which counts here.

    >>> _groups(np.array([4, 1, 4, 0]))
    (array([3, 1, 0]), array([2, 1, 2, 0], dtype=int32))
    """
    there = np.zeros(int(group.max(initial=-1)) + 1, dtype=bool)
    there[group] = True
    number = np.cumsum(there, dtype=np.int32)
    number -= 1
    member: NDArray[np.int32] = number[group]
    first = np.empty(int(number[-1]) + 1 if len(number) else 0, dtype=np.int64)
    first[member[::-1]] = np.arange(len(group))[::-1]  # of equal places the last value stays
    return first, member


def _coins(key: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """64 bits for each key; those of a group hang on the smallest of its keys alone, which is the first."""
    words = np.ascontiguousarray(key[:, :8]).view(">u8")[:, 0]
    return rng.bits(_COIN, words.astype(np.uint64))


_RULES: Final[dict[str, Callable[[Facts], NDArray[np.uint8]]]] = {
    "time": _asked_by_time,
    "hash": _by_hash,
    "group": _by_field,
    "given": _given,
}
