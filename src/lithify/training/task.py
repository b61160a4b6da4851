"""A run to be performed, here or in a process that is started for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from lithify.data.snapshot import Snapshot
from lithify.progress import Reporter, silent
from lithify.store.home import Home
from lithify.training import messages
from lithify.training.request import Request
from lithify.training.settings import Settings

COMMAND = (sys.executable, "-P", "-m", "lithify.training.worker")
"""Starts a process that does the job on its standard input."""


@dataclass(frozen=True)
class Task:
    """A run to be performed, and how."""

    home: Home
    snapshot: Snapshot
    wanted: Request
    settings: Settings
    report: Reporter = silent


def job(verb: str, task: Task, **more: Any) -> bytes:
    """The line that tells a process of :data:`COMMAND`, started by this one, what to do."""
    return messages.line(
        verb=verb,
        caller=os.getpid(),
        home=str(task.home.path),
        wanted=asdict(task.wanted),
        settings=asdict(replace(task.settings, worker=False)),
        **more,
    )


def environment(pins: Mapping[str, str]) -> dict[str, str]:
    """The environment of such a process: this one's with the pins, and with the same path to look for modules on."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {**os.environ, "PYTHONPATH": path, **pins}
