"""Exact tests of a fair coin: how likely it is that so many of the rows on which two models differ went one way.

McNemar 1947 (doi:10.1007/BF02295996) in its exact form: of the rows that one model alone gets right, each model has
half where both are equally good. Holm 1979 for several tests at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_NEGLIGIBLE = 1e-18


def at_least(k: int, n: int) -> float:
    """Probability that a fair coin thrown ``n`` times shows heads at least ``k`` times.

    The first term is a ratio of whole numbers, rounded once; the others follow from it, the largest first.

    >>> at_least(5, 5), at_least(0, 5), at_least(3, 5)
    (0.03125, 1.0, 0.5)
    """
    if k <= 0:
        return 1.0
    if 2 * k <= n:
        return 1.0 - at_least(n - k + 1, n)  # heads and tails are alike
    term = math.comb(n, k) / (1 << n) if k <= n else 0.0
    total = 0.0
    for heads in range(k, n + 1):
        total += term
        if term <= _NEGLIGIBLE * total:
            break
        term *= (n - heads) / (heads + 1)
    return min(total, 1.0)


def two_sided(a: int, b: int) -> float:
    """The exact test of McNemar: how likely a difference at least as large as that of ``a`` and ``b`` is by chance.

    >>> two_sided(1, 8), two_sided(4, 4), two_sided(0, 0)
    (0.0390625, 1.0, 1.0)
    """
    return min(1.0, 2.0 * at_least(max(a, b), a + b))


def holm(p: Sequence[float]) -> list[float]:
    """Probabilities of error of several tests at once, adjusted so that each may be held against the level of all.

    Holm 1979, "A simple sequentially rejective multiple test procedure" (Scand. J. Statist. 6, 65-70): free of any
    assumption on how the tests hang together, and never weaker than Bonferroni.

    >>> [round(each, 6) for each in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted, reached = [1.0] * len(p), 0.0
    for done, at in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        reached = max(reached, min(1.0, (len(p) - done) * p[at]))
        adjusted[at] = reached
    return adjusted
