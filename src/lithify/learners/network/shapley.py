"""Contributions to one score of a row: Shapley values by sampling orders of the players.

A player's share is what it adds to the score when it joins those before it, averaged over some orders and their
reverses (Castro, Gómez, Tejada 2009, doi:10.1016/j.cor.2008.04.004; reverses as antithetic variates, Mitchell et al.
2022, JMLR 23:43). Along every order the gains add up to the whole score less the base, so the shares do too. The orders
are keyed: a row has the same shares whenever it is asked.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lithify import rng

Score = Callable[[NDArray[np.bool_]], NDArray[np.float64]]
"""Scores (k,) of k rows in each of which some players are there, (k, players) bool."""
_AT_ONCE = 512


def shares(players: int, orders: int, score: Score) -> tuple[NDArray[np.float64], float]:
    """Each player's share (players,), and the score without any.

    Parameters
    ----------
    players : int
    orders : int
        Orders drawn; each is walked forwards and backwards.
    score : callable

    Examples
    --------
    >>> found, base = shares(2, 4, lambda there: 1.0 + 2.0 * there[:, 0] * there[:, 1])
    >>> found.tolist(), base
    ([1.0, 1.0], 1.0)
    """
    ends = score(np.array([[False] * players, [True] * players]))
    base, whole = float(ends[0]), float(ends[1])
    if players == 0:
        return np.zeros(0), base
    total = np.zeros(players)
    for number in range(orders):
        drawn = rng.bits(rng.key(number, "network shapley"), 0, players)
        order = np.argsort(drawn, kind="stable")
        for walk in (order, order[::-1]):
            values = np.concatenate([[base], _along(walk, score), [whole]])
            total[walk] += np.diff(values)
    return total / (2 * orders), base


def _along(walk: NDArray[np.int64], score: Score) -> NDArray[np.float64]:
    """Scores with the first player of an order, the first two, and so on to all but one."""
    rank = np.argsort(walk)
    found = [np.zeros(0)]
    for at in range(1, len(walk), _AT_ONCE):
        counts = np.arange(at, min(at + _AT_ONCE, len(walk)))
        found.append(score(rank[None, :] < counts[:, None]))
    return np.concatenate(found)
