"""Starts a worker, passes on its progress and its errors, and sees to its end."""

from __future__ import annotations

import base64
import contextlib
import json
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from lithify import engines
from lithify import recipe as recipes
from lithify.errors import RunError, SessionEnded
from lithify.learners.registry import learner
from lithify.store.lock import Lock
from lithify.training import collectives, messages
from lithify.training.task import COMMAND, Task, environment, job

_PATIENCE = 10.0
"""Seconds a worker that was told to go has for going."""


def needed(task: Task) -> bool:
    """Whether a task belongs in a worker: that or several were asked for, or it needs pins that this process lacks."""
    several = task.settings.count_processes() > 1
    return task.settings.worker or several or not engines.pinned(_pins(task))


def perform(task: Task, lock: Lock) -> bool:
    """:func:`lithify.training.perform.perform` in a worker that holds the lock too."""
    return bool(_call("perform", task, lock))


def rebuild(task: Task) -> bytes:
    """:func:`lithify.training.perform.rebuild` in a worker."""
    return base64.b64decode(_call("rebuild", task))


def seconds_per_step(task: Task) -> float:
    """:func:`lithify.training.prepare.seconds_per_step` in a worker."""
    return float(_call("time", task))


def _pins(task: Task) -> Mapping[str, str]:
    recipe = task.wanted.recipe
    learns = learner(recipe["learner"])
    return learns.needs(recipes.params_of(learns.Params, recipe["params"], recipe["learner"]))


def _call(verb: str, task: Task, lock: Lock | None = None) -> Any:
    pins = dict(_pins(task))
    if task.settings.count_processes() > 1:
        collectives.check_available()
        pins |= collectives.ENVIRONMENT
    with _worker(pins, lock) as process, _passing_on(process) as passed:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(job(verb, task))
            process.stdin.flush()
        for line in process.stdout:
            message = json.loads(line)
            if "update" in message:
                task.report(messages.update_of(message["update"]))
            elif "error" in message:
                raise messages.error_of(message["error"])
            else:
                return message["result"]
        status = process.wait()
    if passed:
        raise SessionEnded(task.wanted.key, f"Stopped by {passed[0]}.", hint="Run the same command again to go on.")
    raise RunError("The worker of this run is gone.", found=f"status {status}", hint="Run again to go on.")


@contextlib.contextmanager
def _worker(pins: Mapping[str, str], lock: Lock | None) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of this interpreter and its path; gone when the context is left, however it is left.

    It is the head of a process group of its own, so that a Ctrl-C reaches it once, through the caller.
    """
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(pins),
        pass_fds=[] if lock is None else [lock.fileno()],
        process_group=0,
    )
    with process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(OSError):
                process.stdin.close()  # the end of its input ends the worker
            process.stdout.close()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def _passing_on(process: subprocess.Popen[bytes]) -> Iterator[list[str]]:
    """Inside, SIGINT and SIGTERM go to the worker, a second one to the handler that was there before as well."""
    passed: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield passed
        return

    def pass_on(number: int, frame: FrameType | None) -> None:
        passed.append(signal.Signals(number).name)
        process.send_signal(number)
        signal.signal(number, before[number])

    before: dict[int, Any] = {}
    for wanted in (signal.SIGINT, signal.SIGTERM):
        before[wanted] = signal.signal(wanted, pass_on)
    try:
        yield passed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
