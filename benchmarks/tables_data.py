"""Tables of a benchmark: reading, kinds of columns, and splits that are functions of a seed and the targets alone.

Needs NumPy and pandas only, since the peers read with it in an environment of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TARGET = "target"
SIDE = "side"
TEST_SHARE = 0.2
FEW = 30
"""A target of numbers with more distinct values than this is a regression."""


@dataclass(frozen=True)
class Data:
    """A table, read the way pandas reads a CSV file without being told anything.

    Attributes
    ----------
    name : str
    fields : DataFrame (n, fields)
        Numbers as numbers, all else as ``category``.
    target : (n,) int64 or float64
        Class numbers, or the values of a regression.
    classes : list of str
        In sorted order; empty for a regression.
    """

    name: str
    fields: pd.DataFrame
    target: NDArray[np.int64] | NDArray[np.float64]
    classes: list[str]

    @property
    def task(self) -> str:
        """``binary``, ``classes`` or ``regression``."""
        return {0: "regression", 2: "binary"}.get(len(self.classes), "classes")


@dataclass(frozen=True)
class Half:
    """The training rows or the test rows of a table."""

    fields: pd.DataFrame
    target: NDArray[np.int64] | NDArray[np.float64]


def files(folder: Path) -> list[Path]:
    """The tables of a folder: every ``.csv`` and ``.csv.gz``, by name."""
    return sorted(path for path in folder.iterdir() if path.name.endswith((".csv", ".csv.gz")))


def name_of(path: Path) -> str:
    """A file's name without its endings."""
    return path.name.removesuffix(".gz").removesuffix(".csv")


def read(path: Path) -> Data:
    """Reads a table; ``target`` is the target column."""
    frame = pd.read_csv(path, dtype={TARGET: str})
    if TARGET not in frame.columns:
        raise SystemExit(f"{path.name} has no column {TARGET!r}, only {', '.join(map(str, frame.columns[:20]))}.")
    words = frame.pop(TARGET)
    if words.isna().any():
        raise SystemExit(f"{path.name} has rows without a target; the benchmark expects none.")
    values = pd.to_numeric(words, errors="coerce").to_numpy(np.float64)
    regression = bool(np.isfinite(values).all()) and len(np.unique(values)) > FEW
    classes = [] if regression else sorted(words.unique())
    target = values if regression else np.searchsorted(np.array(classes), words.to_numpy(str))
    return Data(name_of(path), frame, target, classes)


def is_test(data: Data, seed: int) -> NDArray[np.bool_]:
    """Which rows are scored: a fifth of each class, or of each tenth of a regression's targets.

    Within a class the rows stand in the order of a digest of seed and row number, and the first fifth is taken.
    """
    strata = _tenths(data.target) if data.task == "regression" else data.target
    digests = np.array([sha256(f"{seed} {row}".encode()).digest()[:8] for row in range(len(strata))])
    order = np.argsort(digests.view(">u8"), kind="stable")
    chosen = np.zeros(len(strata), dtype=bool)
    for stratum in np.unique(strata):
        rows = order[strata[order] == stratum]
        chosen[rows[: round(TEST_SHARE * len(rows))]] = True
    return chosen


def halves(data: Data, seed: int) -> tuple[Half, Half]:
    """Training rows and test rows; category columns know the training rows' values only, all else is missing."""
    test = is_test(data, seed)
    train, rest = data.fields[~test].reset_index(drop=True), data.fields[test].reset_index(drop=True)
    for name in train.columns:
        if not pd.api.types.is_numeric_dtype(train[name]):
            train[name] = train[name].astype("category")
            known = rest[name].isin(train[name].cat.categories)
            rest[name] = rest[name].where(known).astype(train[name].dtype)
    return Half(train, data.target[~test]), Half(rest, data.target[test])


def write_with_sides(path: Path, data: Data, seed: int, to: Path) -> None:
    """Writes the table as it stands, cell by cell, with a column that says ``train`` or ``test``."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame[SIDE] = np.where(is_test(data, seed), "test", "train")
    frame.to_csv(to, index=False)


def _tenths(values: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.int64]:
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks * 10 // len(values)
