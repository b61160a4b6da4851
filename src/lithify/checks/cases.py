"""What learners are tried on: rows of contents, and made-up tables with all that tables bring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lithify import rng
from lithify.checks.common import HOSTILE, arrays
from lithify.data.batches import Block, Blocks, Codes, Dense, TrainingData
from lithify.data.state import State
from lithify.errors import MalformedContainer, Unsupported
from lithify.features.base import Column, Features, Span

NUMBERS, CATEGORIES, SIZES = 3, 2, (5, 9)
"""Columns of a made-up table, and the codes that its categories have."""


@dataclass(frozen=True)
class Case:
    """What a learner is tried on: rows as blocks, the features that made them, and rows that come up in the wild."""

    data: TrainingData
    features: Features
    fitted: State
    hostile: Blocks


def make_case(features: Features, contents: Sequence[bytes], codes: Sequence[int], grains: int = 8) -> Case:
    """A case from contents and the codes of their labels; every code from 0 upwards must occur.

    >>> from lithify.features.text import Text, TextParams
    >>> case = make_case(Text(TextParams(body_bits=8)), [b"good", b"bad"] * 8, [0, 1] * 8)
    >>> case.data.classes, len(case.data.train)
    (2, 16)
    """
    fitted = features.fit([list(contents)])
    rows = len(contents)
    data = TrainingData(
        blocks=features.transform(fitted, list(contents)),
        target=np.asarray(codes, dtype=np.int32),
        weight=np.ones(rows),
        train=np.arange(rows),
        stop=np.zeros(0, dtype=np.int64),
        classes=int(max(codes)) + 1,
        group=np.arange(rows),
        seed=0,
        grains=grains,
    )
    return Case(frozen(data), features, fitted, features.transform(fitted, list(HOSTILE)))


def make_table_case(
    classes: int, rows: int = 96, *, numbers: bool = True, categories: bool = True, stop: int = 0, grains: int = 8
) -> Case:
    """A made-up table: numbers with missing cells and ties, a constant column, categories, weights and groups.

    Parameters
    ----------
    classes : int
        Labels; 0 for regression.
    rows : int
        Rows in all.
    numbers, categories : bool
        Which blocks there are.
    stop : int
        How many of the rows are there to stop early by.
    grains : int
        Shares of a step.

    Examples
    --------
    >>> case = make_table_case(0, rows=12)
    >>> case.data.outputs, case.data.target.dtype.name, sorted(case.data.blocks)
    (1, 'float64', ['categories', 'numbers'])
    """
    values, codes = _numbers(rows), _codes(rows)
    both: dict[str, Block] = {"numbers": Dense(values), "categories": Codes(codes, SIZES)}
    features = Columns(numbers, categories)
    wanted = {column.block for column in features.columns(State())}
    data = TrainingData(
        blocks={name: block for name, block in both.items() if name in wanted},
        target=_target(values, codes, classes),
        weight=0.5 + _uniform("weight", rows),
        train=np.arange(rows - stop),
        stop=np.arange(rows - stop, rows),
        classes=classes,
        group=np.arange(rows) // 2,
        seed=0,
        grains=grains,
    )
    return Case(frozen(data), features, State(), _hostile(wanted))


class Columns(Features):
    """Stands for the features of a table; the blocks of a made-up table come from nowhere."""

    Params: ClassVar[type] = State
    engine: ClassVar[Mapping[str, int | str]] = {"features.checks": 1}

    def __init__(self, numbers: bool, categories: bool) -> None:
        super().__init__(State())
        self._numbers, self._categories = numbers, categories

    def fit(self, batches: Iterable[Sequence[bytes]], groups: NDArray[np.int64] | None = None) -> State:
        """Nothing is known."""
        return State()

    def transform(self, state: State, contents: Sequence[bytes]) -> Blocks:
        """There are no contents."""
        raise Unsupported("A made-up table has no contents.")

    def spans(self, state: State, content: bytes) -> list[Span]:
        """None."""
        return []

    def columns(self, state: State) -> list[Column]:
        """Those of the table."""
        numbers = [Column("numbers", f"number {at}", "number") for at in range(NUMBERS)] if self._numbers else []
        known = [tuple(f"value {code}" for code in range(2, size)) for size in SIZES] if self._categories else []
        return numbers + [Column("categories", f"category {at}", "category", v) for at, v in enumerate(known)]

    def audit(self, state: State) -> None:
        """Nothing but the empty state is right."""
        if state != State():
            raise MalformedContainer("The features of a made-up table have no state.")


def frozen(data: TrainingData) -> TrainingData:
    """The same data, whose arrays refuse to be written."""
    columns: list[NDArray[Any]] = [data.target, data.weight, data.train, data.stop, data.group]
    for block in data.blocks.values():
        columns += arrays(block)
    for column in columns:
        column.flags.writeable = False
    return replace(data)


def _uniform(purpose: str, rows: int) -> NDArray[np.float64]:
    return rng.uniform(rng.key(0, "case", purpose), 0, rows)


def _numbers(rows: int) -> NDArray[np.float64]:
    """One column of many values, one of few with missing cells, one constant."""
    few = np.rint(4 * _uniform("few", rows))
    few[_uniform("missing", rows) < 0.2] = np.nan
    return np.stack([10.0 * _uniform("many", rows) - 5.0, few, np.full(rows, 7.0)], axis=1)


def _codes(rows: int) -> NDArray[np.int32]:
    """Categories, some cells missing (0) or rare (1)."""
    columns = [rng.below(rng.key(0, "case", "codes", at), 0, size, rows) for at, size in enumerate(SIZES)]
    return np.stack(columns, axis=1).astype(np.int32)


def _target(values: NDArray[np.float64], codes: NDArray[np.int32], classes: int) -> NDArray[Any]:
    """What depends on every kind of column, and on chance; every label occurs."""
    signal = values[:, 0] + 2.0 * np.isnan(values[:, 1]) + np.where(codes[:, 0] % 2 == 1, 3.0, 0.0)
    signal = signal + 2.0 * _uniform("noise", len(values))
    if classes == 0:
        return 100.0 + 10.0 * signal
    ranks = np.argsort(np.argsort(signal, kind="stable"), kind="stable")
    return (ranks * classes // len(ranks)).astype(np.int32)


def _hostile(wanted: set[str]) -> Blocks:
    """Cells of all sizes, none and infinite ones; codes that no row had."""
    cells = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e308, 5e-324, 1e-35, 7.0])
    both: dict[str, Block] = {
        "numbers": Dense(np.stack([np.roll(cells, at) for at in range(NUMBERS)], axis=1)),
        "categories": Codes(np.stack([np.arange(len(cells)) % size for size in SIZES], axis=1).astype(np.int32), SIZES),
    }
    return {name: block for name, block in both.items() if name in wanted}
