"""What both estimators have in common: parameters, fitting on checked rows, sealing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from joblib import effective_n_jobs  # type: ignore[import-untyped]
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted

from lithify.data.schema import Field, FieldKind
from lithify.model.model import Model, open_model
from lithify.model.sealed import seal
from lithify.sklearn import columns, training
from lithify.writing import write_model


class Estimator(BaseEstimator):  # type: ignore[misc]
    """See :class:`lithify.sklearn.LithifyClassifier`."""

    _fitted: training.Fitted
    _fields: tuple[Field, ...]

    def __init__(
        self,
        *,
        learner: str = "auto",
        quality: Literal["fast", "good", "best"] = "good",
        params: Mapping[str, Any] | None = None,
        features: Mapping[str, Any] | None = None,
        fields: Mapping[Any, FieldKind] | None = None,
        calibrate: bool = False,
        coverage: float = 0.9,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.learner = learner
        self.quality = quality
        self.params = params
        self.features = features
        self.fields = fields
        self.calibrate = calibrate
        self.coverage = coverage
        self.random_state = random_state
        self.n_jobs = n_jobs

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """(n_features_in_,) how much each column counts, summing to one; zeros where that is unknown."""
        check_is_fitted(self, "_fitted")
        shares = dict(self._fitted.draft.importances() or ())
        return np.array([shares.get(name, 0.0) for name in columns.names_of(self)])

    def to_model(self) -> Model:
        """The fitted estimator as a sealed model, whose card says that nothing was measured."""
        check_is_fitted(self, "_fitted")
        one = self._fitted
        return open_model(seal(one.draft, one.card, one.reference))

    def seal(self, path: Path | str) -> Model:
        """Writes the fitted estimator as a model file and opens that; ``lithify.open`` reads it anywhere."""
        return write_model(self.to_model(), Path(path))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        if "_fitted" in state:  # without what the draft keeps at hand to predict with
            state["_fitted"] = replace(state["_fitted"], draft=replace(state["_fitted"].draft))
        return state

    def _fit(self, X: Any, target: Any, labels: tuple[str, ...], sample_weight: Any, groups: Any) -> Self:
        """``X`` was checked; ``target`` holds codes of the sorted labels, or values."""
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        names = columns.names_of(self)
        self._fields = columns.fields_of(X, names, self.fields or {})
        contents = columns.contents_of(X, names, self._fields)
        grouped = None
        if groups is not None:
            grouped = columns.group_codes(column_or_1d(groups))
            check_consistent_length(X, grouped)
        kept = np.flatnonzero(weight)  # a row without weight is none
        rows = training.Rows(
            contents=[contents[at] for at in kept.tolist()],
            fields=self._fields,
            task="classification" if labels else "regression",
            labels=labels,
            target=target[kept],
            weight=weight[kept],
            groups=None if grouped is None else [grouped[at] for at in kept.tolist()],
        )
        if len(labels) and len(np.unique(rows.target)) < 2:
            raise ValueError(f"{type(self).__name__} needs rows of at least 2 classes; the data contains one class.")
        with columns.as_value_errors():
            recipe = training.resolve(rows, self._asked())
            threads = effective_n_jobs(-1 if self.n_jobs is None else self.n_jobs)
            self._fitted = training.fit(rows, recipe, threads, calibrate=self.calibrate)
        return self

    def _asked(self) -> dict[str, Any]:
        """What the parameters ask of a recipe."""
        return {
            "learner": self.learner,
            "quality": self.quality,
            "params": dict(self.params or {}),
            "features": dict(self.features or {}),
            "coverage": self.coverage,
            "seed": _seed(self.random_state),
        }

    def _raw(self, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self, "_fitted")
        X = columns.checked(self, X, fitting=False)
        return self._fitted.draft.raw(columns.contents_of(X, columns.names_of(self), self._fields))


def _seed(random_state: Any) -> int:
    """An integer stands for itself and None for 0; a ``RandomState`` is asked for one."""
    if random_state is None:
        return 0
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
