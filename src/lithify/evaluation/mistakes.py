"""The worst mistakes of a model: which rows, and which spans of them misled it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation.faces import Explanation

PER_LABEL, PICTURES = 8, 12
"""Mistakes of each true label that are shown: of other rows, and of images, which are quickly looked over."""
MOST = 16
MOST_LABELLED = 160
SPANS = 6
SPAN_LENGTH = 48


@dataclass(frozen=True)
class Mistake:
    """A row whose most probable label is wrong; nothing of its content.

    Attributes
    ----------
    row : int
        Number of the row in the snapshot's table.
    key : str
        The row's key, 64 hex digits.
    truth, predicted : str
        Labels.
    probability : float
        Of the predicted label.
    verdict : str or None
        What the sealed cut-offs make of it.
    others : tuple of (label, probability)
        The next most probable labels, and the true one, where a row is not told by its spans.
    """

    row: int
    key: str
    truth: str
    predicted: str
    probability: float
    verdict: str | None
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Miss:
    """A row whose value was predicted badly; nothing of its content.

    Attributes
    ----------
    row : int
        Number of the row in the snapshot's table.
    key : str
        The row's key, 64 hex digits.
    truth, predicted : float
    """

    row: int
    key: str
    truth: float
    predicted: float


@dataclass(frozen=True)
class Span:
    """A short piece of a row that pushed the model: ``towards`` the explained label or away from it."""

    channel: str
    text: str
    weight: float
    towards: bool


def worst(
    y: NDArray[np.int64],
    p: NDArray[np.float64],
    predicted: NDArray[np.int64],
    per_label: int = PER_LABEL,
    most: int = MOST_LABELLED,
) -> NDArray[np.int64]:
    """Positions of the mistakes that gave the true label the least probability, at most so many of each true label.

    Of very many labels only those with the worst are in it, ``most`` in all.

    >>> worst(np.array([0, 1]), np.array([[0.2, 0.8], [0.4, 0.6]]), np.array([1, 1])).tolist()
    [0]
    """
    truth = p[np.arange(len(y)), y]
    wrong = np.flatnonzero(predicted != y)
    ordered = wrong[np.argsort(truth[wrong], kind="stable")]
    kept = [ordered[y[ordered] == label][:per_label] for label in np.unique(y)]
    found = np.concatenate(kept) if kept else ordered
    return found if len(found) <= most else ordered[np.isin(ordered, found)][:most]


def furthest(y: NDArray[np.float64], predicted: NDArray[np.float64], most: int = MOST) -> NDArray[np.int64]:
    """Positions of the rows that are furthest off, the furthest first.

    >>> furthest(np.array([1.0, 5.0, 2.0]), np.array([1.5, 1.0, 2.0]), 2).tolist()
    [1, 0]
    """
    return np.argsort(-np.abs(y - predicted), kind="stable")[:most]


def spans(explanation: Explanation, limit: int = SPANS) -> list[Span]:
    """The spans that weigh most, heaviest first, each cut short; control characters become spaces."""
    heaviest = sorted(explanation.items, key=lambda item: -abs(item.weight))[:limit]
    return [Span(item.channel, shorten(item.text), item.weight, item.weight > 0.0) for item in heaviest]


def shorten(text: str, length: int = SPAN_LENGTH) -> str:
    r"""One line of at most ``length`` characters.

    >>> shorten("a\n\tb"), shorten("x" * 50)[-2:]
    ('a b', 'x…')
    """
    line = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+", " ", text[: 8 * length]).strip()
    return line if len(line) <= length else line[: length - 1] + "…"
