"""Findings on fields that hold little or nothing new, and on labels with few rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lithify.data import split
from lithify.evaluation.audit.alone import rank_correlation, ranks
from lithify.evaluation.audit.finding import Finding, Item
from lithify.evaluation.audit.scene import Column, Scene

CONSTANT = 0.995
MISSING = 0.8
ALIKE = 0.999
COMPARED_ROWS, COMPARED_FIELDS = 5_000, 1_000
RARE_ROWS = 10
"""Rows that must have a value for it to be learned by itself."""
MANY = 100
FEW, VERY_FEW = 50, 10


def commonest(values: NDArray[np.float64]) -> float:
    """Share of the most frequent value; all missing cells are one.

    >>> commonest(np.array([1.0, 1.0, np.nan, 2.0]))
    0.5
    """
    return float(np.unique(values, return_counts=True)[1].max()) / len(values) if len(values) else 0.0


def emptiness(scene: Scene) -> Iterator[Finding]:
    """Fields that are missing everywhere or mostly, or that are all but constant."""
    cells = {column.name: column.values[: scene.learn] for column in scene.columns}
    missing = {name: float(np.isnan(values).mean()) for name, values in cells.items()}
    empty = [name for name, share in missing.items() if share == 1.0]
    mostly = [name for name, share in missing.items() if MISSING <= share < 1.0]
    common = {name: commonest(values) for name, values in cells.items() if name not in empty}
    constant = [name for name, share in common.items() if share >= CONSTANT]
    if empty:
        yield _fields(scene, "all missing", "warning", "Fields without a single value.", "Find out why.", empty, {})
    if constant:
        text = "Fields that hold all but one value only."
        advice = "They tell next to nothing; a model that uses them learns from a handful of rows."
        yield _fields(scene, "near constant", "note", text, advice, constant, common)
    if mostly:
        text = "Fields that are missing in most rows."
        advice = "That a cell is missing is learned from too: ask whether it will be missing for the same reasons."
        yield _fields(scene, "mostly missing", "note", text, advice, mostly, missing)


def _fields(
    scene: Scene, kind: str, severity: str, title: str, advice: str, names: list[str], share: dict[str, float]
) -> Finding:
    items = tuple(Item(name, {"share": share[name]} if name in share else {}) for name in names)
    return Finding(kind, "warning" if severity == "warning" else "note", title, scene.learnable, advice, {}, items)


def copies(scene: Scene) -> Iterator[Finding]:
    """Fields that say the same as another one."""
    some = [column for column in scene.columns if column.kind != "text"][:COMPARED_FIELDS]
    rows = slice(0, min(scene.learn, COMPARED_ROWS))
    pairs = {**_same_parts(some, scene.learn), **_same_order(some, rows, scene.learn)}
    if pairs:
        yield Finding(
            "fields alike",
            "note",
            "Fields that say the same as another field.",
            f"{scene.learnable}; numbers compared on {rows.stop:,} of them first",
            "Accuracy hardly changes, but importances are shared out between them. Keep one of each.",
            {},
            tuple(Item(f"{a} and {b}", {"rank correlation": value}) for (a, b), value in sorted(pairs.items())),
        )


def _same_parts(columns: list[Column], learn: int) -> dict[tuple[str, str], float]:
    """Fields of few values each of which always meets the same value of the other."""
    first: dict[bytes, str] = {}
    found = {}
    for column in columns:
        distinct, at, code = np.unique(column.values[:learn], return_index=True, return_inverse=True)
        if not 2 <= len(distinct) <= learn / RARE_ROWS:
            continue
        renamed = np.argsort(np.argsort(at))[code].astype(np.int32).tobytes()
        if renamed in first:
            found[first[renamed], column.name] = 1.0
        else:
            first[renamed] = column.name
    return found


def _same_order(columns: list[Column], rows: slice, learn: int) -> dict[tuple[str, str], float]:
    """Numbers of all but the same, or the opposite, order."""
    numbers = [c for c in columns if c.ordered and np.isfinite(c.values[rows]).sum() >= RARE_ROWS]
    if len(numbers) < 2:
        return {}
    rank = np.stack([ranks(column.values[rows]) for column in numbers])
    size = np.sqrt((rank * rank).sum(axis=1))
    alike = np.abs(rank @ rank.T) >= 0.99 * ALIKE * np.outer(size, size)
    found = {}
    for a, b in zip(*np.nonzero(np.triu(alike & (size > 0.0)[:, None], 1)), strict=True):
        value = rank_correlation(numbers[a].values[:learn], numbers[b].values[:learn])
        both = (np.isfinite(numbers[a].values[:learn]) & np.isfinite(numbers[b].values[:learn])).mean()
        if abs(value) >= ALIKE and both >= 0.5:
            found[numbers[a].name, numbers[b].name] = value
    return found


def cardinality(scene: Scene) -> Iterator[Finding]:
    """Categories most of whose rows have values that too few rows share."""
    items = []
    for column in scene.columns:
        values = column.values[: scene.learn]
        if column.kind != "category":
            continue
        rows = np.unique(values[~np.isnan(values)], return_counts=True)[1]
        rare = float(rows[rows < RARE_ROWS].sum()) / max(1, int(rows.sum()))
        if len(rows) >= MANY and rare >= 0.5:
            items.append(Item(column.name, {"values": len(rows), "rows of rare values": rare}))
    if items:
        yield Finding(
            "many values",
            "note",
            "Categories most of whose rows have a value that fewer than ten rows share.",
            scene.learnable,
            "Such values count as one, rare. Group them (a town into its region), or read the field as text.",
            {},
            tuple(items),
        )


def small_labels(scene: Scene) -> Iterator[Finding]:
    """Labels with few rows to learn from, or with none on one side; counts only."""
    table, labels = scene.snapshot.table, scene.snapshot.labels
    if not labels:
        return
    test = np.bincount(table.label[table.side == split.TEST], minlength=len(labels))
    learn = np.bincount(table.label[table.side < split.TEST], minlength=len(labels))
    few = [c for c in np.argsort(learn, kind="stable").tolist() if learn[c] < FEW]
    if few:
        yield Finding(
            "small labels",
            "warning" if learn[few[0]] < VERY_FEW else "note",
            f"Labels with fewer than {FEW} rows to learn from.",
            "all training and validation rows",
            "Figures of such a label mean little. Gather more, or join it with another.",
            {},
            tuple(Item(labels[c], {"rows": int(learn[c]), "test rows": int(test[c])}) for c in few),
        )
    lost = [c for c in range(len(labels)) if learn[c] >= FEW and test[c] == 0 and test.sum() >= FEW]
    if lost:
        yield Finding(
            "labels not tested",
            "warning",
            "Labels that no test row has.",
            "counts of all test rows",
            "Nothing can be said of how well these are told. Split by hash, or gather more.",
            {},
            tuple(Item(labels[c], {"rows": int(learn[c])}) for c in lost),
        )
