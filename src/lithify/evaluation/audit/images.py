"""Findings on pictures: copies across given sides, copies with two labels, odd sizes, grey among colour, bad files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lithify.data import split
from lithify.data.snapshot import Snapshot
from lithify.evaluation.audit.alone import area
from lithify.evaluation.audit.finding import MOST, Finding, Item
from lithify.evaluation.audit.scene import Scene

LIKE = "like"
"""Name of the figure that holds the key of the row that a row is nearly a copy of."""
TELLS, GIVES_AWAY = 0.75, 0.95
"""Area under the ROC curve that the size alone reaches on the label, from which a person should look, and beware."""
ENLARGED = 2.0
CUT = 2.0
"""Long side by short side, from which half of a picture or more is cut away."""
FEW_GREY = 0.5
NO_COLOUR = 3
"""Levels by which the channels of a thumbnail may differ in a picture without colour."""
BAD_FILES = 0.01
LEAST_ROWS = 100
_MEMBERS, _LABELS = 64, 20
_THUMBNAIL, _SIZE = slice(4, 100), slice(100, 103)
"""Of a signature: 8 x 8 pixels of 3 bytes, two in each number; then width, height and channels."""


def images(scene: Scene) -> Iterator[Finding]:
    """All of them; nothing for rows that are no images."""
    if scene.snapshot.kind != "image":
        return
    yield from _left_out(scene.snapshot)
    yield from _two_labels(scene)
    yield from _size_tells(scene)
    yield from _odd_sizes(scene)
    yield from _grey(scene)
    yield from _bad_files(scene.snapshot)


def thumbnails(snapshot: Snapshot, rows: NDArray[np.integer]) -> NDArray[np.int64]:
    """Thumbnails of some rows, (n, 192), from their signatures."""
    packed = np.ascontiguousarray(snapshot.table.signature[rows, _THUMBNAIL])
    return packed.view(np.uint8).astype(np.int64)


def nearest(snapshot: Snapshot, row: int, others: NDArray[np.integer]) -> tuple[int, float]:
    """Which of some rows looks most like a row, and by how many levels (of 255) a pixel differs on average."""
    some = others[:_MEMBERS]
    off = np.abs(thumbnails(snapshot, some) - thumbnails(snapshot, np.array([row]))).mean(axis=1)
    at = int(off.argmin())
    return int(some[at]), float(off[at])


def _left_out(snapshot: Snapshot) -> Iterator[Finding]:
    """Pictures of a later given side that an earlier side nearly has."""
    table = snapshot.table
    rows = np.flatnonzero(table.side == split.EXCLUDED)
    if not len(rows):
        return
    items = []
    for row in rows[:MOST].tolist():
        others = np.flatnonzero((table.group == table.group[row]) & (table.side <= split.TEST))
        if len(others):
            items.append(_pair(snapshot, row, *nearest(snapshot, row, others)))
    later = len(rows) + int((table.side == split.TEST).sum())
    yield Finding(
        "copies across sides",
        "warning",
        "Pictures of a later side that are copies or near-duplicates of some of an earlier one, and were left out.",
        "all rows, when the snapshot was made",
        "Nothing has to be done here; figures that others measured with these pictures in the test flatter.",
        {"pictures left out": len(rows), "share of them and test": len(rows) / later},
        tuple(items),
        "rows",
        len(rows),
    )


def _two_labels(scene: Scene) -> Iterator[Finding]:
    """Near-duplicates with different labels."""
    snapshot, table = scene.snapshot, scene.snapshot.table
    last = split.TEST if scene.test_labels else split.CALIBRATE
    rows = np.flatnonzero((table.side <= last) & (table.field_group == 0))
    if not snapshot.labels or not len(rows):
        return
    group = np.unique(table.group[rows], return_inverse=True)[1]
    labels = len(snapshot.labels)
    pair, counts = np.unique(group * labels + table.label[rows], return_counts=True)
    size = np.bincount(group)
    most = np.zeros(len(size), dtype=np.int64)
    np.maximum.at(most, pair // labels, counts)
    mixed = np.bincount(pair // labels, minlength=len(size)) > 1
    if not mixed.any():
        return
    own = counts[np.searchsorted(pair, group * labels + table.label[rows])]
    doubtful = np.flatnonzero(mixed[group] & (own <= most[group]))
    items = []
    for at in doubtful[:MOST].tolist():
        row = int(rows[at])
        others = rows[(group == group[at]) & (table.label[rows] != table.label[row])]
        items.append(_pair(snapshot, row, *nearest(snapshot, row, others)))
    yield Finding(
        "two labels",
        "warning",
        "Pictures that are nearly alike and have different labels.",
        f"{len(rows):,} {'training, validation and test' if scene.test_labels else 'training and validation'} rows",
        "Look at the pairs (lithify audit --report pairs.html --show-content): one of two labels is wrong, or a "
        "picture shows both.",
        {"rows in them": int(size[mixed].sum()), "groups": int(mixed.sum())},
        tuple(sorted(items, key=lambda item: float(item.figures["levels apart"] or 0.0))),
        "rows",
        len(doubtful),
    )


def _pair(snapshot: Snapshot, row: int, other: int, apart: float) -> Item:
    table = snapshot.table
    named = {}
    if snapshot.labels:
        named = {"label": snapshot.labels[table.label[row]], "its label": snapshot.labels[table.label[other]]}
    figures = {LIKE: table.key[other].tobytes().hex()[:16], **named, "levels apart": apart}
    return Item(table.key[row].tobytes().hex(), figures)


def _size_tells(scene: Scene) -> Iterator[Finding]:
    """Whether the size or shape of a picture gives its label away, whatever it shows."""
    if not scene.snapshot.labels or scene.learn < LEAST_ROWS:
        return
    width, height, channels = _sizes(scene, slice(0, scene.learn))
    measured = {
        "width": width,
        "height": height,
        "shape (width by height)": width / np.maximum(height, 1),
        "channels": channels,
    }
    found = {name: _tells(scene, values) for name, values in measured.items()}
    items = [
        Item(name, {"label": label, "AUC alone": value}) for name, (value, label) in found.items() if value >= TELLS
    ]
    if items:
        worst = max(float(item.figures["AUC alone"] or 0.0) for item in items)
        yield Finding(
            "size tells",
            "danger" if worst >= GIVES_AWAY else "warning",
            "The size of a picture gives its label away: the labels come from different places.",
            scene.learnable,
            "A network sees sharpness and what was cut away, and so the place; take pictures of all labels from all "
            "places, or split by place.",
            {},
            tuple(sorted(items, key=lambda item: -float(item.figures["AUC alone"] or 0.0))),
        )


def _tells(scene: Scene, values: NDArray[np.float64]) -> tuple[float, str]:
    """Area that values reach on the label that they tell best of all others, and that label."""
    labels = scene.snapshot.labels
    often = np.argsort(-np.bincount(scene.target, minlength=len(labels)), kind="stable")[:_LABELS]
    found = [(area(values, True, (scene.target == code).astype(np.int64), scene.fold) or 0.0, code) for code in often]
    best, code = max(found, key=lambda each: each[0])
    return best, labels[code]


def _odd_sizes(scene: Scene) -> Iterator[Finding]:
    side = scene.snapshot.manifest["images"]["side"]
    width, height, _ = _sizes(scene)
    short, long = np.minimum(width, height), np.maximum(width, height)
    small = np.flatnonzero(short * ENLARGED < min(side, 224))
    narrow = np.flatnonzero(long >= CUT * np.maximum(short, 1))
    told = (
        (
            "small pictures",
            small[np.argsort(short[small], kind="stable")],
            "Pictures far smaller than the others: enlarged, they show little.",
            "Look at some; thumbnails and icons among photographs are better left out.",
        ),
        (
            "narrow pictures",
            narrow[np.argsort(-(long / np.maximum(short, 1))[narrow], kind="stable")],
            "Pictures of which half or more is cut away, for only the square in the middle is looked at.",
            "Cut them to what matters before taking the snapshot.",
        ),
    )
    for kind, rows, title, advice in told:
        if len(rows):
            items = (
                Item(key, {"width": int(width[at]), "height": int(height[at])})
                for key, at in zip(scene.keys(rows[:MOST]), rows[:MOST].tolist(), strict=True)
            )
            figures = {"pictures": len(rows), "share": len(rows) / len(scene.rows)}
            yield Finding(kind, "note", title, _all(scene), advice, figures, tuple(items), "rows", len(rows))


def _grey(scene: Scene) -> Iterator[Finding]:
    """Pictures without colour among coloured ones."""
    _, _, channels = _sizes(scene)
    small = thumbnails(scene.snapshot, scene.rows).reshape(len(scene.rows), -1, 3)
    grey = (channels == 1) | (np.ptp(small, axis=2).max(axis=1) <= NO_COLOUR)
    share = float(grey.mean()) if len(grey) else 0.0
    if not 0.0 < share < FEW_GREY:
        return
    figures: dict[str, float | int | str | None] = {"pictures": int(grey.sum()), "share": share}
    tells = 0.0
    if scene.snapshot.labels and scene.learn >= LEAST_ROWS:
        tells, figures["label told best"] = _tells(scene, grey[: scene.learn].astype(np.float64))
        figures["AUC alone"] = tells
    rows = np.flatnonzero(grey)
    yield Finding(
        "grey among colour",
        "warning" if tells >= TELLS else "note",
        "Pictures without colour among coloured ones.",
        _all(scene),
        "Nothing to do where they come in all labels alike; else a network learns the colour instead of the label.",
        figures,
        tuple(Item(key) for key in scene.keys(rows[:MOST])),
        "rows",
        len(rows),
    )


def _bad_files(snapshot: Snapshot) -> Iterator[Finding]:
    counts = {str(reason): int(rows) for reason, rows in snapshot.manifest["quarantine"].items()}
    if not counts:
        return
    share = sum(counts.values()) / (sum(counts.values()) + len(snapshot.table.label))
    yield Finding(
        "bad files",
        "warning" if share >= BAD_FILES else "note",
        "Files that could not be taken.",
        "all files, when the snapshot was made",
        f"lithify show {snapshot.digest[7:19]} lists them.",
        {"files": sum(counts.values()), "share": share},
        tuple(Item(reason, {"files": rows}) for reason, rows in sorted(counts.items(), key=lambda item: -item[1])),
    )


def _sizes(scene: Scene, some: slice = slice(None)) -> tuple[NDArray[np.float64], ...]:
    """Width, height and channels of the rows of a scene."""
    found = scene.snapshot.table.signature[scene.rows[some], _SIZE].astype(np.float64)
    return found[:, 0], found[:, 1], found[:, 2]


def _all(scene: Scene) -> str:
    return f"{len(scene.rows):,} rows of all sides, no labels"
