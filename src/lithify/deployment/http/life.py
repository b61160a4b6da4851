"""Processes that end with the one that started them, and the environment they are started in."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

ORPHANED = 75
PINS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
"""Each process computes by one thread: there are as many processes as cores."""
MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),
}
"""What glibc gives back at once, see mallopt(3); left alone one large request teaches it to keep 64 MiB for more."""
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, see prctl(2)


def environment() -> dict[str, str]:
    """The environment of this process with the pins, and with the same path to look for modules on.

    What it says of :data:`MEMORY` itself stays.
    """
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {**MEMORY, **os.environ, "PYTHONPATH": path, **PINS}


def die_with(caller: int, stdin: BinaryIO, leave: Callable[[int], None] = os._exit) -> None:
    """Ends this process when the one that started it ends, whatever way.

    The system kills it when the thread that started it ends (Linux); the end of its standard input, which the caller
    keeps open for nothing else, tells it everywhere.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != caller:
        leave(ORPHANED)

    def watch() -> None:
        while stdin.read(1):
            pass
        leave(ORPHANED)

    threading.Thread(target=watch, name="lithify-caller", daemon=True).start()


def own_output() -> BinaryIO:
    """Standard output for messages alone; whatever else prints goes to standard error."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return out
