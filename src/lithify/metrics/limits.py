"""Closed-form 95 % intervals: they do not collapse where no errors were seen, and need no draws.

Wilson 1927 (doi:10.1080/01621459.1927.10502953), recommended for all sizes by Brown, Cai, DasGupta 2001
(doi:10.1214/ss/1009213286). MOVER: Zou, Donner 2008 (doi:10.1002/sim.3095). AUC: Newcombe 2006, method 5
(doi:10.1002/sim.2324). Only additions, multiplications, divisions and square roots: equal bits everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


def wilson(k: float, n: float) -> tuple[float, float]:
    """Wilson score interval of the proportion ``k / n``; all of [0, 1] when ``n`` is 0.

    >>> [round(limit, 4) for limit in wilson(0, 830)]
    [0.0, 0.0046]
    """
    if n <= 0:
        return 0.0, 1.0
    centre = (k + Z * Z / 2.0) / (n + Z * Z)
    margin = Z * math.sqrt(k * (n - k) / n + Z * Z / 4.0) / (n + Z * Z)
    return (0.0 if k <= 0 else max(0.0, centre - margin)), (1.0 if k >= n else min(1.0, centre + margin))


def mover(points: Sequence[float], parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Interval of the mean of independent figures, from the intervals of each.

    >>> mover([0.5, 0.5], [(0.4, 0.6), (0.4, 0.6)]) == mover([0.5] * 2, [(0.4, 0.6)] * 2)
    True
    """
    size = len(points)
    mean = math.fsum(points) / size
    down = math.fsum((point - low) * (point - low) for point, (low, _) in zip(points, parts, strict=True))
    up = math.fsum((high - point) * (high - point) for point, (_, high) in zip(points, parts, strict=True))
    return mean - math.sqrt(down) / size, mean + math.sqrt(up) / size


def newcombe_auc(area: float, negatives: float, positives: float) -> tuple[float, float]:
    """Score interval of an area under the ROC curve, sensible also at 0 and 1.

    >>> [round(limit, 3) for limit in newcombe_auc(1.0, 50, 50)]
    [0.96, 1.0]
    """
    half = (negatives + positives) / 2.0 - 1.0

    def outside(theta: float) -> bool:
        spread = 1.0 + half * (1.0 - theta) / (2.0 - theta) + half * theta / (1.0 + theta)
        variance = theta * (1.0 - theta) * spread / (negatives * positives)
        return (theta - area) * (theta - area) > Z * Z * variance  # a power is left to the C library

    return _edge(outside, 0.0, area), _edge(outside, 1.0, area)


def _edge(outside: Callable[[float], bool], out: float, inside: float) -> float:
    """The border between a point outside and one inside of the interval, by halving."""
    if not outside(out):
        return out
    for _ in range(60):
        middle = (out + inside) / 2.0
        out, inside = (middle, inside) if outside(middle) else (out, middle)
    return (out + inside) / 2.0
