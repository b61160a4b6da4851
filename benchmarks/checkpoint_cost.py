"""What checkpoints cost: the same training with and without them, in turns; prints JSON. Used by ``mail_speed``.

Every training has its own seed, which changes its name and none of its work, so each is a run of its own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import facts
from lithify import recipe
from lithify.data.open import open_source
from lithify.data.snapshotting import snapshot
from lithify.store.home import Home, open_home
from lithify.training import run
from lithify.training.checkpoint import Checkpoint, Checkpoints

NEVER = 2**62


class Counter:
    """Counts the checkpoints handed over to the writer, and their size."""

    def __init__(self) -> None:
        self.written, self.bytes = 0, 0
        plain = Checkpoints.save

        def save(checkpoints: Checkpoints, checkpoint: Checkpoint) -> None:
            self.written += 1
            self.bytes = sum(array.nbytes for array in checkpoint.arrays.values())
            plain(checkpoints, checkpoint)

        Checkpoints.save = save  # type: ignore[method-assign]


class Clock:
    """Seconds of processor time from the first word on the training to the first on the sealing.

    Writing goes on beside the training, so what it costs is processor time; wall time on two shared cores drowns it.
    """

    def __init__(self) -> None:
        self.began = self.ended = 0.0

    def hear(self, update: Any) -> None:
        """Follows what the library reports."""
        if update.stage == "training" and not self.began:
            self.began = time.process_time()
        if update.stage == "sealing" and not self.ended:
            self.ended = time.process_time()


def main() -> None:
    """Facts given: ``archive``, ``home``, ``repeats``, ``steps``."""
    told = facts()
    home = open_home(Path(told["home"]))
    frozen = snapshot(open_source(told["archive"]), home)
    counter = Counter()
    pairs: list[tuple[float, float]] = []
    _train(home, frozen, 0, 2, NEVER)
    for number in range(told["repeats"]):
        order = (None, NEVER) if number % 2 == 0 else (NEVER, None)
        seconds = {
            every: _train(home, frozen, 2 * number + i + 1, told["steps"], every) for i, every in enumerate(order)
        }
        pairs.append((seconds[None], seconds[NEVER]))
    json.dump({"pairs": pairs, "written": counter.written, "bytes": counter.bytes}, sys.stdout)


def _train(home: Home, frozen: Any, seed: int, steps: int, every: int | None) -> float:
    clock = Clock()
    wanted = recipe.parse({"seed": seed, "folds": 0, "linear": {"steps": steps, "tolerance": 0.0}})
    settings = run.Settings(checkpoint_every=every)
    run.train(home, frozen, wanted, source=f"seed {seed}", settings=settings, report=clock.hear)
    return clock.ended - clock.began


if __name__ == "__main__":
    main()
