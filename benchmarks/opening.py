"""How long opening a sealed model takes, in a process that has opened one before; used by ``mail_speed``."""

from __future__ import annotations

import json
import sys
import time

from benchmarks.processes import facts
from lithify.model.model import open_model


def main() -> None:
    """Facts given: ``model``, ``repeats``."""
    told = facts()
    taken = []
    for _ in range(told["repeats"] + 1):
        began = time.perf_counter()
        open_model(told["model"])
        taken.append(1000 * (time.perf_counter() - began))
    json.dump({"milliseconds": taken[1:]}, sys.stdout)


if __name__ == "__main__":
    main()
