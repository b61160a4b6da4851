"""What each of two models costs: time for one row, measured side by side, and bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from lithify.evaluation.comparison.reading import Reader
from lithify.evaluation.faces import Model

MOST_ROWS = 200
_ENOUGH = 5.0  # seconds
_FEWEST = 10


@dataclass(frozen=True)
class Cost:
    """One quantity of both models; ``times`` is the challenger's as a multiple of the champion's."""

    champion: float
    challenger: float

    @property
    def times(self) -> float:
        """How many times the champion's the challenger's is."""
        return self.challenger / self.champion if self.champion > 0.0 else 1.0


def latency(
    models: tuple[Model, Model],
    reads: tuple[Reader, Reader],
    contents: Sequence[bytes],
    clock: Callable[[], float] = time.perf_counter,
) -> Cost:
    """Median seconds that each model takes for one row alone, on this machine.

    Both judge the same rows by turns, first one and then the other, so that whatever else the machine does meanwhile
    slows both alike. The first row is judged once before and not counted. Some rows are enough where they are slow.
    """
    judge = [
        (model.draft, [read([content])[0] for content in contents]) for model, read in zip(models, reads, strict=True)
    ]
    for draft, own in judge:
        draft.raw(own[:1])
    spent: tuple[list[float], list[float]] = ([], [])
    began = clock()
    for row in range(len(contents)):
        for which in (0, 1) if row % 2 == 0 else (1, 0):
            draft, own = judge[which]
            start = clock()
            draft.raw(own[row : row + 1])
            spent[which].append(clock() - start)
        if row >= _FEWEST and clock() - began > _ENOUGH:
            break
    return Cost(median(spent[0]), median(spent[1]))
