"""Who computes the grains of a step: threads here, several processes in :mod:`lithify.training.processes`.

A thread takes a whole aligned subtree (see :mod:`lithify.learners.grains`), so how many threads there are decides who
adds, never what is added to what.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from types import TracebackType
from typing import Protocol, Self

from lithify.data.batches import TrainingData
from lithify.data.state import State
from lithify.learners.base import Learner, Partial
from lithify.learners.grains import add, subtree


class Stopped(Exception):
    """A step was given up because the session has to end; its work is thrown away."""


class Executor(Protocol):
    """Computes a training from its first state on; which one it is decides no bit."""

    def begin(self, learner: Learner, data: TrainingData, stage: int, step: int, state: State | None) -> State:
        """Where a stage of the plan begins: at a step and its state, or without a state at the learner's first."""

    def step(self, learner: Learner, state: State, data: TrainingData, step: int) -> State:
        """The state after one step."""

    def end(self, learner: Learner, state: State, step: int) -> None:
        """Called with the last state of a stage, before it is finished."""

    def close(self) -> None:
        """Called after the last stage."""


class Threads:
    """Grain threads of one process.

    Parameters
    ----------
    threads : int
        How many; the bits of a result do not depend on it.
    stop : threading.Event
        Once set, steps raise :class:`Stopped` before their next grain.
    """

    def __init__(self, threads: int, stop: threading.Event) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="grain") if threads > 1 else None
        self._threads = threads
        self._stop = stop

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, learner: Learner, data: TrainingData, stage: int, step: int, state: State | None) -> State:
        """The state that was given, or the learner's first."""
        return learner.start(data) if state is None else state

    def step(self, learner: Learner, state: State, data: TrainingData, step: int) -> State:
        """The state after one step."""
        learner.enter_thread()
        return learner.apply(state, data, step, self.share(learner, state, data, step, 0, data.grains))

    def end(self, learner: Learner, state: State, step: int) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Nothing is held but the threads."""

    def share(self, learner: Learner, state: State, data: TrainingData, step: int, first: int, width: int) -> Partial:
        """The sum over an aligned subtree of the grains of a step; ``width`` is a power of two."""

        def grain(number: int) -> Partial:
            learner.enter_thread()
            return learner.grain(state, data, step, first + number)

        return self.total(grain, width)

    def total(self, grain: Callable[[int], Partial], grains: int) -> Partial:
        """The sum over ``grain(0) ... grain(grains - 1)``; ``grains`` is a power of two."""
        unless_stopped = self._unless_stopped(grain)
        if self._pool is None or grains == 1:
            return subtree(unless_stopped, 0, grains)
        width = max(1, grains // _next_power_of_two(4 * self._threads))
        futures = [self._pool.submit(subtree, unless_stopped, first, width) for first in range(0, grains, width)]
        try:
            parts = [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
            wait(futures)  # nothing of a step goes on behind the back of whoever gave it up
        while len(parts) > 1:
            parts = [add(left, right) for left, right in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def _unless_stopped(self, grain: Callable[[int], Partial]) -> Callable[[int], Partial]:
        def checked(number: int) -> Partial:
            if self._stop.is_set():
                raise Stopped
            return grain(number)

        return checked


def never() -> threading.Event:
    """A stop that nobody sets."""
    return threading.Event()


def _next_power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()
