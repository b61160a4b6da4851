"""Which process computes which grains of a step, and the tree that puts their sums together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Share(NamedTuple):
    """An aligned subtree of the grains: ``first`` is a multiple of ``width``, which is a power of two."""

    first: int
    width: int


@functools.cache
def shares(grains: int, size: int) -> tuple[tuple[Share, ...], ...]:
    """The subtrees of each of ``size`` processes; together they are all ``grains``, a power of two.

    No process has more than its fair part rounded up, so none is waited for longer than need be; of all such ways it
    is one with the fewest subtrees, since each of them travels.

    >>> shares(4, 2)
    ((Share(first=0, width=2),), (Share(first=2, width=2),))
    >>> [sum(share.width for share in each) for each in shares(16, 3)]
    [6, 6, 4]
    """
    pieces = sorted(
        ((width, rank) for rank, quota in enumerate(_quotas(grains, size)) for width in _powers(quota)),
        key=lambda piece: (-piece[0], piece[1]),
    )
    found: list[list[Share]] = [[] for _ in range(size)]
    first = 0
    for width, rank in pieces:  # the largest first, so that every one is aligned
        found[rank].append(Share(first, width))
        first += width
    return tuple(tuple(each) for each in found)


def join(parts: Iterable[tuple[Share, T]], add: Callable[[T, T], T]) -> T:
    """The sum of all grains from the sums of subtrees that cover them, in the order and with the brackets of the tree.

    >>> join([(Share(2, 1), "c"), (Share(0, 2), "ab"), (Share(3, 1), "d")], lambda left, right: f"({left}+{right})")
    '(ab+(c+d))'
    """
    open_: list[tuple[int, T]] = []
    for share, total in sorted(parts, key=lambda part: part[0].first):
        width = share.width
        while open_ and open_[-1][0] == width:
            total = add(open_.pop()[1], total)
            width *= 2
        open_.append((width, total))
    ((_, whole),) = open_
    return whole


def _quotas(grains: int, size: int) -> list[int]:
    """How many grains each process has, the most first: at most ``ceil(grains / size)``, in the fewest powers of two.

    ``best[n]`` is the fewest powers that give out n grains to the processes so far, with the quotas that do.
    """
    most = -(-grains // size)
    best: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
    for left in range(size - 1, -1, -1):
        now: dict[int, tuple[int, tuple[int, ...]]] = {}
        for given, (powers, quotas) in best.items():
            for quota in range(min(most, grains - given) + 1):
                if grains - given - quota <= left * most:
                    found = (powers + quota.bit_count(), (*quotas, quota))
                    now[given + quota] = min(now.get(given + quota, found), found)
        best = now
    return sorted(best[grains][1], reverse=True)


def _powers(number: int) -> list[int]:
    return [1 << bit for bit in range(number.bit_length()) if number >> bit & 1]
