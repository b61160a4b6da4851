"""Sets of labels and intervals of values that hold the truth with a stated probability, whatever the model.

Split conformal prediction (Vovk, Gammerman, Shafer 2005, doi:10.1007/b106715): thresholds are order statistics of
scores of calibration rows that the model has not learned from. Of rows exchangeable with those at least the stated
share is covered, on average over samples, with no other assumption. Sets hold that share of each label by itself
(Sadinle, Lei, Wasserman 2019, doi:10.1080/01621459.2017.1395341), and of the labels with too few rows for that all
together, as one cluster (Ding, Angelopoulos, Bates, Jordan, Tibshirani 2023, arXiv:2306.09335). Intervals (Lei et al.
2018, doi:10.1080/01621459.2017.1307116) hold it of each bin of rows by what is predicted of them, where there are rows
enough for several (Mondrian conformal regression: Boström, Johansson 2020, PMLR 128:114-133).

Where all rows are too few for the stated coverage nothing is claimed: every set holds the label, every interval is
infinite, ``held`` is false and :func:`sentences` says so.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithify.data.profile import short
from lithify.errors import UsageError

REVISION = 3
"""Changes whenever equal scores could get other sets or intervals."""

LEAST_ROWS = 100
"""Calibration rows of a bin at least; more where the coverage cannot be shown with so few."""
MOST_BINS = 10
_NAMED = 24
"""Labels that are named one by one in a sentence."""
_NUMBER = (int, float)
_SETS = {
    "kind": str,
    "coverage": _NUMBER,
    "thresholds": [_NUMBER],
    "rows": [int],
    "held": [bool],
}
_INTERVALS = {
    "kind": str,
    "coverage": _NUMBER,
    "edges": [_NUMBER],
    "margins": [(int, float, type(None))],
    "rows": [int],
}


def fit_sets(probabilities: ArrayLike, y: ArrayLike, coverage: float = 0.9) -> dict[str, Any]:
    """Fits one threshold for each label: a set holds the labels whose probability is at least their threshold.

    The threshold of a label is the ``ceil((n + 1) * coverage)``-th largest probability that its n calibration rows gave
    it. With too few rows there is none such: all labels of which that is so share one threshold, found in the same way
    from the probabilities that the rows of any of them gave their own label. Where even those are too few it is 0.

    Parameters
    ----------
    probabilities : (n, C) array of float64
    y : (n,) array of int, codes in [0, C)
    coverage : float
        Share of the rows of each label whose set must hold it, more than 0 and less than 1.

    Returns
    -------
    dict
        ``kind`` "sets", ``coverage``; by label ``thresholds``, ``rows`` and ``held``, whether the rows were enough.

    Raises
    ------
    UsageError
        For shapes that do not belong together and a coverage out of range.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    >>> state = fit_sets(p, [0, 0, 1, 1], 0.6)
    >>> state["thresholds"], apply_sets(state, [[0.85, 0.15], [0.35, 0.65]]).tolist()
    ([0.8, 0.6], [[True, False], [False, True]])
    """
    p, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(y, dtype=np.int64)
    if p.ndim != 2 or labels.shape != p.shape[:1] or not np.isfinite(p).all():
        raise UsageError("Sets need finite probabilities (n, C) and labels (n,).", found=f"{p.shape}, {labels.shape}")
    coverage = _checked(coverage)
    of = [np.sort(p[labels == code, code])[::-1] for code in range(p.shape[1])]
    held = [_rank(len(own), coverage) <= len(own) for own in of]
    few = [own for own, ok in zip(of, held, strict=True) if not ok]
    others = np.sort(np.concatenate(few))[::-1] if few else np.zeros(0)
    enough = _rank(len(others), coverage) <= len(others)
    shared = float(others[_rank(len(others), coverage) - 1]) if enough else 0.0
    return {
        "kind": "sets",
        "coverage": coverage,
        "thresholds": [
            float(own[_rank(len(own), coverage) - 1]) if ok else shared for own, ok in zip(of, held, strict=True)
        ],
        "rows": [len(own) for own in of],
        "held": held,
    }


def apply_sets(state: Mapping[str, Any], probabilities: ArrayLike) -> NDArray[np.bool_]:
    """Which labels are in the set of each row: (n, C).

    No set is empty: where no label reaches its threshold the set holds the most probable one (all of equals). That a
    row is unlike the calibration rows is then not shown by its set, but a person always gets an answer, and coverage
    can only grow by it.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    held: NDArray[np.bool_] = p >= np.array(state["thresholds"])
    filled: NDArray[np.bool_] = held | (~held.any(axis=1, keepdims=True) & (p == p.max(axis=1, keepdims=True)))
    return filled


def set_of(state: Mapping[str, Any], probabilities: Sequence[float]) -> list[bool]:
    """:func:`apply_sets` of one row, in plain Python: for a few rows quicker than arrays.

    >>> set_of({"thresholds": [0.8, 0.6]}, [0.35, 0.65])
    [False, True]
    """
    held = [share >= least for share, least in zip(probabilities, state["thresholds"], strict=True)]
    if any(held):
        return held
    most = max(probabilities)
    return [share == most for share in probabilities]


def fit_intervals(predicted: ArrayLike, y: ArrayLike, coverage: float = 0.9) -> dict[str, Any]:
    """Fits the half-widths of intervals around predicted values: one for each bin of predicted values.

    The bins hold about equally many calibration rows, :data:`LEAST_ROWS` at least, and there are :data:`MOST_BINS` at
    most; rows of equal predictions stay together. Their edges are found without looking at values, and are numbers with
    as few digits as tell the rows on both sides apart: no edge is the prediction of a row. The half-width of a bin of n
    rows is the ``ceil((n + 1) * coverage)``-th smallest of their errors.

    Parameters
    ----------
    predicted, y : (n,) arrays of float64
    coverage : float
        Share of the rows of each bin whose interval must hold the value, more than 0 and less than 1.

    Returns
    -------
    dict
        ``kind`` "intervals", ``coverage``, ``edges`` between the bins, ascending; by bin ``margins`` (None: infinite,
        of the only bin there is when the rows are too few) and ``rows``.

    Examples
    --------
    >>> state = fit_intervals([0.0, 0.0, 0.0, 0.0], [0.1, -0.2, 0.3, -0.4], 0.6)
    >>> state["margins"], apply_intervals(state, [5.0]).round(9).tolist()
    ([0.3], [[4.7, 5.3]])
    >>> predicted = np.arange(200.0)
    >>> state = fit_intervals(predicted, 1.5 * predicted)
    >>> state["edges"], state["margins"], apply_intervals(state, [50.0, 150.0]).tolist()
    ([99.5], [45.0, 95.0], [[5.0, 95.0], [55.0, 245.0]])
    """
    middle, truth = np.asarray(predicted, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if middle.ndim != 1 or middle.shape != truth.shape or not (np.isfinite(middle).all() and np.isfinite(truth).all()):
        raise UsageError("Intervals need finite values and predictions (n,).", found=f"{truth.shape}, {middle.shape}")
    coverage = _checked(coverage)
    edges = _edges(np.sort(middle), max(LEAST_ROWS, _fewest(coverage)))
    at, missed = np.searchsorted(edges, middle, side="right"), np.abs(truth - middle)
    of = [np.sort(missed[at == code]) for code in range(len(edges) + 1)]
    ranks = [_rank(len(own), coverage) for own in of]
    return {
        "kind": "intervals",
        "coverage": coverage,
        "edges": edges,
        "margins": [float(own[k - 1]) if k <= len(own) else None for own, k in zip(of, ranks, strict=True)],
        "rows": [len(own) for own in of],
    }


def apply_intervals(state: Mapping[str, Any], predicted: ArrayLike) -> NDArray[np.float64]:
    """Lower and upper end of the interval of each row: (n, 2), infinite where the calibration rows were too few.

    A prediction that is an edge belongs to the bin above.
    """
    middle = np.asarray(predicted, dtype=np.float64)
    margins = np.array([math.inf if margin is None else margin for margin in state["margins"]], dtype=np.float64)
    half = margins[np.searchsorted(np.array(state["edges"], dtype=np.float64), middle, side="right")]
    return np.stack([middle - half, middle + half], axis=1)


def interval_of(state: Mapping[str, Any], predicted: float) -> tuple[float, float]:
    """:func:`apply_intervals` of one row, to the bit, in plain Python.

    >>> interval_of({"edges": [99.5], "margins": [45.0, None]}, 50.0)
    (5.0, 95.0)
    """
    margin = state["margins"][bisect_right(state["edges"], predicted)]
    half = math.inf if margin is None else margin
    return predicted - half, predicted + half


def form(state: Mapping[str, Any]) -> dict[str, Any]:
    """The closed form that a state of its kind must have: names and types, ``[type]`` for a list.

    >>> sorted(form({"kind": "sets"}))
    ['coverage', 'held', 'kind', 'rows', 'thresholds']
    """
    return _INTERVALS if state.get("kind") == "intervals" else _SETS


def sound(state: Mapping[str, Any], labels: int) -> bool:
    """Whether a state that has its :func:`form` can be used with so many labels, 0 in regression.

    >>> sound(fit_intervals([0.0], [1.0]), 0), sound(fit_intervals([0.0], [1.0]), 2)
    (True, False)
    """
    if not 0.0 < state["coverage"] < 1.0 or state["kind"] != ("sets" if labels else "intervals"):
        return False
    if labels:
        return _sound_sets(state, labels)
    edges, margins, rows = state["edges"], state["margins"], state["rows"]
    ordered = [-math.inf, *edges, math.inf]
    return bool(
        len(margins) == len(rows) == len(edges) + 1
        and (len(rows) == 1 or None not in margins)
        and all(low < high for low, high in pairwise(ordered))
        and all(margin is None or 0.0 <= margin < math.inf for margin in margins)
        and all(
            own >= 0 and (margin is not None) == (_rank(own, state["coverage"]) <= own)
            for margin, own in zip(margins, rows, strict=True)
        )
    )


def _sound_sets(state: Mapping[str, Any], labels: int) -> bool:
    columns = (state["thresholds"], state["rows"], state["held"])
    if any(len(column) != labels for column in columns) or min(state["rows"], default=0) < 0:
        return False
    shared = {threshold for threshold, ok in zip(state["thresholds"], state["held"], strict=True) if not ok}
    return bool(
        all(0.0 <= threshold <= 1.0 for threshold in state["thresholds"])
        and [_rank(rows, state["coverage"]) <= rows for rows in state["rows"]] == state["held"]
        and len(shared) <= 1
        and (_together(state) > 0 or shared <= {0.0})
    )


def _together(state: Mapping[str, Any]) -> int:
    """Rows of the labels that share a threshold; 0 where they are too few for one."""
    rows = sum(rows for rows, ok in zip(state["rows"], state["held"], strict=True) if not ok)
    return rows if _rank(rows, state["coverage"]) <= rows else 0


def sentences(state: Mapping[str, Any], labels: Sequence[str] = ()) -> list[str]:
    """What is claimed, and what is not, in plain words for card and report.

    >>> sentences(fit_intervals([0.0], [1.0], 0.9))
    ['1 calibration rows are too few for intervals of 90 % coverage: they are infinite. It would take 9.']
    """
    claimed, needed = f"{100.0 * state['coverage']:g} %", _fewest(state["coverage"])
    rows = sum(state["rows"])
    if state["kind"] == "intervals":
        return [_of_intervals(claimed, rows, needed, state["margins"])]
    few = [name for name, held in zip(labels, state["held"], strict=True) if not held]
    lines = [f"Sets hold the true label of {claimed} of the rows of each label, by {rows:,} rows."]
    if len(set(state["thresholds"])) > 1:
        lines.append("A set can leave out the most probable label: each label is held to a probability of its own.")
    if few and len(few) == len(labels) and _together(state):
        return [
            f"Sets hold the true label of {claimed} of rows, by {rows:,} rows of all labels together. Too few "
            f"calibration rows to claim it of each label: it would take {needed:,} of one."
        ]
    if few and len(few) == len(labels):
        return [
            f"Too few calibration rows for sets of {claimed} coverage, {rows:,}: every set holds every label. It would "
            f"take {needed:,} of a label."
        ]
    if few:
        those = f"{len(few):,} labels" if len(few) > _NAMED else ", ".join(few)
        lines.append(f"Too few calibration rows for that of {those}: {_instead(state, claimed, len(few))}")
        lines[-1] += f" It would take {needed:,} of a label."
    return lines


def _instead(state: Mapping[str, Any], claimed: str, few: int) -> str:
    """What is claimed of labels with too few rows."""
    if rows := _together(state):
        return f"sets hold {claimed} of the {rows:,} rows of these labels together, not of each."
    return "every set holds it." if few == 1 else "every set holds them."


def _of_intervals(claimed: str, rows: int, needed: int, margins: Sequence[float | None]) -> str:
    if None in margins:
        return (
            f"{rows:,} calibration rows are too few for intervals of {claimed} coverage: they are infinite. It would "
            f"take {needed:,}."
        )
    stated = f"Intervals hold the value of {claimed} of rows"
    if len(margins) == 1:
        return f"{stated}, by {rows:,} calibration rows; they are all equally wide."
    return (
        f"{stated} at each level of the prediction, by {rows:,} calibration rows in {len(margins)} bins, each of which "
        "has a width of its own."
    )


def _checked(coverage: float) -> float:
    if not 0.0 < coverage < 1.0:
        raise UsageError("Coverage must lie between 0 and 1.", expected="such as 0.9", found=f"{coverage}")
    return coverage


def _rank(rows: int, coverage: float) -> int:
    """Which order statistic of so many scores covers the stated share of one more."""
    return max(1, math.ceil((rows + 1) * coverage - 1e-9))


def _fewest(coverage: float) -> int:
    """The fewest rows that can show a coverage."""
    return math.ceil(coverage / (1.0 - coverage) - 1e-9)


def _edges(ordered: NDArray[np.float64], least: int) -> list[float]:
    """Borders between bins of at least ``least`` of these ascending values each, as near to equal bins as can be."""
    n, below = len(ordered), 0
    bins = min(MOST_BINS, n // least)
    between = ordered[:-1] / 2 + ordered[1:] / 2
    gaps = np.flatnonzero((ordered[:-1] < between) & (between < ordered[1:])) + 1
    edges = []
    for part in range(1, bins):
        fitting = gaps[(gaps >= below + least) & (gaps <= n - least)]
        if len(fitting):
            below = int(fitting[np.abs(fitting - n * part // bins).argmin()])
            edges.append(short(between[below - 1], ordered[below - 1], ordered[below]))
    return edges
