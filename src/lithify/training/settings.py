"""How to run, none of which changes a bit of the result."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from lithify.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """How to run.

    Attributes
    ----------
    threads : int or None
        Grain threads of each process; None for as many as there are cores for each.
    session : float or None
        Seconds after which to stop cleanly.
    checkpoint_every : int or None
        Steps between checkpoints; None to go by time.
    processes : int or None
        Processes that share the grains of a step; None for one.
    cache_limit : int or None
        Bytes that decoded images may take in the cache; None to go by what is free.
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
    processes: int | None = None
    cache_limit: int | None = None
    worker: bool = False

    def __post_init__(self) -> None:
        for name in ("threads", "session", "checkpoint_every", "processes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} must be more than 0.", found=str(value))
        if self.cache_limit is not None and self.cache_limit < 0:
            raise UsageError("cache_limit must be 0 or more.", found=str(self.cache_limit))

    def count_threads(self) -> int:
        """The threads of a process: as many as asked for, else its share of the cores this one may use."""
        return self.threads or max(1, cores() // self.count_processes())

    def count_processes(self) -> int:
        """The processes to use."""
        return self.processes or 1

    def alone(self) -> Settings:
        """The same work in one process, on as many threads as all processes have together."""
        threads = self.count_processes() * self.count_threads()
        return self if self.count_processes() == 1 else replace(self, processes=None, threads=threads)


AS_IT_COMES = Settings()
"""All cores, no limit, checkpoints by time."""


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
