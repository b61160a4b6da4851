"""Lithify in ``tables``: from the CSV file with a given split to a sealed model, which predicts from its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.tables_data import SIDE, TARGET, Data, write_with_sides
from benchmarks.tables_peers import Fitted
from benchmarks.tables_spent import watched


def lithify(path: Path, data: Data, seed: int, folder: Path, quality: str, budget: str | None) -> Fitted:
    """Snapshot and training by the public functions; the time of both counts, reading the file included."""
    import lithify as product

    table, home, out = folder / f"{data.name}.csv", folder / "home", folder / "model.lith"
    write_with_sides(path, data, seed, table)
    frozen, snapshotting = watched(
        lambda: product.snapshot(table, label=TARGET, split=f"given:{SIDE}", kind="table", home=home)
    )
    trained, training = watched(lambda: product.train(frozen, quality=quality, budget=budget, out=out, home=home))
    model = product.open(out)

    def predict(frame: pd.DataFrame) -> NDArray[np.float64]:
        if data.task == "regression":
            return np.array([prediction.value for prediction in model.predict(frame)])
        order = [list(model.labels).index(_label(text)) for text in data.classes]
        return np.asarray(model.predict_proba(frame))[:, order]

    seconds = snapshotting.ended - snapshotting.began
    whole = type(training)(snapshotting.began, training.ended, training.peak)
    told = {"version": f"lithify {product.__version__}", "digest": trained.digest, "snapshot": round(seconds, 2)}
    return Fitted(predict, out, whole, told)


def _label(text: str) -> str:
    """A label as a snapshot writes it: whole numbers without a point."""
    return text.removesuffix(".0")
