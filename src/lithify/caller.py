"""A process that works for another: it ends when that one does, and keeps its standard output for messages."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import BinaryIO

ORPHANED = 75
"""Exit status of a process whose caller is gone."""
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, see prctl(2)


def die_with(caller: int, leave: Callable[[int], None] = os._exit) -> None:
    """Asks the system to kill this process when the thread that started it ends (Linux); leaves if that has happened.

    Elsewhere the end of its standard input has to tell it.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != caller:
        leave(ORPHANED)


def own_output() -> BinaryIO:
    """Standard output for messages alone; whatever else prints goes to standard error."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return out
