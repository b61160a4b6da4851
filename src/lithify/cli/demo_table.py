"""`lithify demo --table`: the same job on a table, start to finish, in plain words."""

from __future__ import annotations

import gzip
import json
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from lithify.cli.output import short, shown_path
from lithify.cli.stage import Stage, begin, draw, end, freeze, learn, measure, seal

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.evaluate import Evaluation
    from lithify.model.model import Model
    from lithify.training.run import Outcome

SURE = 0.9
"""About how sure the model is of the row that is explained."""


def play(stage: Stage, began: float) -> None:
    """All of it."""
    begin(stage, "a model of a table")
    snap = _freeze(stage)
    outcome = _train(stage, snap)
    path = stage.folder / f"income-{short(outcome.model.digest)}.lith"
    model = seal(stage, outcome, path)
    stage.heading(4, "How good it is, on rows it has never seen")
    found = measure(stage, model, snap)
    _explain(stage, model, snap, found)
    page = draw(stage, found)
    stage.terminal.document(outcome.to_json() | {"path": str(path), "report": str(page), "evaluation": found.to_json()})
    file, folder = shown_path(path), shown_path(stage.folder)
    acts = (
        (("predict", file, f"{folder}/row.json"), "predict a row; takes CSV, Parquet, Excel, SQLite too"),
        (("explain", file, f"{folder}/adult.csv", "--row", "17"), "explain any row of a table"),
        (("show", file), "read the card that is sealed into the model"),
        (("train", "YOUR.csv", "--label", "COLUMN"), "a column of words is classified, one of numbers is estimated"),
    )
    end(stage, time.monotonic() - began, acts)


def _freeze(stage: Stage) -> Snapshot:
    from lithify import freezing, samples

    table = stage.folder / "adult.csv"
    stage.heading(1, "The table, frozen")
    if not table.exists():
        table.write_bytes(gzip.decompress(samples.adult().read_bytes()))
    source = freezing.open_data(stage.home, table)
    stage.tell(f"{shown_path(table)} is {source.describe()}. What each field is was found out from its cells:")
    snap = freeze(stage, source, "adult", _learner(), "rows")
    stage.tell("Where a kind is not what it should be, --field NAME=KIND says another, and --label names the target.")
    return snap


def _learner() -> str:
    return "boosting" if find_spec("lightgbm") is not None else "tree"


def _train(stage: Stage, snap: Snapshot) -> Outcome:
    stage.heading(2, "Training")
    if _learner() == "tree":
        stage.tell("Boosting needs LightGBM (pip install 'lithify[boost]'), so here it is one tree that can be read.")
    return learn(stage, snap, {"learner": _learner()})


def _explain(stage: Stage, model: Model, snap: Snapshot, found: Evaluation) -> None:
    from lithify.cli.explaining import show_explanation

    stage.heading(5, "One row, predicted and explained")
    file = stage.folder / "row.json"
    row = _row(model, snap, found)
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    stage.tell(f"{shown_path(file)} is one of the rows it has never seen. What each field adds to its score:")
    stage.inner.say()
    show_explanation(stage.inner, model, model.explain(row), 8)


def _row(model: Model, snap: Snapshot, found: Evaluation) -> dict[str, object]:
    """The cells of the test row, rightly called the last label, of which the model is about :data:`SURE`."""
    from lithify.data.cells import decode

    sure = found.probabilities[:, -1].copy()
    sure[(found.y != len(found.labels) - 1) | (found.predicted != found.y)] = 2.0
    (content,) = snap.content(snap.rows("test")[[abs(sure - SURE).argmin()]])
    cells = decode(model.fields, [content])
    numbers = iter(cells.numbers[0].tolist())
    strings = iter(cells.strings[column][0] for column in range(len(cells.strings)))
    written = {
        field.name: next(strings) if field.kind in ("category", "text") else _plain(next(numbers))
        for field in model.fields
    }
    return {name: cell for name, cell in written.items() if cell is not None}


def _plain(value: float) -> float | int | None:
    if value != value:
        return None
    return int(value) if value == int(value) else value
