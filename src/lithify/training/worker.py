"""`python -m lithify.training.worker`: a run in a process of its own, with the pins in its environment.

The first line on its standard input is the job; then the input stays open for as long as the caller lives. Messages go
to its standard output. A run of several processes has several of these, of which the first starts the others.

The worker inherits the caller's lock of the run, so the run stays locked until both are gone, and it never outlives the
caller: the system kills it when the caller's thread ends (Linux), and the end of its input does everywhere.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from lithify.caller import ORPHANED, die_with, own_output
from lithify.data.snapshot import open_snapshot
from lithify.progress import Update
from lithify.store.home import open_home
from lithify.training import messages
from lithify.training.collectives import Lost
from lithify.training.follower import follow
from lithify.training.perform import perform, rebuild
from lithify.training.prepare import seconds_per_step
from lithify.training.request import Request
from lithify.training.settings import Settings
from lithify.training.task import Task

_BEREAVED = 1.0
"""Seconds that a process of several leaves to the one that broke the connection, to be noticed first."""


def _perform(task: Task) -> bool:
    return perform(task)


def _rebuild(task: Task) -> str:
    return base64.b64encode(rebuild(task)).decode()


def _time(task: Task) -> float:
    return seconds_per_step(task.home, task.snapshot, task.wanted.recipe, task.settings.alone())


VERBS: dict[str, Callable[[Task], Any]] = {"perform": _perform, "rebuild": _rebuild, "time": _time}


def main() -> int:
    """Does one job; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the session begins there is nothing to keep
    out = own_output()
    job = json.loads(sys.stdin.buffer.readline())
    die_with(job["caller"])
    called = threading.Event()
    threading.Thread(target=_watch_caller, args=(called,), daemon=True).start()
    try:
        task = _task(job, out)
        if job["verb"] == "follow":
            follow(task, job["seat"], called.wait)
        result = VERBS[job["verb"]](task)
    except Lost:
        time.sleep(_BEREAVED)
        return ORPHANED
    except BaseException as error:
        out.write(messages.failure(error))
        return 1
    out.write(messages.line(result=result))
    return 0


def _watch_caller(called: threading.Event) -> None:
    """A line after the job is a call to go on; the end of the input is the caller's end."""
    while sys.stdin.buffer.readline():
        called.set()
    os._exit(ORPHANED)


def _task(job: dict[str, Any], out: BinaryIO) -> Task:
    home = open_home(Path(job["home"]))

    def report(update: Update) -> None:
        out.write(messages.progress(update))

    wanted = Request(**job["wanted"])
    return Task(home, open_snapshot(home, wanted.snapshot), wanted, Settings(**job["settings"]), report)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the thread that waits for the caller would hold the interpreter up
