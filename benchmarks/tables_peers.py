"""The single models beside which Lithify is measured, each at its defaults with the categories its own way.

Runs in the peers' environment: imports nothing of Lithify.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.tables_data import Half
from benchmarks.tables_spent import Spent, watched

HISTGB_MOST = 255
"""Categories of one column that scikit-learn's boosting takes."""


@dataclass(frozen=True)
class Fitted:
    """A trained system.

    Attributes
    ----------
    predict : callable
        From a frame of fields to (n, classes) probabilities, or (n,) values.
    deployed : Path
        The file or folder that a deployment needs.
    spent : Spent
        What the training took: from a frame in memory to a trained model in memory, libraries loaded already.
    told : dict
        What else is worth writing down.
    """

    predict: Callable[[pd.DataFrame], NDArray[np.float64]]
    deployed: Path
    spent: Spent
    told: dict[str, Any] = field(default_factory=dict)


def lightgbm(train: Half, task: str, folder: Path) -> Fitted:
    """LightGBM; columns of dtype ``category`` are categorical by themselves."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    model = (LGBMRegressor if task == "regression" else LGBMClassifier)(verbosity=-1)
    _, spent = watched(lambda: model.fit(train.fields, train.target))
    path = folder / "model.txt"
    model.booster_.save_model(path)
    return Fitted(_predictor(model, task), path, spent, _versions("lightgbm"))


def xgboost(train: Half, task: str, folder: Path) -> Fitted:
    """XGBoost; columns of dtype ``category`` are categorical when ``enable_categorical`` is set."""
    from xgboost import XGBClassifier, XGBRegressor

    model = (XGBRegressor if task == "regression" else XGBClassifier)(enable_categorical=True)
    _, spent = watched(lambda: model.fit(train.fields, train.target))
    path = folder / "model.ubj"
    model.save_model(path)
    return Fitted(_predictor(model, task), path, spent, _versions("xgboost-cpu", "xgboost"))


def histgb(train: Half, task: str, folder: Path) -> Fitted:
    """scikit-learn; columns of dtype ``category`` are categorical by themselves, up to 255 values of one."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    def shown(frame: pd.DataFrame) -> pd.DataFrame:
        wide = [name for name in frame if len(getattr(frame[name].dtype, "categories", ())) > HISTGB_MOST]
        return frame.assign(**{name: frame[name].cat.codes.astype(np.float64) for name in wide}) if wide else frame

    model = (HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier)()
    _, spent = watched(lambda: model.fit(shown(train.fields), train.target))
    path = folder / "model.pickle"
    path.write_bytes(pickle.dumps(model))
    predict = _predictor(model, task)
    return Fitted(lambda frame: predict(shown(frame)), path, spent, _versions("scikit-learn"))


def catboost(train: Half, task: str, folder: Path) -> Fitted:
    """CatBoost; categorical columns are named to it and given as strings, a missing one as the empty string."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    named = [name for name in train.fields if isinstance(train.fields[name].dtype, pd.CategoricalDtype)]

    def shown(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{name: frame[name].astype(object).fillna("").astype(str) for name in named})

    model = (CatBoostRegressor if task == "regression" else CatBoostClassifier)(
        cat_features=named, verbose=False, allow_writing_files=False
    )
    _, spent = watched(lambda: model.fit(shown(train.fields), train.target))
    path = folder / "model.cbm"
    model.save_model(str(path))
    predict = _predictor(model, task)
    return Fitted(lambda frame: predict(shown(frame)), path, spent, _versions("catboost"))


def _predictor(model: Any, task: str) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    call = model.predict if task == "regression" else model.predict_proba
    return lambda frame: np.asarray(call(frame), dtype=np.float64)


def _versions(*packages: str) -> dict[str, str]:
    """The first of some packages that is there."""
    for name in packages:
        try:
            return {"version": f"{name} {version(name)}"}
        except PackageNotFoundError:
            continue
    return {}
