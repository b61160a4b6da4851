"""The splits: which rows are learned from and which are scored, as functions of content, label and time alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.corpus import Corpus, coin

Rows = NDArray[np.int64]
FOLDS = 5


@dataclass(frozen=True)
class Part:
    """One training and the rows that it is judged by."""

    train: Rows
    test: Rows


@dataclass(frozen=True)
class Cut:
    """A split: one part, or several whose test rows are judged together."""

    name: str
    parts: tuple[Part, ...]

    @property
    def test(self) -> Rows:
        """Every row that is scored, in the order of the parts."""
        return np.concatenate([part.test for part in self.parts])


def all_cuts(corpus: Corpus, group: Rows) -> list[Cut]:
    """The three splits, and variants of the last one that show what its figures depend on."""
    return [
        random(corpus, 0.6),
        grouped(corpus, group),
        by_time(corpus, 0.6),
        by_time_per_label(corpus, 0.6),
        by_time(corpus, 0.7),
        by_time(corpus, 0.8),
    ]


def random(corpus: Corpus, share: float) -> Cut:
    """Stratified by label, by the digest of each row's key. Copies straddle it, so it flatters everybody."""
    order = np.array(sorted(range(len(corpus)), key=lambda row: coin("random", corpus.key[row])), dtype=np.int64)
    return Cut(f"random {_percent(share)}", (_first_of_each_label(corpus, order, share),))


def grouped(corpus: Corpus, group: Rows) -> Cut:
    """Five folds; near-duplicates are in one fold, the labels are spread evenly."""
    fold_of: dict[int, int] = {}
    sizes = np.bincount(group, minlength=len(corpus))
    for label in (0, 1):
        roots = [int(root) for root in np.unique(group) if corpus.spam[root] == label]
        filled = [0] * FOLDS
        for root in sorted(roots, key=lambda root: (-sizes[root], coin("fold", corpus.key[root]))):
            fold_of[root] = filled.index(min(filled))
            filled[fold_of[root]] += int(sizes[root])
    fold = np.array([fold_of[root] for root in group.tolist()])
    parts = (Part(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(FOLDS))
    return Cut(f"grouped, {FOLDS} folds", tuple(parts))


def by_time(corpus: Corpus, share: float) -> Cut:
    """The oldest share of all rows is learned from."""
    order = _oldest_first(corpus)
    cut = int(share * len(order))
    return Cut(f"by time {_percent(share)}", (Part(order[:cut], order[cut:]),))


def by_time_per_label(corpus: Corpus, share: float) -> Cut:
    """The oldest share of ham and the oldest share of spam: both sides hold both labels in the same proportion."""
    return Cut(f"by time {_percent(share)}, per label", (_first_of_each_label(corpus, _oldest_first(corpus), share),))


def without_copies(part: Part, group: Rows) -> NDArray[np.bool_]:
    """Which test rows have no near-duplicate among the training rows."""
    return ~np.isin(group[part.test], group[part.train])


def _oldest_first(corpus: Corpus) -> Rows:
    return np.lexsort((np.arange(len(corpus)), corpus.time))


def _first_of_each_label(corpus: Corpus, order: Rows, share: float) -> Part:
    train: list[Rows] = []
    test: list[Rows] = []
    for label in (0, 1):
        rows = order[corpus.spam[order] == label]
        cut = int(share * len(rows))
        train.append(rows[:cut])
        test.append(rows[cut:])
    return Part(_joined(train), _joined(test))


def _joined(rows: Sequence[Rows]) -> Rows:
    return np.sort(np.concatenate(rows))


def _percent(share: float) -> str:
    return f"{round(100 * share)}/{100 - round(100 * share)}"
