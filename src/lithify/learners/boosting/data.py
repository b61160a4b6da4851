"""Blocks as LightGBM's binned data set, made once in a process and shared by all members.

Columns stand in the order of :mod:`lithify.learners.forest.forest`: numbers, categories, words. The binned set is never
written to while trees grow (targets, weights and scores stay with us), so boosters in several threads can read it at
the same time, and its bins depend on the training rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks, Codes, Dense
from lithify.data.spill import release
from lithify.errors import MissingExtra, Unsupported
from lithify.learners.forest.scoring import READ

AT_ONCE = 64 << 20
"""Bytes of the whole matrix above which it is handed over piece by piece."""
_PIECE = 8 << 20
_SINGLE_ROWS = 4096
"""Rows fetched one by one after which their pages are given back."""


def engine() -> Any:
    """The module ``lightgbm``; ``MissingExtra`` where it is not installed."""
    try:
        import lightgbm
    except ImportError:
        raise MissingExtra("Boosting needs LightGBM.", hint="Install it: pip install 'lithify[boost]'.") from None
    return lightgbm


def ordered(blocks: Blocks) -> list[Dense | Codes]:
    """The blocks that trees read, in the order of their columns; ``Unsupported`` for any other block."""
    found = [blocks[name] for name in READ if name in blocks]
    usable = [block for block in found if isinstance(block, Dense | Codes)]
    if not usable or len(usable) != len(blocks):
        raise Unsupported("Trees read columns.", expected=", ".join(READ), found=", ".join(blocks))
    return usable


def category_columns(blocks: Blocks) -> list[int]:
    """Numbers of the columns that hold codes.

    >>> category_columns({"numbers": Dense(np.zeros((2, 3))), "categories": Codes(np.zeros((2, 2), np.int32), (3, 3))})
    [3, 4]
    """
    columns: list[int] = []
    first = 0
    for block in ordered(blocks):
        width = block.values.shape[1]
        columns += range(first, first + width) if isinstance(block, Codes) else ()
        first += width
    return columns


def matrix(blocks: Blocks, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Some rows as (len(rows), columns) float64."""
    return np.concatenate([block.values[rows].astype(np.float64) for block in ordered(blocks)], axis=1)


def fits(blocks: Blocks, rows: int, limit: int = AT_ONCE) -> bool:
    """Whether so many rows as float64 take no more than ``limit`` bytes."""
    return rows * width(blocks) * 8 <= limit


def binned(
    blocks: Blocks, rows: NDArray[np.int64], settings: Mapping[str, Any], like: Any = None, at_once: int = AT_ONCE
) -> Any:
    """A constructed ``lightgbm.Dataset`` of some rows.

    Parameters
    ----------
    blocks : mapping of str to Block
    rows : (r,) int64
    settings : mapping
        LightGBM's parameters.
    like : lightgbm.Dataset, optional
        One whose bins to use.
    at_once : int
        Bytes of the matrix above which it is handed over piece by piece; the bins are the same.
    """
    lightgbm = engine()
    source: Any = matrix(blocks, rows) if fits(blocks, len(rows), at_once) else _pieces(blocks, rows)
    made = _silent(lightgbm.Dataset)(
        source,
        label=np.zeros(len(rows), dtype=np.float32),  # LightGBM insists on one and never looks at it
        reference=like,
        categorical_feature=category_columns(blocks),
        params=dict(settings),
        free_raw_data=True,
    ).construct()
    _give_back(blocks)
    return made


def _silent(kind: Any) -> Any:
    """A ``lightgbm.Dataset`` that stays silent when it is made of pieces too, where LightGBM drops ``verbosity``."""

    class Silent(kind):  # type: ignore[misc]
        def get_params(self) -> dict[str, Any]:
            return {**super().get_params(), "verbosity": -1}

    return Silent


def _pieces(blocks: Blocks, rows: NDArray[np.int64]) -> Any:
    """The rows as a ``lightgbm.Sequence``, which is asked for single rows first and then for stretches."""

    class Pieces(engine().Sequence):  # type: ignore[misc]
        batch_size = max(1, _PIECE // (8 * width(blocks)))
        singles = 0

        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, at: Any) -> NDArray[np.float64]:
            if isinstance(at, slice):
                _give_back(blocks)
                return matrix(blocks, rows[at])
            self.singles += 1
            if self.singles % _SINGLE_ROWS == 0:
                _give_back(blocks)
            row: NDArray[np.float64] = matrix(blocks, rows[[at]])[0]
            return row

    return Pieces()


def _give_back(blocks: Blocks) -> None:
    for block in ordered(blocks):
        release(block.values)


def width(blocks: Blocks) -> int:
    """How many columns there are."""
    return sum(block.values.shape[1] for block in ordered(blocks))
