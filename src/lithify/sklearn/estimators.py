"""The two estimators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, validate_data

from lithify import conformal
from lithify.data.chunks import LARGEST_VALUE
from lithify.data.grammar import shortest
from lithify.data.schema import FieldKind
from lithify.sklearn import columns
from lithify.sklearn.base import Estimator


class LithifyClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """Classification by one of Lithify's learners.

    Columns may be numbers, booleans, categories, texts and times, each with missing cells. A category of a frame, or a
    text that few rows have, counts as rare; see ``features``.

    Parameters
    ----------
    learner : str, default="auto"
        ``boosting``, ``linear``, ``tree``, ``ensemble``; ``auto`` is what a recipe takes for a table: boosting, or an
        ensemble where there are few rows or the quality is ``best``.
    quality : {"fast", "good", "best"}, default="good"
    params : mapping, optional
        Parameters of the learner, as in ``[boosting]`` of a recipe; name the learner with them.
    features : mapping, optional
        Parameters of the features, as in ``[features]`` of a recipe, such as ``{"min_category_rows": 1}``.
    fields : mapping of str or int to str, optional
        Kinds of columns by name or place, where their type does not say it: ``number``, ``category``, ``boolean``,
        ``text``, ``time``, or ``identifier`` to leave one out. Columns of texts are looked at.
    calibrate : bool, default=False
        Whether probabilities are calibrated on rows scored by models that have not seen them.
    coverage : float, default=0.9
        The share of rows whose set of labels shall hold the truth; with ``calibrate`` only.
    class_weight : mapping or "balanced", optional
        Weights of the classes, multiplied with those of the rows.
    random_state : int, RandomState or None, default=None
        Seed; None is 0, so that fitting again gives the same bits.
    n_jobs : int, optional
        Threads, which change no bit; None for all cores.

    Attributes
    ----------
    classes_ : (n_classes,) array
    n_features_in_ : int
    feature_names_in_ : (n_features_in_,) array of str
        Where the columns have names.
    feature_importances_ : (n_features_in_,) float64

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"size": [1.0, 2.0, None, 8.0, 9.0, 7.0] * 5, "wet": [True, False, True] * 10})
    >>> model = LithifyClassifier(learner="linear").fit(X, ["small", "small", "small", "big", "big", "big"] * 5)
    >>> model.predict(X[:4]).tolist(), model.predict_proba(X).shape
    (['small', 'small', 'small', 'big'], (30, 2))
    """

    classes_: NDArray[Any]

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
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            learner=learner,
            quality=quality,
            params=params,
            features=features,
            fields=fields,
            calibrate=calibrate,
            coverage=coverage,
            random_state=random_state,
            n_jobs=n_jobs,
        )
        self.class_weight = class_weight

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Self:
        """Learns from all rows.

        Parameters
        ----------
        X : (n, columns) array, pandas or Polars frame, or Arrow table
        y : (n,) array
        sample_weight : (n,) array, optional
            Not negative; rows of weight zero are left out, though their class is in ``classes_``.
        groups : (n,) array, optional
            Rows of one group stay together where rows are parted into folds; without it, equal rows do.
        """
        y = validate_data(self, y=y)
        check_classification_targets(y)
        X = columns.checked(self, X, fitting=True)
        check_consistent_length(X, y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        texts = [_text(label) for label in self.classes_.tolist()]
        self._column = np.argsort(np.argsort(np.array(texts, dtype=object)))  # of each class, among the sorted texts
        if self.class_weight is not None:
            own = compute_sample_weight(self.class_weight, y)
            sample_weight = own if sample_weight is None else own * np.asarray(sample_weight, dtype=np.float64)
        return self._fit(X, self._column[codes].astype(np.int32), tuple(sorted(texts)), sample_weight, groups)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """(n,) log odds of the second of two classes; of more classes (n, classes) raw scores."""
        raw = self._raw(X)
        known = self._fitted.draft.calibration
        if len(self.classes_) > 2:
            return np.asarray(known["slope"] * raw[:, self._column])
        odds = np.asarray(known["slope"] * (raw[:, 1] - raw[:, 0]) + known["offset"])
        return odds if self._column[1] else -odds

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(n, classes) probabilities, in the order of ``classes_``."""
        raw = self._raw(X)
        return self._fitted.draft.probabilities(raw)[:, self._column]

    def predict(self, X: Any) -> NDArray[Any]:
        """(n,) the most probable class of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_set(self, X: Any) -> NDArray[np.bool_]:
        """(n, classes) which classes are in a set that holds the truth for ``coverage`` of the rows of each class.

        Only after fitting with ``calibrate=True``.
        """
        raw = self._raw(X)
        draft = self._fitted.draft
        return conformal.apply_sets(_claimed(draft.conformal), draft.probabilities(raw))[:, self._column]


class LithifyRegressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """Regression by one of Lithify's learners.

    Parameters are those of :class:`LithifyClassifier` but for ``class_weight``; with ``calibrate`` there are intervals.

    Examples
    --------
    >>> X = np.arange(40.0).reshape(-1, 1)
    >>> model = LithifyRegressor(learner="linear", params={"C": 100.0}).fit(X, 2 * X[:, 0])
    >>> model.predict([[10.0]]).round().tolist()
    [20.0]
    """

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Self:
        """Learns from all rows; see :meth:`LithifyClassifier.fit`."""
        y = validate_data(self, y=y, y_numeric=True)
        X = columns.checked(self, X, fitting=True)
        check_consistent_length(X, y)
        target = np.asarray(y, dtype=np.float64)
        if (np.abs(target) > LARGEST_VALUE).any():
            raise ValueError(f"Values to predict must lie between {-LARGEST_VALUE:g} and {LARGEST_VALUE:g}.")
        return self._fit(X, target, (), sample_weight, groups)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """(n,) values."""
        return self._raw(X)[:, 0].copy()

    def predict_interval(self, X: Any) -> NDArray[np.float64]:
        """(n, 2) ends of intervals that hold the value of ``coverage`` of rows.

        Only after fitting with ``calibrate=True``; infinite where there were too few rows.
        """
        values = self.predict(X)
        return conformal.apply_intervals(_claimed(self._fitted.draft.conformal), values)


def _claimed(state: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if state is None:
        raise ValueError("Nothing is claimed of coverage. Fit with calibrate=True.")
    return state


def _text(label: Any) -> str:
    """A class as the label of a sealed model."""
    if isinstance(label, bool):
        return str(label).lower()
    return shortest(label) if isinstance(label, float) else str(label)
