"""Predictions: what a draft makes of raw scores, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import conformal
from lithify.model.draft import Draft
from lithify.novelty import UNLIKE


@dataclass(frozen=True)
class Prediction:
    """What a model says of one input.

    Attributes
    ----------
    input : str
        The input's name or path as it was given; empty for bytes.
    label : str or None
        The most probable label; None in regression.
    probabilities : dict of str to float
        Calibrated, by label; empty in regression.
    verdict : str or None
        ``ham``, ``unsure`` or ``spam`` by the sealed cut-offs; None where the model has none.
    model : str
        Digest of the model.
    value : float or None
        What a regression predicts.
    interval : (float, float) or None
        Holds the true value for the sealed share of rows.
    labels : tuple of str or None
        Hold the true label for the sealed share of rows of each label.
    novelty : float or None
        Share of familiar rows that are less unusual, from 0 to 1; None where the model does not say. See
        :mod:`lithify.novelty`.
    """

    input: str
    label: str | None
    probabilities: dict[str, float]
    verdict: str | None
    model: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    labels: tuple[str, ...] | None = None
    novelty: float | None = None

    @property
    def unlike(self) -> bool:
        """Whether the input is unlike anything that the model was trained on: its label is then no answer."""
        return self.novelty is not None and self.novelty >= UNLIKE

    def to_json(self) -> dict[str, Any]:
        """As one line of ``lithify predict --json``; what this model does not say is left out.

        An interval without a bound on one side has null there.
        """
        document = {name: value for name, value in vars(self).items() if value is not None and value != {}}
        if self.interval is not None:
            document["interval"] = [bound if math.isfinite(bound) else None for bound in self.interval]
        if self.labels is not None:
            document["labels"] = list(self.labels)
        return document


def predictions(
    draft: Draft,
    model: str,
    names: Sequence[str],
    raw: NDArray[np.float64],
    novelty: NDArray[np.float64] | None = None,
) -> Iterator[Prediction]:
    """What a draft says of raw scores (n, outputs), each with the name its input goes by.

    ``model`` is its digest, ``novelty`` how unusual each row is, as :meth:`Draft.judge` found it.
    """
    if draft.task == "regression":
        yield from _values(draft, model, names, raw)
        return
    labels = draft.labels
    probabilities = draft.probabilities(raw)
    sets = None if draft.conformal is None else conformal.apply_sets(draft.conformal, probabilities).tolist()
    unusual = [None] * len(raw) if novelty is None else novelty.tolist()
    for at, (name, row) in enumerate(zip(names, probabilities.tolist(), strict=True)):
        yield Prediction(
            input=name,
            label=labels[row.index(max(row))],
            probabilities=dict(zip(labels, row, strict=True)),
            verdict=draft.verdict(row),
            model=model,
            labels=None if sets is None else tuple(label for label, held in zip(labels, sets[at], strict=True) if held),
            novelty=unusual[at],
        )


def _values(draft: Draft, model: str, names: Sequence[str], raw: NDArray[np.float64]) -> Iterator[Prediction]:
    values = draft.values(raw)
    intervals = None if draft.conformal is None else conformal.apply_intervals(draft.conformal, values).tolist()
    for at, (name, value) in enumerate(zip(names, values.tolist(), strict=True)):
        interval = None if intervals is None else (intervals[at][0], intervals[at][1])
        yield Prediction(name, None, {}, None, model, value=value, interval=interval)
