"""Findings on rows that stand there more than once: on one side, on two, with one label or with several."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lithify.data import split
from lithify.evaluation.audit.finding import MOST, Finding, Item
from lithify.evaluation.audit.scene import Scene
from lithify.evaluation.audit.twins import DIGITS, twins

LEAST_TWINS = 5
TWINS_WARN, TWINS_DANGER = 0.01, 0.1
CONTRADICT = 0.01
_WIDE = 100
"""Distinct rounded numbers that a field must have for rounding to matter."""


def repeats(scene: Scene) -> Iterator[Finding]:
    """Copies that the snapshot keeps together, near copies that it does not, and copies that contradict."""
    yield from _straddling(scene)
    yield from _near(scene)
    yield from _contradictions(scene)
    yield from _kept_together(scene)


def _straddling(scene: Scene) -> Iterator[Finding]:
    table = scene.snapshot.table
    used = np.flatnonzero(table.side <= split.TEST)
    phase = np.array([0, 1, 1, 2])[table.side[used]]
    _, member = np.unique(table.group[used], return_inverse=True)
    low, high = np.full(len(used), 2), np.zeros(len(used), dtype=np.int64)
    np.minimum.at(low, member, phase)
    np.maximum.at(high, member, phase)
    across = used[(low < high)[member]]
    if len(across):
        yield Finding(
            "copies on two sides",
            "danger",
            "Copies or near-duplicates of one row stand on two sides of the split.",
            "all rows of the three sides, keys and groups only",
            "Make the snapshot again from the data.",
            {"rows": len(across)},
            tuple(Item(key.tobytes().hex()) for key in table.key[across[:MOST]]),
            "rows",
            len(across),
        )


def _near(scene: Scene) -> Iterator[Finding]:
    columns = [(c.values, c.ordered) for c in scene.columns]
    if not any(number and len(np.unique(values)) >= _WIDE for values, number in columns):
        return  # then to be equal after rounding is to be equal
    learn = np.arange(len(scene.rows)) < scene.learn
    training = np.flatnonzero(learn & (scene.side == split.TRAIN))
    later = np.flatnonzero(~learn if (~learn).any() else scene.side != split.TRAIN)
    found = twins(columns, training, later)
    if found is None or found.beyond_chance * len(later) < LEAST_TWINS or len(found.rows) < LEAST_TWINS:
        return
    share = found.beyond_chance
    sides = "test" if (~learn).any() else "validation"
    yield Finding(
        "near copies",
        "danger" if share >= TWINS_DANGER else "warning" if share >= TWINS_WARN else "note",
        f"Rows of {sides} that are, but for rounding, rows of training.",
        f"{len(later):,} {sides} rows against {len(training):,} training rows, inputs only",
        "Such rows test memory. If one thing was measured several times, name it and split by it: --split group:FIELD.",
        {f"equal in {DIGITS} digits": len(found.rows), "share beyond chance": share},
        tuple(Item(key) for key in scene.keys(found.rows[:MOST])),
        "rows",
        len(found.rows),
    )


def _same_content(scene: Scene) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All rows that may be learned from, and for each which content it has: equal inputs, or near-duplicates."""
    table = scene.snapshot.table
    last = split.TEST if scene.test_labels else split.CALIBRATE
    rows = np.flatnonzero(table.side <= last)
    if scene.snapshot.kind == "table":
        mark = np.ascontiguousarray(table.signature[rows]).view(np.uint64)[:, 0]
    else:  # a field may join what is not alike; such rows are left aside
        mark = np.where(table.field_group[rows] == 0, table.group[rows], -1 - rows).astype(np.uint64)
    return rows, np.unique(mark, return_inverse=True)[1]


def _contradictions(scene: Scene) -> Iterator[Finding]:
    snapshot = scene.snapshot
    if snapshot.kind == "image":
        return  # see lithify.evaluation.audit.images
    rows, content = _same_content(scene)
    if not snapshot.labels or not len(rows):
        return
    labels = len(snapshot.labels)
    pair, counts = np.unique(content * labels + snapshot.table.label[rows], return_counts=True)
    size = np.bincount(content)
    most = np.zeros(len(size), dtype=np.int64)
    np.maximum.at(most, pair // labels, counts)
    mixed = most < size
    if not mixed.any():
        return
    wrong = int((size - most).sum())
    of_pair = np.searchsorted(pair, content * labels + snapshot.table.label[rows])
    minority = rows[mixed[content] & (counts[of_pair] < most[content])]
    same = "the same inputs" if snapshot.kind == "table" else "nearly the same content"
    yield Finding(
        "two labels",
        "warning" if wrong >= CONTRADICT * len(rows) else "note",
        f"Rows with {same} and different labels.",
        f"{len(rows):,} {'training, validation and test' if scene.test_labels else 'training and validation'} rows",
        "No model can be right on all of them: look at some, and find out which field would tell them apart.",
        {
            "rows in them": int(size[mixed].sum()),
            "contents": int(mixed.sum()),
            "share that any model gets wrong": wrong / len(rows),
        },
        tuple(
            Item(snapshot.table.key[row].tobytes().hex(), {"label": snapshot.labels[snapshot.table.label[row]]})
            for row in minority[:MOST].tolist()
        ),
        "rows",
        len(minority),
    )


def _kept_together(scene: Scene) -> Iterator[Finding]:
    manifest = scene.snapshot.manifest
    groups, excluded = manifest["groups"], sum(manifest["split"]["counts"].get("excluded", {}).values())
    torn = manifest["quarantine"].get("two labels", 0)
    if groups["near_duplicate_groups"] or excluded or manifest["copies"] or torn:
        yield Finding(
            "copies",
            "note",
            "Copies and near-duplicates, each group of which is kept on one side.",
            "all rows, when the snapshot was made",
            "Nothing to do; many copies make the data smaller than they look.",
            {
                "rows in groups": groups["rows_in_them"],
                "groups": groups["near_duplicate_groups"],
                "left out, for an earlier side has them": excluded,
                "exact copies counted once": manifest["copies"],
                "quarantined for two labels": torn,
            },
        )
