"""The rows that an audit looks at, and the cells of their fields as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data import split
from lithify.data.cells import decode, layout
from lithify.data.decoding import Strings
from lithify.data.snapshot import Snapshot
from lithify.evaluation.audit.alone import FOLDS
from lithify.evaluation.dependence import sample
from lithify.learners.folds import fold_of

TABLE_ROWS, MESSAGE_ROWS = 50_000, 20_000
MOST_ROWS = {"mail": MESSAGE_ROWS, "text": MESSAGE_ROWS, "image": 1_000_000}
"""Of images only signatures are looked at. Rows of a side that are looked at: training with validation, and test."""
CELLS = 30_000_000
"""Of a wide table so many rows that there are about so many cells, but never fewer than ``FEWEST`` rows."""
FEWEST = 2_000


@dataclass(frozen=True, eq=False)
class Column:
    """One field in the rows of a scene.

    Attributes
    ----------
    name, kind : str
    values : (n,) float64
        Numbers, or codes of categories and texts; NaN where missing.
    """

    name: str
    kind: str
    values: NDArray[np.float64]

    @property
    def ordered(self) -> bool:
        """Whether its values are numbers, and not codes."""
        return self.kind not in ("category", "text")


@dataclass(frozen=True, eq=False)
class Scene:
    """Rows that may be learned from, and after them test rows, of which only the inputs are looked at.

    Attributes
    ----------
    rows : (n,) int64
        Row numbers of the snapshot: ``learn`` of training and validation, then those of test.
    learn : int
    test_labels : bool
        Whether the rows to be learned from are those of test too, because labels of test may be looked at.
    in_all : (int, int)
        How many rows there are to be learned from, and of test.
    columns : list of Column
        Input fields of a table, by name.
    texts : list of (name, cells)
        Texts of a table.
    """

    snapshot: Snapshot
    rows: NDArray[np.int64]
    learn: int
    test_labels: bool
    in_all: tuple[int, int]
    columns: list[Column]
    texts: list[tuple[str, list[bytes | None]]]

    @cached_property
    def side(self) -> NDArray[np.uint8]:
        """Of each row."""
        return self.snapshot.table.side[self.rows]

    @cached_property
    def time(self) -> NDArray[np.float64]:
        """Of each row; NaN where unknown."""
        time = self.snapshot.table.time[self.rows]
        return np.where(time == split.TIME_MISSING, np.nan, time.astype(np.float64))

    @cached_property
    def target(self) -> NDArray[Any]:
        """Codes of labels, or values, of the rows to be learned from."""
        table = self.snapshot.table
        return (table.label if self.snapshot.labels else table.value)[self.rows[: self.learn]]

    @cached_property
    def fold(self) -> NDArray[np.int64]:
        """Of the rows to be learned from."""
        return fold_of(self.snapshot.table.group[self.rows[: self.learn]], FOLDS, 0)

    @property
    def by_time(self) -> bool:
        """Whether the snapshot is split by time."""
        return str(self.snapshot.manifest["split"]["rule"]) == "time"

    @property
    def learnable(self) -> str:
        """Which rows are learned from, for people."""
        sides = "training, validation and test" if self.test_labels else "training and validation"
        return f"{self.learn:,} {sides} rows"

    def keys(self, at: NDArray[np.integer]) -> list[str]:
        """Keys of some rows, as hex digits."""
        return [key.tobytes().hex() for key in self.snapshot.table.key[self.rows[at]]]


def scene(snapshot: Snapshot, test_labels: bool = False) -> Scene:
    """The rows of a snapshot to look at; of many those with the smallest keys, which is as good as drawn."""
    side = snapshot.table.side
    learnable = np.isin(side, (split.TRAIN, split.STOP, split.CALIBRATE, *([split.TEST] if test_labels else [])))
    most = _most(len(snapshot.inputs)) if snapshot.kind == "table" else MOST_ROWS[snapshot.kind]
    learn, test = (_sampled(snapshot, np.flatnonzero(mask), most) for mask in (learnable, side == split.TEST))
    rows = np.concatenate([learn, test])
    columns, texts = _cells(snapshot, rows) if snapshot.kind == "table" else ([], [])
    in_all = (int(learnable.sum()), int((side == split.TEST).sum()))
    return Scene(snapshot, rows, len(learn), test_labels, in_all, columns, texts)


def _most(fields: int) -> int:
    return int(np.clip(CELLS // max(1, fields), FEWEST, TABLE_ROWS))


def _sampled(snapshot: Snapshot, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return rows if len(rows) <= most else rows[sample(snapshot.table.key[rows], most)]


def _cells(snapshot: Snapshot, rows: NDArray[np.int64]) -> tuple[list[Column], list[tuple[str, list[bytes | None]]]]:
    fields = snapshot.inputs
    at, cells = layout(fields), decode(fields, snapshot.content(rows))
    columns = [Column(one.name, one.kind, cells.numbers[:, j]) for j, one in enumerate(at.numbers)]
    columns += [Column(one.name, one.kind, _codes(cells.strings, j)) for j, one in enumerate(at.strings)]
    texts = [(one.name, cells.strings.raw(j)) for j, one in enumerate(at.strings) if one.kind == "text"]
    return sorted(columns, key=lambda column: column.name), texts


def _codes(strings: Strings, column: int) -> NDArray[np.float64]:
    coded = strings.arrow(column).dictionary_encode()
    codes: NDArray[np.float64] = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(codes < 0, np.nan, codes)
