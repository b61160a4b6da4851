"""A process of a run other than its first: prepares the same data, is given the state, and goes in lockstep."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from lithify.progress import silent
from lithify.training import stages
from lithify.training.collectives import Group
from lithify.training.executor import Threads
from lithify.training.lockstep import Lockstep
from lithify.training.plan import plan
from lithify.training.prepare import prepare
from lithify.training.session import Session
from lithify.training.task import Task


def follow(task: Task, seat: Mapping[str, Any], called: Callable[[], object]) -> NoReturn:
    """Does its share of every step until process 0 ends it; signals are for process 0 alone.

    Parameters
    ----------
    seat : mapping
        ``rank``, ``size`` and ``meeting``, as :class:`~lithify.training.collectives.Group` takes them.
    called : callable
        Waits until process 0 has prepared the data.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    import torch.distributed  # noqa: F401  # takes its time, which process 0 spends preparing

    called()
    recipe, session = task.wanted.recipe, Session(task.wanted.key)
    with Threads(task.settings.count_threads(), session.stop) as threads:
        prepared = prepare(task.home, task.snapshot, recipe, session, silent, task.settings)
        lockstep = Lockstep(threads, Group(Path(seat["meeting"]), seat["rank"], seat["size"]))
        stages.follow(stages.Work(prepared, plan(task.snapshot, recipe["folds"]), session, threads, silent), lockstep)
