"""What a run computes: one training on all training rows, and one for each fold whose scores help to set a cut-off."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.data import split
from lithify.data.snapshot import Snapshot

MODEL = "model"
"""The stage whose state is sealed."""


@dataclass(frozen=True)
class Stage:
    """One training from its first step to its last.

    Attributes
    ----------
    name : str
        ``model`` or ``fold K``.
    train : (m,) int64
        Row numbers (of the snapshot) to learn from.
    score : (s,) int64
        Row numbers, disjoint from ``train`` and from its near-duplicates, whose raw scores are kept; empty for the
        model itself.
    """

    name: str
    train: NDArray[np.int64]
    score: NDArray[np.int64]


def plan(snapshot: Snapshot, folds: int) -> list[Stage]:
    """The stages of a run.

    In a split by time the folds are chained forward: fold K learns from the oldest K parts and scores the next one,
    as the model will have to. Otherwise each fold scores one part by the digest of its groups and learns from the
    others.
    """
    table = snapshot.table
    train = np.flatnonzero(np.isin(table.side, (split.TRAIN, split.STOP)))
    none = np.zeros(0, dtype=np.int64)
    stages = [Stage(MODEL, train, none)]
    if folds < 1:
        return stages
    forward = snapshot.manifest["split"]["rule"] == "time"
    part = _by_time(snapshot, train, folds + 1) if forward else _by_group(snapshot, train, max(folds, 2))
    for number in range(1, folds + 1) if forward else range(max(folds, 2)):
        learn = train[part < number] if forward else train[part != number]
        score = train[part == number]
        if forward:
            score = score[~np.isin(table.group[score], table.group[learn])]
        if len(score) and len(np.unique(table.label[learn])) >= len(snapshot.labels):
            stages.append(Stage(f"fold {len(stages)}", learn, score))
    return stages


def _by_time(snapshot: Snapshot, rows: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Parts of equal size in the order of time; rows without a time are in the oldest."""
    order = np.argsort(snapshot.table.time[rows], kind="stable")
    part = np.empty(len(rows), dtype=np.int64)
    part[order] = np.arange(len(rows)) * parts // max(1, len(rows))
    return part


def _by_group(snapshot: Snapshot, rows: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    group, member = np.unique(snapshot.table.group[rows], return_inverse=True)
    digests = (hashlib.sha256(b"fold" + key.tobytes()).digest() for key in snapshot.table.key[group])
    part = np.fromiter((int.from_bytes(digest[:8], "big") % parts for digest in digests), np.int64, len(group))
    return part[member]
