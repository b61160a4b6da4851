"""AutoGluon Tabular by its presets, told the figure it is judged by. Runs in the peers' environment."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.tables_data import TARGET, Half
from benchmarks.tables_peers import Fitted
from benchmarks.tables_spent import watched

KINDS = {"binary": "binary", "classes": "multiclass", "regression": "regression"}
FIGURES = {"binary": "roc_auc", "classes": "log_loss", "regression": "root_mean_squared_error"}


def autogluon(train: Half, task: str, folder: Path, preset: str, seconds: int) -> Fitted:
    """Trains by a preset within a time limit, then keeps what a deployment needs and loads that into memory.

    Left to itself it would aim for accuracy in classification; it is told what counts, as a user would.
    """
    from autogluon.tabular import TabularPredictor

    warnings.filterwarnings("ignore")
    predictor = TabularPredictor(
        label=TARGET, problem_type=KINDS[task], eval_metric=FIGURES[task], path=str(folder / "all"), verbosity=2
    )
    frame = train.fields.assign(**{TARGET: train.target})
    _, spent = watched(lambda: predictor.fit(frame, presets=preset, time_limit=seconds))
    clone = predictor.clone_for_deployment(str(folder / "deployed"), return_clone=True)
    clone.persist()
    classes = [] if task == "regression" else list(range(int(train.target.max()) + 1))

    def predict(frame: pd.DataFrame) -> NDArray[np.float64]:
        if task == "regression":
            return np.asarray(clone.predict(frame), dtype=np.float64)
        return np.asarray(clone.predict_proba(frame)[classes], dtype=np.float64)

    return Fitted(predict, folder / "deployed", spent, _told(predictor))


def _told(predictor: Any) -> dict[str, Any]:
    """Every model it trained, best first, and the weights of those that the chosen one is made of."""
    chosen = predictor.model_best
    model = predictor._trainer.load_model(chosen)
    weights = model._get_model_weights() if hasattr(model, "_get_model_weights") else {}
    return {
        "version": f"autogluon.tabular {version('autogluon.tabular')}",
        "models": predictor.leaderboard(silent=True)["model"].tolist(),
        "chosen": chosen,
        "weights": {name: round(float(weight), 3) for name, weight in weights.items()},
    }
