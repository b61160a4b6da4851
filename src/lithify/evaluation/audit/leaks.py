"""Findings on fields that alone tell the target, and on identifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from lithify.evaluation.audit.alone import area, explained
from lithify.evaluation.audit.finding import Finding, Item, Severity
from lithify.evaluation.audit.scene import Column, Scene

CERTAIN = 0.9999
LEAK = 0.99
RAISED = 0.95
TIMES = 4.0
"""A leak leaves at most a quarter of the error that the best field which is none leaves."""
BY_TIME = 0.9
LEAST_ROWS = 50
UNIQUE = 0.95
_SHOWN = 5


def strengths(scene: Scene) -> dict[str, float]:
    """What each field reaches alone on held-out rows; empty where there is too little to measure."""
    if scene.learn < LEAST_ROWS:
        return {}
    found = {column.name: alone(scene, column) for column in scene.columns if column.kind != "text"}
    return {name: value for name, value in found.items() if value is not None}


def alone(scene: Scene, column: Column) -> float | None:
    """Area under the ROC curve, or the explained share of the variance of the ranks."""
    values = column.values[: scene.learn]
    if scene.snapshot.labels:
        return area(values, column.ordered, scene.target, scene.fold)
    return explained(values, column.ordered, scene.target, scene.fold)


def severity(name: str, found: Mapping[str, float], nothing: float = 0.5) -> Severity | None:
    """How bad it is that a field reaches that much alone; ``nothing`` is what a useless field reaches.

    >>> severity("paid", {"paid": 0.9999, "age": 0.8}), severity("paid", {"paid": 0.97, "age": 0.95})
    ('danger', None)
    """
    error = 1.0 - found[name]
    others = [value for other, value in found.items() if other != name]
    honest = 1.0 - max([value for value in others if value < LEAK], default=nothing)
    if found[name] >= CERTAIN or (found[name] >= LEAK and honest >= TIMES * error):
        return "danger"
    if found[name] >= LEAK:
        return "warning"
    second = 1.0 - max(others, default=nothing)
    return "warning" if found[name] >= RAISED and second >= TIMES * error else None


def leaks(scene: Scene, found: Mapping[str, float]) -> Iterator[Finding]:
    """Fields that give the target away, and the strongest ones for a person to look at."""
    measure, nothing = ("AUC alone", 0.5) if scene.snapshot.labels else ("R² of ranks alone", 0.0)
    ranked = sorted(found, key=lambda name: (-found[name], name))
    judged = {name: severity(name, found, nothing) for name in ranked}
    levels: tuple[Severity, ...] = ("danger", "warning")
    for level in levels:
        names = [name for name in ranked if judged[name] == level]
        if names:
            yield Finding(
                "leak",
                level,
                f"{_fields(names)} alone all but {'tells' if len(names) == 1 else 'tell'} what is to be predicted.",
                f"{scene.learnable}, held out in folds",
                "Ask whether it is known at the time of a prediction. If it is written down afterwards, or made from "
                "the answer, leave it out: --field NAME=identifier.",
                {"best of the other fields": max([found[n] for n in ranked if judged[n] is None], default=nothing)},
                tuple(Item(name, {measure: found[name]}) for name in names),
            )
    shown = [name for name in ranked if judged[name] is None][:_SHOWN]
    others = "of the other " if any(judged.values()) else ""
    if shown:
        yield Finding(
            "strongest fields",
            "note",
            f"What the strongest {others}fields tell alone; none of them is beyond the bounds of a leak.",
            f"{scene.learnable}, held out in folds",
            "Ask of each whether it is known at the time of a prediction.",
            {},
            tuple(Item(name, {measure: found[name]}) for name in shown),
        )


def label_by_time(scene: Scene) -> Iterator[Finding]:
    """Labels that were gathered at different times."""
    time = Column("time", "time", scene.time)
    if scene.learn < LEAST_ROWS or np.isnan(scene.time[: scene.learn]).mean() > 0.5:
        return
    found = alone(scene, time)
    if found is None or found < BY_TIME:
        return
    measure = "AUC alone" if scene.snapshot.labels else "R² of ranks alone"
    yield Finding(
        "target follows time",
        "danger" if found >= LEAK else "warning",
        "The time of a row all but tells what is to be predicted: rows were gathered at different times.",
        f"{scene.learnable}, held out in folds",
        "All that changed over time helps a model on these data and on no others. Gather all labels over one period.",
        {measure: found},
    )


def identifiers(scene: Scene) -> Iterator[Finding]:
    """Fields that name rows: those among the inputs, and those that were left out."""
    named = [Item(c.name, {"distinct": share}) for c in scene.columns if (share := unique_share(scene, c)) >= UNIQUE]
    if named:
        yield Finding(
            "identifier among inputs",
            "warning",
            f"{_fields([item.name for item in named])} {'names' if len(named) == 1 else 'name'} single rows.",
            f"{len(scene.rows):,} rows of all sides, inputs only",
            "It cannot help with new rows, and where rows were numbered in some order it can mislead. Leave it out: "
            "--field NAME=identifier.",
            {},
            tuple(named),
        )
    left = [field.name for field in scene.snapshot.fields if field.kind == "identifier"]
    if left:
        yield Finding(
            "identifiers left out",
            "note",
            f"{_fields(left)} {'was' if len(left) == 1 else 'were'} taken for an identifier and left out.",
            "all rows, when the snapshot was made",
            "If it should be learned from, make the snapshot again with --field NAME=category.",
            {},
            tuple(Item(name) for name in left),
        )


def unique_share(scene: Scene, column: Column) -> float:
    """Distinct values per row of a category or of a number that counts rows; 0 for measurements."""
    known = column.values[~np.isnan(column.values)]
    if len(known) < LEAST_ROWS or column.kind in ("text", "time", "boolean"):
        return 0.0
    distinct = np.unique(known)
    counts_rows = (
        column.ordered
        and (known == np.floor(known)).all()
        and distinct[-1] - distinct[0] <= 4.0 * len(scene.snapshot)
        and len(distinct) >= 0.99 * len(known)
    )
    return len(distinct) / len(known) if counts_rows or not column.ordered else 0.0


def _fields(names: list[str]) -> str:
    """
    >>> _fields(["a"]), _fields(["a", "b"]), _fields(list("abcd"))
    ('The field a', 'The fields a and b', 'The fields a, b and 2 more')
    """
    if len(names) == 1:
        return f"The field {names[0]}"
    if len(names) == 2:
        return f"The fields {names[0]} and {names[1]}"
    return f"The fields {names[0]}, {names[1]} and {len(names) - 2:,} more"
