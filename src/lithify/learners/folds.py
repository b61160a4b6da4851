"""Folds of training rows: by the hash of a row's group, so that all members of an ensemble share them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lithify import rng


def fold_of(group: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row, in [0, folds); rows of one group share it, and it depends on nothing but group and seed.

    Parameters
    ----------
    group : (n,) int64
        Equal for rows that must stay together.
    folds : int
        How many folds; at least 1.
    seed : int
        Of all randomness.

    Returns
    -------
    (n,) int64

    Examples
    --------
    >>> fold_of(np.array([7, 7, 8, 9]), 8, seed=1).tolist()
    [1, 1, 4, 6]
    """
    return rng.below(rng.key(seed, "fold"), group, folds)


def parted(fold: NDArray[np.int64]) -> bool:
    """Whether some fold can be left out and rows remain: not so where all are in one.

    >>> parted(np.array([3, 3])), parted(np.array([3, 1])), parted(np.array([], dtype=np.int64))
    (False, True, False)
    """
    return bool((fold != fold[:1]).any())
