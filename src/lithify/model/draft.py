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

from lithify import calibration, novelty
from lithify.data.params import read
from lithify.data.schema import Field
from lithify.data.state import State
from lithify.features.base import Column, Features
from lithify.features.registry import chosen, features
from lithify.learners.base import Learner
from lithify.learners.forest.forest import Forest
from lithify.learners.registry import learner
from lithify.media.pixels import BadImage, decode_many
from lithify.model import golden


@dataclass(frozen=True)
class Draft:
    """What is needed to predict.

    Attributes
    ----------
    kind : str
        What a row is: ``mail``, ``text``, ``table`` or ``image``.
    task : str
        ``classification`` or ``regression``.
    labels : tuple of str
        Empty in regression.
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
    conformal : mapping or None
        See :mod:`lithify.conformal`.
    novelty : State or None
        See :mod:`lithify.novelty`; None where the learner gives no embeddings.
    """

    kind: str
    task: str
    labels: tuple[str, ...]
    spam: str
    learner_name: str
    features_params: Mapping[str, Any]
    learner_params: Mapping[str, Any]
    features_state: State
    learner_state: State
    calibration: Mapping[str, Any]
    cutoffs: Mapping[str, Any] | None
    conformal: Mapping[str, Any] | None
    novelty: State | None = None

    @property
    def features_name(self) -> str:
        """What its features are called in the registry."""
        return chosen(self.kind, learner(self.learner_name).reads)

    @property
    def outputs(self) -> int:
        """Columns of an array of raw scores."""
        return max(1, len(self.labels))

    @cached_property
    def features(self) -> Features:
        """What turns contents into blocks."""
        kind = features(self.features_name)
        return kind(read(kind.Params, self.features_params))

    @cached_property
    def learner(self) -> Learner:
        """What turns blocks into raw scores."""
        kind = learner(self.learner_name)
        return kind(read(kind.Params, self.learner_params))

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The input fields of a table, sorted by name; empty for all else."""
        return tuple(Field(name, kind, "input") for name, kind in getattr(self.features.params, "fields", ()))

    def golden_inputs(self, revision: int = golden.REVISION) -> list[bytes]:
        """See :mod:`lithify.model.golden`."""
        side, channels = (int(getattr(self.features.params, name, 0)) for name in ("side", "channels"))
        return golden.inputs(self.kind, self.fields, self.columns(), revision, side=side, channels=channels)

    def raw(self, contents: Sequence[bytes]) -> NDArray[np.float64]:
        """Raw scores (n, labels) of canonical contents, (n, 1) in regression; the same for one row and for many."""
        if not len(contents):
            return np.zeros((0, self.outputs))
        return self.learner.score(self.learner_state, self.features, self.features_state, contents)

    def score_all(self, contents: Sequence[bytes]) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
        """:meth:`raw` and, from the same pass, embeddings (n, d); None where the learner gives none."""
        if not len(contents):
            return np.zeros((0, self.outputs)), None
        return self.learner.score_all(self.learner_state, self.features, self.features_state, contents)

    def judge(self, contents: Sequence[bytes]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """:meth:`raw` and how unusual each row is, (n,) from 0 to 1; None where the model does not say."""
        if self.novelty is None or not len(contents):
            return self.raw(contents), None
        raw, embedding = self.score_all(contents)
        return raw, None if embedding is None else novelty.novelty(self.novelty, raw, embedding)

    def unreadable(self, contents: Sequence[bytes]) -> dict[int, BadImage]:
        """Which of some contents are no images that can be decoded, and why; of other rows none is."""
        if self.kind != "image":
            return {}
        params = self.features.params
        images = np.empty((len(contents), params.side, params.side, params.channels), dtype=np.uint8)
        found = decode_many(contents, params.side, params.channels, images)
        return {at: bad for at, bad in enumerate(found) if bad is not None}

    def probabilities(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities (n, labels) of raw scores."""
        return calibration.apply_temperature(self.calibration, raw)

    def values(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predicted values (n,) of raw scores of a regression."""
        return raw[:, 0]

    def columns(self) -> list[Column]:
        """What the columns of the blocks mean; empty for hashed blocks."""
        return self.features.columns(self.features_state)

    def importances(self) -> list[tuple[str, float]] | None:
        """How much each field counts, the most first, summing to one; None where that is unknown."""
        shares = self.learner.importances(self.learner_state, self.features, self.features_state)
        if shares is None:
            return None
        fields: dict[str, float] = {}
        for column, share in zip(self.columns(), shares.tolist(), strict=True):
            fields[column.field] = fields.get(column.field, 0.0) + share
        return sorted(fields.items(), key=lambda item: (-item[1], item[0]))

    def history(self) -> NDArray[np.float32] | None:
        """How training went, (k, 3 or more): step, loss, accuracy on training rows; None where that is unknown."""
        return self.learner_state.arrays.get("history")

    def tree(self) -> Forest | None:
        """The decision tree, where the learner is one."""
        return self.learner.tree(self.learner_state)

    def verdict(self, probabilities: Sequence[float]) -> str | None:
        """``ham``, ``unsure`` or ``spam`` for one row's probabilities; None where there are no cut-offs."""
        if self.cutoffs is None:
            return None
        return calibration.verdict(probabilities[self.labels.index(self.spam)], self.cutoffs)
