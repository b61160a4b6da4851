"""How many rows a model calls unlike anything it was trained on: of those evaluated, and of unknown ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify import metrics, novelty
from lithify.evaluation.faces import Model


@dataclass(frozen=True)
class Called:
    """Rows of one kind, and how many of them are called unusual at a level, with the 95 % interval (Wilson)."""

    what: str
    level: float
    rows: int
    called: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Unusual:
    """Shares called unusual.

    Attributes
    ----------
    found : tuple of Called
        Of the evaluated rows, at each level; about the level itself where they are like those calibrated with.
    sealed : tuple of Called
        Of made-up unknown pictures of each kind, as it was measured when the model was sealed.
    """

    found: tuple[Called, ...]
    sealed: tuple[Called, ...]


def unusual_of(model: Model, values: NDArray[np.float64]) -> Unusual:
    """What a novelty (n,) of the evaluated rows and the model's card say."""
    found = (_called("these rows", level, len(values), int((values >= 1.0 - level).sum())) for level in novelty.LEVELS)
    sealed = model.card["test"].get("novelty")
    if sealed is None:
        return Unusual(tuple(found), ())
    made = int(sealed["made"])
    unknown = (
        _called(kind, level, made, round(share * made))
        for kind, shares in sealed["unknown"].items()
        for level, share in zip(sealed["levels"], shares, strict=True)
    )
    return Unusual(tuple(found), tuple(unknown))


def table(found: Unusual) -> list[tuple[str, int, list[Called]]]:
    """By kind of rows: how many, and what is called so at each level; the evaluated rows first."""
    kinds: dict[str, list[Called]] = {}
    for each in (*found.found, *found.sealed):
        kinds.setdefault(each.what, []).append(each)
    return [(what, several[0].rows, several) for what, several in kinds.items()]


def _called(what: str, level: float, rows: int, called: int) -> Called:
    low, high = metrics.wilson(called, rows)
    return Called(what, level, rows, called, called / max(1, rows), low, high)
