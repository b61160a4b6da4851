"""Exact contributions: which stretches of a row pushed its score which way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Block, Hashed
from lithify.model.draft import Draft
from lithify.model.prediction import Prediction


@dataclass(frozen=True)
class Contribution:
    """One stretch of a row and its share of the score.

    Attributes
    ----------
    channel : str
        ``body``, ``header``, ``fact``, ``text`` or ``image``.
    text : str
        What stands there.
    weight : float
        Its share of the raw score of the explained label; positive pushes towards that label.
    start, end : int
        Where it stands in its channel; of an image both are the number of its cell, from the upper left, row by row.
    """

    channel: str
    text: str
    weight: float
    start: int
    end: int


@dataclass(frozen=True)
class Explanation:
    """A prediction and what it is made of.

    Attributes
    ----------
    prediction : Prediction
    label : str or None
        The label whose score is explained: spam where there is one, else the predicted one; None in regression.
    score : float
        Raw score of that label; of two labels, by how much it is ahead of the other.
    base : float
        The score of a row without any feature.
    items : list of Contribution
        Strongest first; with ``base`` they add up to ``score``.
    """

    prediction: Prediction
    label: str | None
    score: float
    base: float
    items: list[Contribution]

    def to_json(self) -> dict[str, Any]:
        """As ``lithify explain --json`` prints it."""
        return {
            **self.prediction.to_json(),
            "explained": self.label,
            "score": self.score,
            "base": self.base,
            "contributions": [vars(item) for item in self.items],
        }


def explain(draft: Draft, content: bytes, raw: NDArray[np.float64], prediction: Prediction) -> Explanation:
    """Shares the raw score of one row out over the stretches its features come from.

    A feature that comes from several stretches is shared out over them in equal parts.
    """
    label = draft.spam or prediction.label
    column = 0 if label is None else draft.labels.index(label)
    spans = draft.features.spans(draft.features_state, content)
    blocks = draft.features.transform(draft.features_state, [content])
    added, base = draft.learner.contributions(draft.learner_state, blocks, column)
    weights = {name: _by_feature(blocks[name], shares) for name, shares in added.items()}
    shares: dict[tuple[str, int], int] = {}
    for span in spans:
        for feature in span.features.tolist():
            shares[span.block, feature] = shares.get((span.block, feature), 0) + 1
    items = []
    for span in spans:
        weight = sum(weights[span.block].get(f, 0.0) / shares[span.block, f] for f in span.features.tolist())
        if weight:
            items.append(Contribution(span.channel, span.text, weight, span.start, span.end))
    items.sort(key=lambda item: (-abs(item.weight), item.channel, item.start))
    score = raw[column] - raw[1 - column] if len(raw) == 2 else raw[column]
    return Explanation(prediction, label, float(score), base, items)


def _by_feature(block: Block, shares: NDArray[np.float64]) -> dict[int, float]:
    features = block.index.tolist() if isinstance(block, Hashed) else range(len(shares))
    return dict(zip(features, shares.tolist(), strict=True))
