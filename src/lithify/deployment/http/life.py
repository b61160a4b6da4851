"""Processes that end with the one that started them, and the environment they are started in."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from lithify.caller import ORPHANED, die_with

PINS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
"""Each process computes by one thread: there are as many processes as cores."""
MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),
}
"""What glibc gives back at once, see mallopt(3); left alone one large request teaches it to keep 64 MiB for more."""


def environment() -> dict[str, str]:
    """The environment of this process with the pins, and with the same path to look for modules on.

    What it says of :data:`MEMORY` itself stays.
    """
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {**MEMORY, **os.environ, "PYTHONPATH": path, **PINS}


def live_with(caller: int, stdin: BinaryIO, leave: Callable[[int], None] = os._exit) -> None:
    """Ends this process when the one that started it ends, whatever way.

    The end of its standard input, which the caller keeps open for nothing else, tells it where the system does not.
    """
    die_with(caller, leave)

    def watch() -> None:
        while stdin.read(1):
            pass
        leave(ORPHANED)

    threading.Thread(target=watch, name="lithify-caller", daemon=True).start()
