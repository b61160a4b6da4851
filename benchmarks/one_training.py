"""One training from archive to sealed model in this process, timed by phases; prints JSON. Used by ``mail_speed``."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.processes import facts

PHASES = ("load", "open", "read", "group", "write", "features", "model", "folds", "seal")
_STAGES = {"reading": "read", "grouping": "group", "writing": "write", "extracting": "features", "sealing": "seal"}


class Stopwatch:
    """Seconds by phase; a phase lasts until the next one begins."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._phase, self._since = "", 0.0

    def enter(self, phase: str) -> None:
        """Ends the phase that runs, and begins another; an empty name begins none."""
        now = time.perf_counter()
        if self._phase:
            self.seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now

    def hear(self, update: Any) -> None:
        """Follows what the library reports."""
        if update.note and update.stage in _STAGES:
            self.enter(_STAGES[update.stage])


def main() -> None:
    """Trains as told by the facts given: ``archive``, ``home``, and ``copy``, where to write the model file."""
    told = facts()
    watch = Stopwatch()
    watch.enter("load")
    from pathlib import Path

    from lithify import recipe
    from lithify.data.open import open_source
    from lithify.data.snapshotting import snapshot
    from lithify.store.home import open_home
    from lithify.training import run

    _follow_learner(watch)
    watch.enter("open")
    source = open_source(told["archive"])
    home = open_home(Path(told["home"]))
    frozen = snapshot(source, home, report=watch.hear)
    wanted = recipe.parse(told.get("recipe", {}))
    model = run.train(home, frozen, wanted, source=told["archive"], report=watch.hear).model
    watch.enter("")
    if "copy" in told:
        Path(told["copy"]).write_bytes(model.data)
    document = {"seconds": watch.seconds, "rows": len(frozen), "bytes": len(model.data), "digest": model.digest}
    json.dump(document, sys.stdout)


def _follow_learner(watch: Stopwatch) -> None:
    """The first stage that the learner starts is the model, the others are the folds."""
    from lithify.learners.linear.linear import Linear

    plain = Linear.start
    begun: list[None] = []

    def start(self: Any, data: Any) -> Any:
        begun.append(None)
        watch.enter("model" if len(begun) == 1 else "folds")
        return plain(self, data)

    Linear.start = start  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
