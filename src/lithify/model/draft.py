"""Features, learner state and calibration put together: what predicts, nameless before it is sealed and after.

A sealed model predicts through the very same object a draft was measured with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import calibration
from lithify.data.params import read
from lithify.data.state import State
from lithify.features.base import Features
from lithify.features.registry import features
from lithify.learners.base import Learner
from lithify.learners.registry import learner


@dataclass(frozen=True)
class Draft:
    """What is needed to predict.

    Attributes
    ----------
    kind : str
        What a row is: ``mail`` or ``text``.
    labels : tuple of str
    spam : str
        The label that means spam; empty where the labels are not spam and ham.
    learner_name : str
    features_params, learner_params : dict
        As in the resolved recipe.
    features_state, learner_state : State
        What was fitted and what was learned.
    calibration : mapping
        See :func:`lithify.calibration.fit_temperature`.
    cutoffs : mapping or None
        See :func:`lithify.calibration.choose_cutoffs`.
    """

    kind: str
    labels: tuple[str, ...]
    spam: str
    learner_name: str
    features_params: Mapping[str, Any]
    learner_params: Mapping[str, Any]
    features_state: State
    learner_state: State
    calibration: Mapping[str, Any]
    cutoffs: Mapping[str, Any] | None

    @cached_property
    def features(self) -> Features:
        """What turns contents into blocks."""
        kind = features(self.kind)
        return kind(read(kind.Params, self.features_params))

    @cached_property
    def learner(self) -> Learner:
        """What turns blocks into raw scores."""
        kind = learner(self.learner_name)
        return kind(read(kind.Params, self.learner_params))

    def raw(self, contents: Sequence[bytes]) -> NDArray[np.float64]:
        """Raw scores (n, labels) of canonical contents; the same bits for one row and for many."""
        if not contents:
            return np.zeros((0, len(self.labels)))
        return self.learner.score(self.learner_state, self.features, self.features_state, contents)

    def probabilities(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities (n, labels) of raw scores."""
        return calibration.apply_temperature(self.calibration, raw)

    def verdict(self, probabilities: Sequence[float]) -> str | None:
        """``ham``, ``unsure`` or ``spam`` for one row's probabilities; None where there are no cut-offs."""
        if self.cutoffs is None:
            return None
        return calibration.verdict(probabilities[self.labels.index(self.spam)], self.cutoffs)
