"""Lithify as scikit-learn estimators, on arrays and frames in memory: no home, no worker, every row is learned from.

Equal rows, parameters and ``random_state`` give equal bits on any number of threads. Rows are not deduplicated; equal
ones stay together where rows are parted into folds. What is fitted can be sealed as a model file, without figures, as
no row is kept back to measure on.

>>> import numpy as np
>>> X = np.arange(40.0).reshape(-1, 1)
>>> model = LithifyClassifier(learner="linear").fit(X, np.where(X[:, 0] < 20, "low", "high"))
>>> model.predict([[3.0], [33.0]]).tolist()
['low', 'high']
"""

from lithify.errors import MissingExtra

try:
    from sklearn.utils.validation import validate_data as _needed  # noqa: F401  (since scikit-learn 1.6)
except ImportError:
    raise MissingExtra(
        "lithify.sklearn needs scikit-learn 1.6 or newer.", hint="Install it: pip install 'lithify[sklearn]'."
    ) from None

from lithify.sklearn.estimators import LithifyClassifier, LithifyRegressor

__all__ = ["LithifyClassifier", "LithifyRegressor"]
