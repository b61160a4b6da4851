"""Trains and saves the models of peers; runs in the environment of the peer, with scikit-learn only.

Reads from standard input where the rows lie and what to make; writes ``model.joblib`` and what the peer's server reads.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

BENTO = """
import bentoml
import joblib
import numpy as np


@bentoml.service(workers={workers}, traffic={{"timeout": 60, "max_concurrency": 100000}})
class Served:
    def __init__(self):
        self.model = joblib.load("{model}")

    @bentoml.api
    def predict(self, x: {type}) -> np.ndarray:
        return self.model.predict_proba(x)
"""


def main() -> None:
    """Makes one model for one server."""
    told = json.load(sys.stdin)
    folder = Path(told["folder"])
    x, y = read(told)
    model = make(told["learner"]).fit(x, y)
    if told["server"] == "MLflow":
        import mlflow

        mlflow.sklearn.save_model(
            model, folder / "model", pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle"
        )
        return
    import joblib

    joblib.dump(model, folder / "model.joblib")
    if told["server"] == "BentoML":
        kind = "list[str]" if told["learner"] == "text" else "np.ndarray"
        text = BENTO.format(workers=told["workers"], model=folder / "model.joblib", type=kind)
        (folder / "service.py").write_text(text)
    else:
        mlserver(folder, told)


def read(told: dict) -> tuple[list, list]:
    """Rows of the columns asked for, or texts, with their labels."""
    with open(told["rows"], newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.DictReader(file))
    y = [row["target"] for row in rows]
    if told["learner"] == "text":
        return [row["text"] for row in rows], y
    return [[float(row[name] or "nan") for name in told["columns"]] for row in rows], y


def make(learner: str):
    """The usual pipeline of its kind."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if learner == "boosting":
        return HistGradientBoostingClassifier(random_state=0)
    if learner == "linear":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(max_iter=1000))


def mlserver(folder: Path, told: dict) -> None:
    """The settings that its server reads."""
    ports = told["ports"]
    settings = {
        "host": "127.0.0.1", "http_port": ports[0], "grpc_port": ports[1], "metrics_port": ports[2],
        "parallel_workers": told["workers"], "debug": False,
    }  # fmt: skip
    model = {
        "name": "m",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(folder / "model.joblib")},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))


if __name__ == "__main__":
    main()
