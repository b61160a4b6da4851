"""From raw scores to probabilities that mean what they say, and to cut-offs that keep a stated loss budget.

Everything here is fitted on calibration rows only, is deterministic, and uses the package's own ``exp`` and exactly
rounded sums: equal scores give equal bits on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithify import numerics
from lithify.errors import TooFewRows, UsageError

Verdict = Literal["ham", "unsure", "spam"]

REVISION = 1
"""Changes whenever equal scores could get other probabilities or cut-offs."""

UNSURE_FACTOR = 10.0
"""Mail is unsure where a cut-off would lose up to this many times what the spam cut-off allows."""
_SMALLEST_SLOPE = 2.0**-10  # in units of the largest score; a fitted slope of zero or less would undo the order
_LARGEST_SLOPE = 2.0**20
_ROUNDS = 100
_TOLERANCE = 1e-12


def fit_temperature(raw: ArrayLike, y: ArrayLike) -> dict[str, Any]:
    """Fits what turns raw scores into probabilities.

    Two labels: ``sigmoid(slope * s + offset)`` of the difference ``s`` of the two scores (Platt 1999, fitted as in
    Lin, Lin, Weng 2007, doi:10.1007/s10994-007-5018-6). More: ``softmax(slope * raw)``, slope being one over the
    temperature (Guo et al. 2017, arXiv:1706.04599). The slope is kept positive, so the order of rows never changes.
    Targets are drawn in from 0 and 1 as by one more row of each label, so separable rows have a finite answer.

    Parameters
    ----------
    raw : (n, C) array of float64
    y : (n,) array of int, codes in [0, C)

    Returns
    -------
    dict
        ``{"kind": "platt", "slope", "offset", "rows"}`` or ``{"kind": "temperature", "slope", "rows"}``

    Raises
    ------
    TooFewRows
        When fewer than two labels occur.

    Examples
    --------
    >>> state = fit_temperature([[0, -2], [0, 1], [0, -1], [0, 2]], [0, 0, 1, 1])
    >>> state["kind"], round(state["slope"], 3), apply_temperature(state, [[0, 0]]).round(6).tolist()
    ('platt', 0.202, [[0.5, 0.5]])
    """
    scores, labels = np.asarray(raw, dtype=np.float64), np.asarray(y, dtype=np.int64)
    if scores.ndim != 2 or scores.shape[1] < 2 or labels.shape != scores.shape[:1] or not np.isfinite(scores).all():
        raise UsageError("Calibration needs finite raw scores (n, C) and labels (n,).", found=f"scores {scores.shape}")
    occurring = np.unique(labels)
    if len(occurring) < 2:
        raise TooFewRows("Calibration needs rows of at least two labels.", found=f"{len(labels)} rows of one label")
    if scores.shape[1] == 2:
        slope, offset = _fit_platt(scores[:, 1] - scores[:, 0], labels)
        return {"kind": "platt", "slope": slope, "offset": offset, "rows": len(labels)}
    return {"kind": "temperature", "slope": _fit_slope(scores, labels), "rows": len(labels)}


def identity(labels: int) -> dict[str, Any]:
    """Calibration that leaves raw scores as they are, for when there is nothing to fit it on; 0 labels: regression.

    >>> apply_temperature(identity(2), [[0.0, 0.0]]).tolist()
    [[0.5, 0.5]]
    """
    if labels == 0:
        return {"kind": "values", "rows": 0}
    if labels == 2:
        return {"kind": "platt", "slope": 1.0, "offset": 0.0, "rows": 0}
    return {"kind": "temperature", "slope": 1.0, "rows": 0}


def apply_temperature(state: Mapping[str, Any], raw: ArrayLike) -> NDArray[np.float64]:
    """Probabilities (n, C) of raw scores (n, C); each row by itself, so one row equals its row in a batch."""
    scores = np.asarray(raw, dtype=np.float64)
    if state["kind"] == "temperature":
        return numerics.softmax(state["slope"] * scores)
    z = scores[:, 1] - scores[:, 0]
    z *= state["slope"]
    z += state["offset"]
    out = np.empty((len(z), 2))
    out[:, 1] = numerics.sigmoid(z)
    out[:, 0] = numerics.sigmoid(np.negative(z, out=z))
    return out


def apply_to_row(state: Mapping[str, Any], raw: Sequence[float]) -> list[float]:
    """:func:`apply_temperature` of one row, to the bit, in plain Python: for a few rows quicker than arrays.

    >>> apply_to_row(identity(2), [0.0, 0.0])
    [0.5, 0.5]
    """
    exp = numerics.exp_float
    if state["kind"] == "temperature":
        slope = state["slope"]
        scores = [slope * score for score in raw]
        highest = max(scores)
        parts = [exp(score - highest) for score in scores]
        total = parts[0]
        for part in parts[1:]:
            total += part
        return [part / total for part in parts]
    z = state["slope"] * (raw[1] - raw[0]) + state["offset"]
    e = exp(-abs(z))
    whole = 1.0 + e
    return [(e if z > 0.0 else 1.0) / whole, (e if z < 0.0 else 1.0) / whole]


def choose_cutoffs(ham_scores: ArrayLike, spam_scores: ArrayLike, budget: float) -> dict[str, Any]:
    """Cut-offs on the probability of spam for a stated share of ham that may be lost.

    ``spam`` is the conformal upper quantile of the ham scores: of mail exchangeable with those hams at most ``budget``
    is lost on average over samples (Vovk, Gammerman, Shafer 2005, doi:10.1007/b106715). Below ``1 / budget - 1`` hams
    that quantile does not exist, and the cut-off sits just above every ham seen.

    ``unsure``, the lower edge of the band between, is the cut-off for ten times the loss that the spam cut-off allows,
    so that the folder to look through holds a bounded share of ham, however many there are to calibrate with. Neither
    cut-off is below 0.5: mail that is more probably ham is never held back.

    Parameters
    ----------
    ham_scores, spam_scores : (h,) and (s,) arrays of float64
        Probabilities of spam of calibration rows.
    budget : float
        Share of ham that may be lost, more than 0 and less than 1.

    Returns
    -------
    dict
        ``budget``, ``spam``, ``unsure``; ``ham_rows``, ``spam_rows``; ``held``, whether there is enough ham for the
        budget; ``can_show``, the loss that a sample of that size cannot exclude with 95 % confidence though none of
        it is lost, 3 / h (Hanley, Lippman-Hand 1983, doi:10.1001/jama.1983.03330370053031); ``seen``, what the
        cut-offs do to the calibration rows themselves; ``text``, sentences for the card.

    Examples
    --------
    >>> cutoffs = choose_cutoffs([0.1, 0.2, 0.6], [0.55, 0.9, 0.99], 0.001)
    >>> verdict(0.9, cutoffs), verdict(0.55, cutoffs), verdict(0.1, cutoffs), cutoffs["can_show"]
    ('spam', 'unsure', 'ham', 1.0)
    """
    if not 0.0 < budget < 1.0:
        raise UsageError("The ham-loss budget must lie between 0 and 1.", expected="such as 0.001", found=f"{budget}")
    ham = np.sort(np.asarray(ham_scores, dtype=np.float64))
    found = np.asarray(spam_scores, dtype=np.float64)
    if len(ham) == 0:
        raise TooFewRows("A cut-off needs ham to be chosen with.", found="no ham among the calibration rows")
    allowed = max(budget, 1.0 / (len(ham) + 1))
    spam = max(_conformal(ham, allowed), 0.5)
    unsure = max(_conformal(ham, min(UNSURE_FACTOR * allowed, 1.0)), 0.5)
    cutoffs: dict[str, Any] = {
        "budget": budget,
        "spam": spam,
        "unsure": min(unsure, spam),
        "ham_rows": len(ham),
        "spam_rows": len(found),
        "held": allowed == budget,
        "can_show": min(3.0 / len(ham), 1.0),
    }
    cutoffs["seen"] = {"ham": _counts(ham, cutoffs), "spam": _counts(found, cutoffs)}
    cutoffs["text"] = _text(cutoffs)
    return cutoffs


def verdict(score: float, cutoffs: Mapping[str, Any]) -> Verdict:
    """What a probability of spam means under sealed cut-offs: at or above one is beyond it."""
    if score >= cutoffs["spam"]:
        return "spam"
    return "unsure" if score >= cutoffs["unsure"] else "ham"


def _conformal(ham: NDArray[np.float64], loss: float) -> float:
    """Just above the ham score that at most ``loss`` of exchangeable ham exceeds on average; ``ham`` ascending."""
    kept = min(len(ham), math.ceil((len(ham) + 1) * (1.0 - loss) - 1e-9))
    return math.nextafter(float(ham[kept - 1]), math.inf) if kept > 0 else 0.0


def _counts(scores: NDArray[np.float64], cutoffs: Mapping[str, Any]) -> dict[str, int]:
    spam = int(np.count_nonzero(scores >= cutoffs["spam"]))
    beyond = int(np.count_nonzero(scores >= cutoffs["unsure"]))
    return {"ham": len(scores) - beyond, "unsure": beyond - spam, "spam": spam}


def _text(cutoffs: Mapping[str, Any]) -> list[str]:
    """The cut-offs in plain words, for card and report."""
    rows, budget = cutoffs["ham_rows"], f"{100 * cutoffs['budget']:g} %"
    if cutoffs["held"]:
        first = f"The spam cut-off keeps to a ham loss of {budget}, by the scores of {rows:,} ham."
    else:
        first = (
            f"{rows:,} ham are too few to show a ham loss of {budget}; the spam cut-off sits above each of them. "
            f"It would take {math.ceil(1 / cutoffs['budget'] - 1e-9) - 1:,}."
        )
    shown = (
        f"Even with none of {rows:,} ham lost, a loss of up to {100 * cutoffs['can_show']:.2g} % cannot be ruled out "
        "(95 % confidence)."
    )
    seen = cutoffs["seen"]["spam"]
    band = (
        f"Of {cutoffs['spam_rows']:,} spam among the calibration rows {seen['spam']:,} are called spam, "
        f"{seen['unsure']:,} unsure, {seen['ham']:,} ham."
    )
    return [first, shown, band]


def _fit_platt(s: NDArray[np.float64], y: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and offset by Newton's method with halved steps; in units of the largest score, for a good start."""
    positives = int(np.count_nonzero(y == 1))
    targets = np.where(y == 1, (positives + 1.0) / (positives + 2.0), 1.0 / (len(y) - positives + 2.0))
    unit = _unit(s)
    x = s / unit
    start = float(numerics.log((positives + 1.0) / (len(y) - positives + 1.0)))
    slope, offset = _newton(x, targets, 0.0, start)
    if slope < _SMALLEST_SLOPE:
        slope, offset = _SMALLEST_SLOPE, _fit_offset(x * _SMALLEST_SLOPE, targets)
    return slope / unit, offset


def _newton(x: NDArray[np.float64], t: NDArray[np.float64], a: float, b: float) -> tuple[float, float]:
    loss = _platt_loss(x, t, a, b)
    for _ in range(_ROUNDS):
        p = numerics.sigmoid(a * x + b)
        gap, bend = p - t, p * (1.0 - p)
        ga, gb = math.fsum(gap * x), math.fsum(gap)
        haa, hab, hbb = math.fsum(bend * x * x) + _TOLERANCE, math.fsum(bend * x), math.fsum(bend) + _TOLERANCE
        if max(abs(ga), abs(gb)) <= _TOLERANCE * len(x):
            break
        determinant = haa * hbb - hab * hab
        if determinant <= 0.0:  # scores that are all but one and the same
            break
        da, db = (hab * gb - hbb * ga) / determinant, (hab * ga - haa * gb) / determinant
        step, slope = 1.0, ga * da + gb * db
        while step > _TOLERANCE and _platt_loss(x, t, a + step * da, b + step * db) > loss + 1e-4 * step * slope:
            step /= 2.0
        if step <= _TOLERANCE:
            break
        a, b = a + step * da, b + step * db
        loss = _platt_loss(x, t, a, b)
    return a, b


def _platt_loss(x: NDArray[np.float64], t: NDArray[np.float64], a: float, b: float) -> float:
    z = a * x + b
    return math.fsum(numerics.log1pexp(z) - t * z)


def _fit_offset(fixed: NDArray[np.float64], t: NDArray[np.float64]) -> float:
    """The offset alone, by halving: the excess of claimed over true positives grows with it."""
    low, high = -64.0, 64.0
    for _ in range(_ROUNDS):
        middle = (low + high) / 2.0
        excess = math.fsum(numerics.sigmoid(fixed + middle) - t)
        low, high = (low, middle) if excess > 0.0 else (middle, high)
    return (low + high) / 2.0


def _fit_slope(raw: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """The slope alone, by halving on a scale of logarithms: the loss is convex in it."""
    share = 1.0 / (len(y) + raw.shape[1])
    targets = np.full(raw.shape, share / (raw.shape[1] - 1))
    targets[np.arange(len(y)), y] = 1.0 - share
    unit = _unit(raw)
    raw = raw / unit
    wanted = math.fsum((targets * raw).ravel())
    low, high = _SMALLEST_SLOPE, _LARGEST_SLOPE
    while high / low > 1.0 + _TOLERANCE:
        middle = math.sqrt(low * high)
        steep = math.fsum((numerics.softmax(middle * raw) * raw).ravel()) > wanted
        low, high = (low, middle) if steep else (middle, high)
    return math.sqrt(low * high) / unit


def _unit(scores: NDArray[np.float64]) -> float:
    """A power of two at least as large as every score, so that slopes can be sought on one scale."""
    return math.ldexp(1.0, math.frexp(float(np.abs(scores).max()) or 1.0)[1])
