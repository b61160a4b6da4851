"""What checkpoints cost a training: the processor time of their writer beside that of everything; prints JSON.

Used by ``mail_speed``. Two trainings, one with checkpoints and one without, differ by far more than checkpoints cost on
shared cores; the time the writer's thread takes can be read off exactly.
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
from lithify.store.home import open_home
from lithify.training import run
from lithify.training.checkpoint import Checkpoint, Checkpoints


class Writer:
    """Adds up the processor time that writing checkpoints takes, and their number and size."""

    def __init__(self) -> None:
        self.seconds, self.written, self.bytes = 0.0, 0, 0
        plain = Checkpoints._write

        def write(checkpoints: Checkpoints, checkpoint: Checkpoint) -> float:
            began = time.thread_time()
            took = plain(checkpoints, checkpoint)
            self.seconds += time.thread_time() - began
            self.written += 1
            self.bytes = sum(array.nbytes for array in checkpoint.arrays.values())
            return took

        Checkpoints._write = write  # type: ignore[method-assign]


class Clock:
    """Processor time from the first word on the training to the first on the sealing."""

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
    found = []
    writer = Writer()
    for seed in range(told["repeats"]):  # the seed changes the run's name and none of its work
        wanted = recipe.parse({"seed": seed, "folds": 0, "linear": {"steps": told["steps"], "tolerance": 0.0}})
        before, clock = writer.seconds, Clock()
        run.train(home, frozen, wanted, source=f"seed {seed}", report=clock.hear)
        found.append((writer.seconds - before, clock.ended - clock.began))
    json.dump({"found": found, "written": writer.written, "bytes": writer.bytes}, sys.stdout)


if __name__ == "__main__":
    main()
