"""Several processes for one run: the worker is process 0, starts the others and ends them.

The others are processes like the worker. They open the same home and snapshot, prepare the same data once process 0
has (so that what can be cached is), are given the state and go in lockstep (:mod:`lithify.training.lockstep`). Nothing
of a run is theirs alone: process 0 writes the checkpoints, hears the signals and may end the others anywhere. One that
goes by itself ends the session, and the next one may have any number of processes.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from lithify.data.batches import TrainingData
from lithify.data.state import State
from lithify.errors import LithifyError, SessionEnded
from lithify.learners.base import Learner
from lithify.training import collectives, messages
from lithify.training.collectives import Group, Lost
from lithify.training.executor import Executor, Stopped, Threads
from lithify.training.lockstep import Lockstep
from lithify.training.session import Session
from lithify.training.task import COMMAND, Task, environment, job

_VERDICT = 5.0
"""Seconds between a connection that breaks and the news that its process is gone."""


@contextlib.contextmanager
def executor(task: Task, session: Session) -> Iterator[Executor]:
    """Threads of this process, or as many processes as the settings say, but no more than there are grains."""
    size = min(task.settings.count_processes(), int(task.wanted.recipe["grains"]))
    with Threads(task.settings.count_threads(), session.stop) as threads:
        if size == 1:
            yield threads
        else:
            with Processes(task, session, threads, size) as processes:
                yield processes


class Processes:
    """The executor of process 0; the others run while the context is open.

    Raises ``Stopped`` from every method once the session has to end, also because one of the others is gone.
    """

    def __init__(self, task: Task, session: Session, threads: Threads, size: int) -> None:
        collectives.check_available()
        self._task, self._session, self._threads, self._size = task, session, threads, size
        self._meeting = task.home.cache / f"meeting-{secrets.token_hex(8)}"
        self._others: list[subprocess.Popen[bytes]] = []
        self._group: Group | None = None
        self._lockstep: Lockstep | None = None
        self._closing = False

    def __enter__(self) -> Self:
        try:
            for rank in range(1, self._size):
                self._others.append(self._start(rank))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin(self, learner: Learner, data: TrainingData, stage: int, step: int, state: State | None) -> State:
        """See :class:`Executor`; the first call lets the others prepare, and waits for them."""
        with self._together():
            if self._lockstep is None:
                self._lockstep = self._connect()
            return self._lockstep.begin(learner, data, stage, step, state)

    def step(self, learner: Learner, state: State, data: TrainingData, step: int) -> State:
        """See :class:`Executor`."""
        assert self._lockstep is not None
        with self._together():
            return self._lockstep.step(learner, state, data, step)

    def end(self, learner: Learner, state: State, step: int) -> None:
        """See :class:`Executor`."""
        assert self._lockstep is not None
        with self._together():
            self._lockstep.end(learner, state, step)

    def close(self) -> None:
        """Ends the others, which hold nothing that is not here too."""
        self._closing = True
        for process in self._others:
            process.kill()
        for process in self._others:
            process.wait()
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
        self._others.clear()
        self._meeting.unlink(missing_ok=True)
        if self._group is not None:
            self._group.close()

    def _start(self, rank: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what counts comes as a message
            env=environment(collectives.ENVIRONMENT),
        )
        seat = {"rank": rank, "size": self._size, "meeting": str(self._meeting)}
        _tell(process, job("follow", self._task, seat=seat))
        threading.Thread(target=self._watch, args=(rank, process), daemon=True).start()
        return process

    def _watch(self, rank: int, process: subprocess.Popen[bytes]) -> None:
        """Ends the session when a process fails or is gone; runs in a thread."""
        assert process.stdout is not None
        with process.stdout as said:
            errors = [json.loads(line)["error"] for line in said]
        status = process.wait()
        if self._closing:
            return
        if errors:
            self._session.abort(messages.error_of(errors[0]))
        else:
            self._session.abort(self._gone(f"Process {rank} of this run is gone with status {status}."))

    def _connect(self) -> Lockstep:
        for process in self._others:
            _tell(process, b"prepare\n")
        self._group = Group(self._meeting, 0, self._size, self._unless_stopped)
        return Lockstep(self._threads, self._group)

    def _unless_stopped(self) -> None:
        if self._session.stop.is_set():
            raise Stopped

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """Inside, a broken connection ends the session, for the reason that the broken process gives."""
        try:
            yield
        except Lost:
            if not self._session.stop.wait(_VERDICT):
                self._session.abort(self._gone("The connection between the processes of this run broke."))
            raise Stopped from None

    def _gone(self, what: str) -> LithifyError:
        return SessionEnded(self._task.wanted.key, what, hint="Run the same command again to go on.")


def _tell(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it is gone, which is noticed elsewhere
        process.stdin.write(line)
        process.stdin.flush()
