"""Tiny made-up pictures, and the smallest recipe of a network that learns them in several steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lithify.data.open import open_source
from lithify.data.params import read
from lithify.data.snapshotting import snapshot
from lithify.learners.network.network import Network
from lithify.store.home import Home, open_home

from .. import imaging

NETWORK: dict[str, Any] = {
    "width": 0.5, "depth": 1, "batch": 32, "epochs": 2.0, "views": 2, "shift": 1,
    "device": "cpu", "precision": "fp32", "convolutions": "winograd",
}  # fmt: skip
NAME = "pictures"


def arrays(rows: int = 32) -> tuple[np.ndarray, list[str]]:
    """So many pictures of each label, 16 x 16 in colour."""
    labels = [label for label in imaging.LABELS for _ in range(rows)]
    return np.stack([imaging.picture(label, n % rows, side=16) for n, label in enumerate(labels)]), labels


def freeze(home: Home, **more: Any) -> Any:
    """A snapshot of them."""
    return snapshot(open_source(arrays(**more)), home, name=NAME)


def make(folder: Path) -> Path:
    """A home with that snapshot and no more."""
    home = open_home(folder)
    freeze(home)
    home.catalog.close()
    return folder


def recipe(**changed: Any) -> dict[str, Any]:
    """The smallest recipe."""
    return {"learner": "network", "grains": 4, "network": {**NETWORK, **changed}}


def needs() -> dict[str, str]:
    """The environment that a process needs to train it by itself."""
    return dict(Network.needs(read(Network.Params, NETWORK)))
