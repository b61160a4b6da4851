"""How to run, none of which changes a bit of the result."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lithify.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """How to run.

    Attributes
    ----------
    threads : int or None
        Grain threads; None for as many as there are cores.
    session : float or None
        Seconds after which to stop cleanly.
    checkpoint_every : int or None
        Steps between checkpoints; None to go by time.
    worker : bool
        Whether to run in a process of its own even where the learner needs no pins.

    Examples
    --------
    >>> Settings(threads=0)
    Traceback (most recent call last):
    lithify.errors.UsageError: threads must be more than 0. Found: 0.
    """

    threads: int | None = None
    session: float | None = None
    checkpoint_every: int | None = None
    worker: bool = False

    def __post_init__(self) -> None:
        for name in ("threads", "session", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} must be more than 0.", found=str(value))

    def count_threads(self) -> int:
        """The threads to use: as many as asked for, else the cores this process may use."""
        return self.threads or cores()


AS_IT_COMES = Settings()
"""All cores, no limit, checkpoints by time."""


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
