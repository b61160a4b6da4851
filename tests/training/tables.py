"""Small made-up tables with every kind of field, and the smallest recipe of every learner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lithify import rng
from lithify.data.open import open_source
from lithify.data.snapshotting import snapshot
from lithify.store.home import Home, open_home

ROWS = 180
RARE = "xylograph-rare"
"""Begins what only some rows hold: categories and words of fewer than ten rows."""
FIELDS = {
    "age": "number", "income": "number", "job": "category", "town": "category", "member": "boolean", "seen": "time",
    "note": "text",
}  # fmt: skip
TASKS = ("two", "three", "values")
BOOSTING: dict[str, Any] = {"members": 2, "rounds": 4, "chunk": 2, "leaves": 4, "min_rows_leaf": 3, "pairs": 0}
LEARNERS: dict[str, dict[str, Any]] = {
    "tree": {"folds": 2, "max_leaves": 25, "min_rows_leaf": 2},
    "boosting": BOOSTING,
    "linear": {"steps": 4, "tolerance": 0.0},
    "network": {"width": 0.05, "depth": 1, "batch": 64, "epochs": 1.0, "device": "cpu", "precision": "fp32"},
    "ensemble": {
        "members": [{"learner": "boosting", **BOOSTING}, {"learner": "linear", "steps": 3}],
        "candidates": [{"learner": "boosting", **BOOSTING, "leaves": leaves} for leaves in (2, 5)],
        "rungs": [1],
        "keep": 1,
        "folds": 2,
    },
}


def columns(task: str, rows: int = ROWS, first: int = 0) -> dict[str, Any]:
    """The columns of a table, the label among them."""
    draw = [rng.uniform(rng.key(3, "table", at), first, rows).tolist() for at in range(6)]
    signal = [4.0 * a + (b > 0.5) + 0.5 * c for a, b, c in zip(*draw[:3], strict=True)]
    labels: list[Any]
    if task == "values":
        labels = [round(100.0 * value, 3) for value in signal]
    else:
        names = ("no", "yes") if task == "two" else ("blue", "green", "red")
        labels = [names[min(len(names) - 1, int(value * len(names) / 5.5))] for value in signal]
    words = ("meeting", "holiday", "invoice", "garden", "football")
    return {
        "age": [round(18 + 60 * value, 1) for value in draw[0]],
        "income": [None if value < 0.2 else round(1e4 * value, 2) for value in draw[3]],
        "job": [f"{RARE}-{n}" if n % 29 == 0 else "smith" if b > 0.5 else "clerk" for n, b in enumerate(draw[1])],
        "town": [f"town {int(5 * value)}" for value in draw[4]],
        "member": [value > 0.5 for value in draw[2]],
        "seen": [f"2020-0{1 + int(8 * value)}-1{n % 10} 10:00:00" for n, value in enumerate(draw[5])],
        "note": [f"{words[n % 5]} and {words[int(5 * v)]} {RARE}{n}" for n, v in enumerate(draw[4])],
        "target": labels,
    }


def freeze(home: Home, task: str, name: str | None = None, **more: Any) -> Any:
    """A snapshot of one of the tables."""
    source = open_source(columns(task, **more), label="target", fields=FIELDS)
    return snapshot(source, home, name=name or task)


def make(folder: Path) -> Path:
    """A home with a snapshot for every task."""
    home = open_home(folder)
    for task in TASKS:
        freeze(home, task)
    home.catalog.close()
    return folder


def recipe(learner: str, **changed: Any) -> dict[str, Any]:
    """The smallest recipe of a learner that has more than one step."""
    return {"folds": 1, "grains": 4, learner: {**LEARNERS[learner], **changed}}
