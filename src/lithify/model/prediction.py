"""Predictions: what a draft makes of raw scores, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import calibration, conformal
from lithify.model.draft import Draft
from lithify.novelty import UNLIKE

_FEW = 32
"""Up to so many scores are quicker turned into probabilities row by row."""


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
    unusual = [None] * len(raw) if novelty is None else novelty.tolist()
    for name, row, held, novel in zip(names, *_shares(draft, raw), unusual, strict=True):
        yield Prediction(
            input=name,
            label=labels[row.index(max(row))],
            probabilities=dict(zip(labels, row, strict=True)),
            verdict=draft.verdict(row),
            model=model,
            labels=None if held is None else tuple([label for label, is_in in zip(labels, held, strict=True) if is_in]),
            novelty=novel,
        )


def _shares(draft: Draft, raw: NDArray[np.float64]) -> tuple[list[list[float]], list[list[bool] | None]]:
    """Probabilities and sets of labels of each row; the same bits for few rows and for many."""
    state = draft.conformal
    if raw.size <= _FEW:
        rows = [calibration.apply_to_row(draft.calibration, row) for row in raw.tolist()]
        return rows, [None if state is None else conformal.set_of(state, row) for row in rows]
    probabilities = draft.probabilities(raw)
    sets = [None] * len(raw) if state is None else conformal.apply_sets(state, probabilities).tolist()
    return probabilities.tolist(), sets


def _values(draft: Draft, model: str, names: Sequence[str], raw: NDArray[np.float64]) -> Iterator[Prediction]:
    state = draft.conformal
    for name, value in zip(names, draft.values(raw).tolist(), strict=True):
        interval = None if state is None else conformal.interval_of(state, value)
        yield Prediction(name, None, {}, None, model, value=value, interval=interval)
