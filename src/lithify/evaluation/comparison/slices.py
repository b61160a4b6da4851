"""Slices of the rows on which the challenger is worse than the champion, beyond what so many looks show by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation.comparison.binomial import at_least, holm
from lithify.evaluation.comparison.paired import bonett_price, mean_limits
from lithify.evaluation.parts import Parts
from lithify.metrics import Sample, Values

FEWEST, FEWEST_LABELLED = 50, 10
"""Rows that a slice must have; that of a label is tested exactly, and so may have fewer."""


@dataclass(frozen=True)
class Slice:
    """The rows with one value of one field, or of one label or period.

    Attributes
    ----------
    field, value : str
    rows : int
    champion, challenger : float
        Share of rows with the wrong label, or root mean squared error.
    difference, low, high : float
        The challenger's less the champion's, with its 95 % interval.
    p : float
        One-sided: how likely the challenger looks this much worse where it is not. Exact (McNemar) for labels, by
        Student's t of the differences of squared errors for values.
    adjusted : float
        The same, adjusted for all slices that were looked at (Holm).
    worse : bool
        Whether ``adjusted`` is at most the level asked for.
    """

    field: str
    value: str
    rows: int
    champion: float
    challenger: float
    difference: float
    low: float
    high: float
    p: float
    adjusted: float
    worse: bool


def slices(
    champion: Sample | Values, challenger: Sample | Values, parts: Sequence[tuple[str, Parts]], alpha: float
) -> tuple[Slice, ...]:
    """All slices, the most suspicious first.

    Parameters
    ----------
    champion, challenger : Sample or Values
        Of the same n rows.
    parts : sequence of (name, Parts)
        How each field parts these rows; one that has all rows in one part is left out.
    alpha : float
        How likely any slice at all is called worse, were none.
    """
    parted = [(name, part) for name, part in parts if len(part.names) > 1 or (part.codes < 0).any()]
    measure = _labelled if isinstance(champion, Sample) else _valued
    found = [one for name, part in parted for one in measure(champion, challenger, name, part)]
    adjusted = holm([one["p"] for one in found])
    made = [Slice(**one, adjusted=p, worse=p <= alpha) for one, p in zip(found, adjusted, strict=True)]
    return tuple(sorted(made, key=lambda one: (one.p, -one.difference, one.field, one.value)))


def _labelled(champion: Any, challenger: Any, field: str, parts: Parts) -> list[dict[str, Any]]:
    a, b = champion.y != champion.predicted, challenger.y != challenger.predicted
    rows, wrong_a, wrong_b, lost, won = (_counts(parts, each) for each in (a | True, a, b, b & ~a, a & ~b))
    found = []
    for code, name in enumerate(parts.names):
        n, k, m = rows[code], lost[code], won[code]
        gap = (k - m) / n
        low, high = bonett_price(m, k, n)
        ends = {"difference": gap, "low": min(low, gap), "high": max(high, gap), "p": at_least(k, k + m)}
        found.append(_slice(field, name, n, wrong_a[code] / n, wrong_b[code] / n) | ends)
    return found


def _valued(champion: Any, challenger: Any, field: str, parts: Parts) -> list[dict[str, Any]]:
    unit = 2.0 ** max(champion.exponent, challenger.exponent)  # in which no square overflows
    a, b = (((each.y / unit) - (each.predicted / unit)) ** 2 for each in (champion, challenger))
    found = []
    for code, name in enumerate(parts.names):
        mine = np.flatnonzero(parts.codes == code)
        first, second = math.sqrt(float(a[mine].mean())), math.sqrt(float(b[mine].mean()))
        gaps, roots = b[mine] - a[mine], first + second
        low, high = mean_limits(gaps) if roots > 0.0 else (0.0, 0.0)
        scale = unit / roots if roots > 0.0 else 0.0
        ends = {"difference": unit * (second - first), "low": low * scale, "high": high * scale, "p": worse_by_t(gaps)}
        found.append(_slice(field, name, len(mine), unit * first, unit * second) | ends)
    return found


def worse_by_t(gaps: NDArray[np.float64]) -> float:
    """One-sided probability of Student's t that a mean is this far above zero by chance; ``gaps`` (n,), n above 1.

    The tail of t by way of the normal distribution: Wallace 1959 (doi:10.1214/aoms/1177706203).

    >>> round(worse_by_t(np.array([0.1, 0.3, 0.2, -0.1, 0.2, 0.4])), 3), worse_by_t(np.zeros(5))
    (0.024, 1.0)
    """
    freedom, mean = len(gaps) - 1, float(gaps.mean())
    spread = float(((gaps - mean) ** 2).sum() / freedom) / len(gaps)
    if spread == 0.0:
        return 0.0 if mean > 0.0 else 1.0
    square = mean * mean / spread
    z = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0) * math.sqrt(freedom * math.log1p(square / freedom))
    return NormalDist().cdf(-z if mean > 0.0 else z)


def _slice(field: str, value: str, rows: int, champion: float, challenger: float) -> dict[str, Any]:
    return {"field": field, "value": value, "rows": rows, "champion": champion, "challenger": challenger}


def _counts(parts: Parts, which: NDArray[np.bool_]) -> list[int]:
    found: list[int] = np.bincount(parts.codes[which & (parts.codes >= 0)], minlength=len(parts.names)).tolist()
    return found
