"""The learning curve of an unfinished run, read from its newest checkpoint without touching it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithify.errors import LithifyError
from lithify.store import container
from lithify.training.checkpoint import KIND

NAME = "history"
"""The array of a learner's state that holds its curve: rows of step, loss and accuracy; a fourth column says how many
steps each row stands for, 0 where it was not reached yet."""
_COLUMNS = ("step", "loss", "accuracy")


class Point(NamedTuple):
    """Loss and accuracy at a step; None where the learner has no such figure there."""

    step: int
    loss: float | None
    accuracy: float | None


def history(folder: Path, run: str) -> list[Point]:
    """The curve in the newest whole checkpoint of a run; empty where there is none.

    A session may be going on in the folder: nothing in it is changed, and a checkpoint that is gone is passed over.
    """
    for path in sorted(folder.glob("*.checkpoint"), reverse=True):
        try:
            opened = container.open_file(path, KIND)
        except LithifyError:
            continue
        if opened.meta.get("run") == run:
            return curve(opened.tensors)
    return []


def curve(arrays: Mapping[str, NDArray[Any]]) -> list[Point]:
    """The points of the stage that a checkpoint is in, or of the model where that is finished."""
    found = arrays.get(f"current/{NAME}", arrays.get(f"finished/model/{NAME}"))
    if found is None or found.ndim != 2 or found.shape[1] < len(_COLUMNS) or found.dtype.kind != "f":
        return []
    reached = found if found.shape[1] == len(_COLUMNS) else found[found[:, len(_COLUMNS)] > 0]
    return [
        Point(int(step), *(float(value) if np.isfinite(value) else None for value in (loss, accuracy)))
        for step, loss, accuracy in reached[:, : len(_COLUMNS)].astype(np.float64)
        if np.isfinite(step)
    ]
