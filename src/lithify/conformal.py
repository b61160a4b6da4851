"""Sets of labels and intervals of values that hold the truth with a stated probability, whatever the model.

Split conformal prediction (Vovk, Gammerman, Shafer 2005, doi:10.1007/b106715): thresholds are order statistics of
scores of calibration rows that the model has not learned from. Of rows exchangeable with those at least the stated
share is covered, on average over samples, with no other assumption. Sets hold that share of each label by itself
(Sadinle, Lei, Wasserman 2019, doi:10.1080/01621459.2017.1395341); intervals hold it over all rows (Lei et al. 2018,
doi:10.1080/01621459.2017.1307116).

With too few rows for the stated coverage nothing is claimed: every set holds the label, every interval is infinite,
``held`` is false and :func:`sentences` says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithify.errors import UsageError

REVISION = 1
"""Changes whenever equal scores could get other sets or intervals."""

_LEAST_SPREAD = 0.125
"""Of the median spread: what is added to each, so that rows with next to none do not decide the width of all."""
_NUMBER = (int, float)
_SETS = {"kind": str, "coverage": _NUMBER, "thresholds": [_NUMBER], "rows": [int], "held": [bool]}
_INTERVALS = {
    "kind": str,
    "coverage": _NUMBER,
    "margin": (int, float, type(None)),
    "rows": int,
    "held": bool,
    "scaled": bool,
    "floor": _NUMBER,
}


def fit_sets(probabilities: ArrayLike, y: ArrayLike, coverage: float = 0.9) -> dict[str, Any]:
    """Fits one threshold for each label: a set holds the labels whose probability is at least their threshold.

    The threshold of a label is the ``ceil((n + 1) * coverage)``-th largest probability that its n calibration rows gave
    it; with too few rows there is none such and the threshold is 0.

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
    of = [np.sort(p[labels == code, code])[::-1] for code in range(p.shape[1])]
    needed = [_rank(len(own), coverage) for own in of]
    held = [rank <= len(own) for rank, own in zip(needed, of, strict=True)]
    return {
        "kind": "sets",
        "coverage": coverage,
        "thresholds": [float(own[k - 1]) if ok else 0.0 for own, k, ok in zip(of, needed, held, strict=True)],
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


def fit_intervals(
    predicted: ArrayLike, y: ArrayLike, coverage: float = 0.9, spread: ArrayLike | None = None
) -> dict[str, Any]:
    """Fits the half-width of intervals around predicted values.

    Without a spread all intervals are equally wide. With one they are as wide as ``margin * (spread + floor)``:
    normalised conformal prediction (Papadopoulos, Gammerman, Vovk 2008; Lei et al. 2018, section 5.2). The floor, an
    eighth of the median spread of the calibration rows, is found without looking at values.

    Parameters
    ----------
    predicted, y : (n,) arrays of float64
    coverage : float
        Share of rows whose interval must hold the value, more than 0 and less than 1.
    spread : (n,) array of float64, optional
        How unsure each prediction is, not negative, such as the disagreement of the members of a bag. Where no row has
        any, it is left aside.

    Returns
    -------
    dict
        ``kind`` "intervals", ``coverage``, ``margin`` (None: infinite), ``rows``, ``held``, whether the rows were
        enough, ``scaled``, ``floor``.

    Examples
    --------
    >>> state = fit_intervals([0.0, 0.0, 0.0, 0.0], [0.1, -0.2, 0.3, -0.4], 0.6)
    >>> state["margin"], apply_intervals(state, [5.0]).round(9).tolist()
    (0.3, [[4.7, 5.3]])
    """
    middle, truth = np.asarray(predicted, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if middle.ndim != 1 or middle.shape != truth.shape or not (np.isfinite(middle).all() and np.isfinite(truth).all()):
        raise UsageError("Intervals need finite values and predictions (n,).", found=f"{truth.shape}, {middle.shape}")
    missed = np.abs(truth - middle)
    scaled, floor = False, 0.0
    if spread is not None:
        unsure = _spread(spread, len(middle))
        floor = _LEAST_SPREAD * float(np.sort(unsure)[len(unsure) // 2]) if len(unsure) else 0.0
        scaled = floor > 0.0
        missed = missed / (unsure + floor) if scaled else missed
    rank = _rank(len(missed), coverage)
    held = rank <= len(missed)
    return {
        "kind": "intervals",
        "coverage": coverage,
        "margin": float(np.sort(missed)[rank - 1]) if held else None,
        "rows": len(missed),
        "held": held,
        "scaled": scaled,
        "floor": floor if scaled else 0.0,
    }


def apply_intervals(
    state: Mapping[str, Any], predicted: ArrayLike, spread: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Lower and upper end of the interval of each row: (n, 2), infinite where the calibration rows were too few.

    ``spread`` is needed, and looked at, only where ``state["scaled"]``; ``UsageError`` when it is missing then.
    """
    middle = np.asarray(predicted, dtype=np.float64)
    half = np.full(len(middle), math.inf if state["margin"] is None else float(state["margin"]))
    if state["scaled"] and state["margin"] is not None:
        if spread is None:
            raise UsageError("These intervals are as wide as each row's spread, which is missing.")
        half = half * (_spread(spread, len(middle)) + float(state["floor"]))
    return np.stack([middle - half, middle + half], axis=1)


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
        columns = (state["thresholds"], state["rows"], state["held"])
        enough = [_rank(rows, state["coverage"]) <= rows for rows in state["rows"] if rows >= 0]
        return (
            all(len(column) == labels for column in columns)
            and all(0.0 <= threshold <= 1.0 for threshold in state["thresholds"])
            and enough == state["held"]
        )
    margin, floor, scaled = state["margin"], state["floor"], state["scaled"]
    return bool(
        (margin is not None) == state["held"] == (_rank(max(state["rows"], 0), state["coverage"]) <= state["rows"])
        and (margin is None or 0.0 <= margin < math.inf)
        and (0.0 < floor < math.inf if scaled else floor == 0.0)
    )


def sentences(state: Mapping[str, Any], labels: Sequence[str] = ()) -> list[str]:
    """What is claimed, and what is not, in plain words for card and report.

    >>> sentences(fit_intervals([0.0], [1.0], 0.9))
    ['1 calibration rows are too few for intervals of 90 % coverage: they are infinite. It would take 9.']
    """
    claimed, needed = f"{100.0 * state['coverage']:g} %", _fewest(state["coverage"])
    if state["kind"] == "intervals":
        if not state["held"]:
            return [
                f"{state['rows']:,} calibration rows are too few for intervals of {claimed} coverage: they are "
                f"infinite. It would take {needed:,}."
            ]
        width = "are as wide as the members disagree" if state["scaled"] else "are all equally wide"
        return [f"Intervals hold the value of {claimed} of rows, by {state['rows']:,} calibration rows; they {width}."]
    short = [name for name, held in zip(labels, state["held"], strict=True) if not held]
    lines = [f"Sets hold the true label of {claimed} of the rows of each label, by {sum(state['rows']):,} rows."]
    if short:
        lines.append(
            f"Too few calibration rows for that of {', '.join(short)}: every set holds it. It would take {needed:,} "
            "of a label."
        )
    return lines


def _rank(rows: int, coverage: float) -> int:
    """Which order statistic of so many scores covers the stated share of one more."""
    if not 0.0 < coverage < 1.0:
        raise UsageError("Coverage must lie between 0 and 1.", expected="such as 0.9", found=f"{coverage}")
    return max(1, math.ceil((rows + 1) * coverage - 1e-9))


def _fewest(coverage: float) -> int:
    """The fewest rows that can show a coverage."""
    return math.ceil(coverage / (1.0 - coverage) - 1e-9)


def _spread(spread: ArrayLike, rows: int) -> NDArray[np.float64]:
    given = np.asarray(spread, dtype=np.float64)
    if given.shape != (rows,) or not np.isfinite(given).all() or (given < 0.0).any():
        raise UsageError("A spread is one finite number for each row, not negative.", found=f"{given.shape}")
    return given
