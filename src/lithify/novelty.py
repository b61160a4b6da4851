"""How unlike a row is to all that a model was trained on: a number from 0 to 1 that means what it says.

A network gives every input a label, also one of a kind that it has never seen. Two signs tell such inputs apart. The
free energy of the raw scores, ``-log(sum(exp(raw)))``, is high where no label has any evidence for it (Liu, Wang,
Owens, Li 2020, arXiv:2010.03759); of two labels, whose scores are known but for a common term, it is that of the scores
less their mean. The Mahalanobis distance of the embedding to the nearest mean of a label is large where the row lies
with none of them (Lee, Lee, Lee, Shin 2018, arXiv:1807.03888); the covariance that all labels share is taken to be
diagonal. Embeddings are first brought to length one, without which the distance catches far less (Müller, Hein 2025,
PMLR 267:45151-45184). Both signs are standardised by the calibration rows and added.

What is said of a row is the share of calibration rows that are less unusual, never more than their number allows: it is
one less the p-value of split conformal prediction, so of rows exchangeable with the calibration rows at most 1 % are at
0.99 or above, on average over samples, whatever the model (Bates, Candès, Lei, Romano, Sesia 2023,
doi:10.1214/22-AOS2244). How many unknown rows are caught is another matter, and has to be measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithify import numerics
from lithify.data.state import State
from lithify.errors import UsageError

REVISION = 1
"""Changes whenever equal scores and embeddings could get another novelty."""

UNLIKE = 0.99
"""From here on a row is called unlike anything that the model was trained on."""
LEVELS = (0.01, 0.05)
"""Shares of familiar rows that may be called unusual, for which figures are given."""
LEAST_ROWS = 20
"""Calibration rows that it takes."""
LEAST_MEAN = 10
"""Training rows of a label that it takes to have a mean of its own: a mean of fewer would be nearly a row."""
_STEPS = 100
_RIDGE = 1e-3
"""Of the mean variance, added to each: a direction that never varies must not decide alone."""
_CELLS = 1 << 16
"""Numbers of the differences that are held at a time."""
_NUMBER = (int, float)
_FORM = {"rows": int, "energy": [_NUMBER], "distance": [_NUMBER], "quantiles": [_NUMBER]}


def fit(learned: tuple[ArrayLike, ArrayLike], raw: ArrayLike, embedding: ArrayLike, labels: int) -> State | None:
    """Fits what :func:`novelty` needs.

    Parameters
    ----------
    learned : ((m, d), (m,))
        Embeddings of training rows and codes of their labels, in [0, labels): for means and variances.
    raw : (n, labels) float64
        Raw scores of calibration rows, which the model has not learned from.
    embedding : (n, d) float32
        Of the same rows.
    labels : int

    Returns
    -------
    State or None
        Arrays ``means`` (k, d) and ``precision`` (d,), float32; facts ``rows``, ``energy`` and ``distance`` (mean and
        spread of each over the calibration rows), and ``quantiles`` (101 of their sum). A label of fewer than
        :data:`LEAST_MEAN` training rows has no mean; without any there is one, of all rows. None with fewer than
        :data:`LEAST_ROWS` calibration rows.

    Raises
    ------
    UsageError
        For shapes that do not belong together, and numbers that are not finite.

    Examples
    --------
    >>> at = np.array([[0.0, 0.1], [0.1, 0.0], [4.0, 4.1], [4.1, 4.0]] * 25)
    >>> raw = np.array([[5.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 4.0, 0.0]] * 25)
    >>> codes = [0, 0, 1, 1] * 25
    >>> state = fit((at, codes), raw, at, 3)
    >>> novelty(state, [[5.0, 0.0, 0.0], [0.1, 0.0, 0.1]], [[0.1, 0.0], [2.0, 2.0]]).round(3).tolist()
    [0.49, 0.99]
    """
    points, codes = _finite(learned[0], 2), np.asarray(learned[1], dtype=np.int64)
    scores, places = _finite(raw, 2), _finite(embedding, 2)
    if codes.shape != points.shape[:1] or len(scores) != len(places) or scores.shape[1] != labels:
        raise UsageError(
            "Scores, embeddings and labels do not belong together.", found=f"{scores.shape}, {codes.shape}"
        )
    if len(scores) < LEAST_ROWS or not len(points) or points.shape[1:] != places.shape[1:] or not points.shape[1]:
        return None
    arrays = _shape(_unit(points), codes, labels)
    energy, distance = _energy(scores), _distance(arrays, _unit(places))
    facts: dict[str, Any] = {"rows": len(scores), "energy": _moments(energy), "distance": _moments(distance)}
    return State(arrays, facts | {"quantiles": _quantiles(_together(facts, energy, distance))})


def novelty(state: State, raw: ArrayLike, embedding: ArrayLike) -> NDArray[np.float64]:
    """How unusual rows are: (n,) from 0 to 1, the share of calibration rows that are less so.

    Each row's depends on that row alone, to the last bit.

    Parameters
    ----------
    state : State
        From :func:`fit`.
    raw : (n, labels) float64
    embedding : (n, d) float32
    """
    scores, places = np.asarray(raw, dtype=np.float64), np.asarray(embedding, dtype=np.float64)
    found = _together(state.facts, _energy(scores), _distance(state.arrays, _unit(places)))
    share = np.interp(found, np.array(state.facts["quantiles"]), np.arange(_STEPS + 1) / _STEPS)
    rows = int(state.facts["rows"])
    bounded: NDArray[np.float64] = np.minimum(np.where(np.isnan(found), 1.0, share), rows / (rows + 1.0))
    return bounded


def form() -> dict[str, Any]:
    """The closed form of the facts: names and types, ``[type]`` for a list."""
    return _FORM


def sound(state: State, labels: int) -> bool:
    """Whether a state whose facts have their :func:`form` can be used by a model with so many labels."""
    means, precision = state.arrays.get("means"), state.arrays.get("precision")
    if len(state.arrays) != 2 or means is None or precision is None or means.ndim != 2:
        return False
    facts = state.facts
    ordered = len(facts["quantiles"]) == _STEPS + 1 and all(a <= b for a, b in pairwise(facts["quantiles"]))
    return bool(
        ordered
        and facts["rows"] >= LEAST_ROWS
        and all(len(facts[name]) == 2 and facts[name][1] > 0.0 for name in ("energy", "distance"))
        and all(math.isfinite(value) for name in ("energy", "distance", "quantiles") for value in facts[name])
        and means.dtype == precision.dtype == np.float32
        and 1 <= len(means) <= max(1, labels)
        and precision.shape == means.shape[1:]
        and means.shape[1] >= 1
        and np.isfinite(means).all()
        and np.isfinite(precision).all()
        and (precision > 0.0).all()
    )


def sentences(rows: int) -> list[str]:
    """What is claimed, in plain words for card and report.

    >>> sentences(50)[-1]
    'With 50 calibration rows no row can be called unusual at the level of 1 %: it would take 99.'
    """
    lines = [
        "Novelty is the share of calibration rows that are less unusual than a row: of 100 rows like the training rows "
        "about one is at 0.99 or above. Unknown rows that resemble known ones are not caught by it.",
    ]
    if rows < 99:
        lines.append(
            f"With {rows:,} calibration rows no row can be called unusual at the level of 1 %: it would take 99."
        )
    return lines


def _shape(points: NDArray[np.float64], codes: NDArray[np.int64], labels: int) -> dict[str, NDArray[Any]]:
    """Means of the labels, and one over the variance around them that all share."""
    rows = np.bincount(codes, minlength=labels)
    told = np.flatnonzero(rows >= LEAST_MEAN)
    parts = [points[codes == code] for code in told.tolist()] or [points]
    means = np.stack([part.sum(axis=0) / len(part) for part in parts])
    off = np.zeros(points.shape[1])
    for part, mean in zip(parts, means, strict=True):
        off += ((part - mean) ** 2).sum(axis=0)
    variance = off / sum(map(len, parts))
    floor = _RIDGE * float(variance.mean()) or 1.0
    return {"means": means.astype(np.float32), "precision": (1.0 / (variance + floor)).astype(np.float32)}


def _unit(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Embeddings of length one, those of length zero as they are."""
    length = np.sqrt((places * places).sum(axis=1, keepdims=True))
    unit: NDArray[np.float64] = places / np.where(length > 0.0, length, 1.0)
    return unit


def _energy(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Free energy (n,) of raw scores."""
    scores = raw - (raw[:, :1] + raw[:, 1:]) / 2.0 if raw.shape[1] == 2 else raw
    highest = scores.max(axis=1)
    parts = numerics.exp(scores - highest[:, None])
    total = parts[:, 0]
    for column in range(1, parts.shape[1]):
        total = total + parts[:, column]
    energy: NDArray[np.float64] = -(highest + numerics.log(total))
    return energy


def _distance(arrays: Mapping[str, NDArray[Any]], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mahalanobis distance (n,) to the nearest mean; summed along rows only, so that neighbours change no bit."""
    means, precision = arrays["means"].astype(np.float64), arrays["precision"].astype(np.float64)
    nearest = np.empty(len(places))
    some = max(1, _CELLS // means.size)
    for at in range(0, len(places), some):
        off = places[at : at + some, None, :] - means
        nearest[at : at + some] = (off * off * precision).sum(axis=2).min(axis=1)
    return np.sqrt(nearest)


def _together(
    facts: Mapping[str, Any], energy: NDArray[np.float64], distance: NDArray[np.float64]
) -> NDArray[np.float64]:
    (at, spread), (off, wide) = facts["energy"], facts["distance"]
    total: NDArray[np.float64] = (energy - at) / spread + (distance - off) / wide
    return total


def _moments(values: NDArray[np.float64]) -> list[float]:
    """Mean and spread; a spread of 1 where all are equal."""
    return [float(values.mean()), float(values.std()) or 1.0]


def _quantiles(values: NDArray[np.float64]) -> list[float]:
    """The conformal quantiles at whole percents: of n rows the ``ceil((n + 1) * share)``-th smallest, or the last."""
    ordered, rows = np.sort(values), len(values)
    ranks = [-(-(rows + 1) * step // _STEPS) for step in range(_STEPS + 1)]
    return [float(ordered[min(max(rank, 1), rows) - 1]) for rank in ranks]


def _finite(values: ArrayLike, dimensions: int) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != dimensions or not np.isfinite(found).all():
        raise UsageError("Novelty needs finite scores and embeddings (n, d).", found=f"shape {found.shape}")
    return found
