"""scikit-learn's own contract of an estimator."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from lithify.sklearn import LithifyClassifier, LithifyRegressor

SMALL: dict[str, dict[str, Any]] = {
    "boosting": {"rounds": 20, "members": 2, "learning_rate": 0.3, "chunk": 20},
    "ensemble": {
        "members": [{"learner": "boosting", "rounds": 10, "learning_rate": 0.3}, {"learner": "linear"}],
        "folds": 2,
    },
    "linear": {},
    "tree": {},
}
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "bins, the smallest leaves and samples of rows go by the number of rows, not by their weights, as in "
        "scikit-learn's own HistGradientBoosting"
    )
}


@parametrize_with_checks(
    [
        kind(learner=name, params=params)
        for name, params in SMALL.items()
        for kind in (LithifyClassifier, LithifyRegressor)
    ],
    expected_failed_checks=lambda estimator: {} if estimator.learner == "linear" else EXPECTED,
)
def test_is_an_estimator_as_scikit_learn_has_them(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("kind", [LithifyClassifier, LithifyRegressor])
def test_says_what_it_takes(kind: type) -> None:
    tags = kind().__sklearn_tags__().input_tags
    assert (tags.allow_nan, tags.categorical, tags.string, tags.sparse) == (True, True, True, False)
