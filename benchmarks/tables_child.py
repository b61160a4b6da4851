"""Trains and measures one system on one split of one table; used by ``tables``, in a process of its own.

Peers and Lithify go through the same lines here. Facts given: ``table``, ``seed``, ``system``, ``out``, a file for the
figures, since some systems print much.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import tables_data, tables_figures
from benchmarks.tables_data import Data, Half
from benchmarks.tables_peers import Fitted
from benchmarks.tables_systems import SYSTEMS

SINGLES = 50
"""Rows that are predicted one at a time."""


def main() -> None:
    """Works as the facts say."""
    told = json.loads(sys.argv[1])
    path, seed = Path(told["table"]), told["seed"]
    data = tables_data.read(path)
    train, test = tables_data.halves(data, seed)
    with tempfile.TemporaryDirectory(prefix="lithify-tables-") as folder:
        fitted = _fit(told["system"], path, data, seed, train, Path(folder))
        figures = _measured(fitted, data, test)
    spent = vars(fitted.spent)
    sizes = {"train": len(train.target), "test": len(test.target), "task": data.task}
    Path(told["out"]).write_text(json.dumps({**sizes, **figures, "spent": spent, **fitted.told}))


def _fit(name: str, path: Path, data: Data, seed: int, train: Half, folder: Path) -> Fitted:
    system = SYSTEMS[name]
    if system.ours:
        from benchmarks.tables_ours import lithify

        return lithify(path, data, seed, folder, **system.settings)
    function = _function(system.function)
    return function(train, data.task, folder, **system.settings)


def _function(name: str) -> Callable[..., Fitted]:
    from benchmarks import tables_autogluon, tables_peers

    return getattr(tables_autogluon if name == "autogluon" else tables_peers, name)  # type: ignore[no-any-return]


def _measured(fitted: Fitted, data: Data, test: Half) -> dict[str, Any]:
    """Figures of the test rows, the time they take in one batch and one by one, and what is deployed."""
    fitted.predict(test.fields)  # what loads late, or is derived for many rows, is there
    began = time.perf_counter()
    predicted = fitted.predict(test.fields)
    seconds = time.perf_counter() - began
    predicted = np.asarray(predicted, dtype=np.float64)
    return {
        **tables_figures.judge(data.task, test.target, predicted),
        "predict": seconds,
        "single": median(_singles(fitted, test.fields)),
        "bytes": _size(fitted.deployed),
    }


def _singles(fitted: Fitted, fields: pd.DataFrame) -> list[float]:
    """Seconds of each row by itself, as a frame of one row."""
    rows = [fields.iloc[[row]] for row in range(min(SINGLES, len(fields)))]
    taken = []
    for row in rows:
        began = time.perf_counter()
        fitted.predict(row)
        taken.append(time.perf_counter() - began)
    return taken


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


if __name__ == "__main__":
    main()
