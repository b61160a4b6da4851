"""Runs the stages of a plan, step by step, from wherever a checkpoint left them."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import TrainingData, take
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.progress import Reporter, Update
from lithify.training.checkpoint import Checkpoint, Checkpoints
from lithify.training.executor import Executor, Stopped
from lithify.training.lockstep import Lockstep
from lithify.training.plan import MODEL, Stage
from lithify.training.prepare import Prepared
from lithify.training.session import Session

_SCORED = 4096
"""Rows of a fold that are scored at a time."""
_TOLD = 0.1
"""Seconds between words on how far the training is."""
_WHILE = 30.0
"""Seconds over which the pace of steps is taken, unless they hold less than ``_FEWEST`` words."""
_FEWEST = 4


@dataclass
class Progress:
    """Where a run stands: steps done over all stages, the stage it is in, and what finished stages gave."""

    step: int = 0
    stage: int = 0
    stage_step: int = 0
    state: State | None = None
    finished: dict[str, State] = field(default_factory=dict)

    def to_checkpoint(self) -> Checkpoint:
        """Everything that is needed to go on, as one checkpoint."""
        states = {_prefix(name): state for name, state in self.finished.items()}
        facts: dict[str, Any] = {
            "stage": self.stage,
            "stage_step": self.stage_step,
            "finished": {name: state.facts for name, state in self.finished.items()},
            "current": None if self.state is None else self.state.facts,
        }
        if self.state is not None:
            states["current"] = self.state
        arrays = {f"{prefix}/{name}": array for prefix, state in states.items() for name, array in state.arrays.items()}
        return Checkpoint(self.step, facts, arrays)

    @staticmethod
    def from_checkpoint(checkpoint: Checkpoint) -> Progress:
        """The inverse of :meth:`to_checkpoint`; ``MalformedContainer`` for anything else."""
        facts = checkpoint.facts
        kinds: dict[str, Any] = {"stage": int, "stage_step": int, "finished": dict, "current": (dict, type(None))}
        if facts.keys() != kinds.keys() or not all(isinstance(facts[name], kinds[name]) for name in kinds):
            raise MalformedContainer("The checkpoint has the wrong fields.", expected=", ".join(sorted(kinds)))

        def state(prefix: str, of: dict[str, Any]) -> State:
            cut = len(prefix) + 1
            arrays = {n[cut:]: np.array(a) for n, a in checkpoint.arrays.items() if n.startswith(prefix + "/")}
            return State(arrays, of)

        return Progress(
            step=checkpoint.step,
            stage=facts["stage"],
            stage_step=facts["stage_step"],
            state=None if facts["current"] is None else state("current", facts["current"]),
            finished={name: state(_prefix(name), of) for name, of in facts["finished"].items()},
        )


@dataclass(frozen=True)
class Work:
    """What the stages are run with; without ``checkpoints`` nothing is kept. ``kind`` is that of the rows."""

    prepared: Prepared
    stages: Sequence[Stage]
    session: Session
    executor: Executor
    report: Reporter
    checkpoints: Checkpoints | None = None
    kind: str = ""
    _seen: dict[str, TrainingData] = field(default_factory=dict)

    def data(self, stage: Stage) -> TrainingData:
        """The data as one stage sees it: row numbers of the snapshot become positions in the blocks.

        The same object for as long as no other stage asks: learners keep what they derive from it.
        """
        if stage.name not in self._seen:
            self._seen.clear()
            self._seen[stage.name] = self._part(stage)
        return self._seen[stage.name]

    def steps(self, stage: Stage) -> int:
        """Steps of a stage at most."""
        return self.prepared.learner.steps(self._part(stage))

    def _part(self, stage: Stage) -> TrainingData:
        return self.prepared.data.only(np.searchsorted(self.prepared.rows, stage.train))


def admit(work: Work, progress: Progress) -> None:
    """Raises ``MalformedContainer`` unless what a checkpoint says can be gone on with."""
    names = [stage.name for stage in work.stages]
    fits = 0 <= progress.stage <= len(names) and progress.finished.keys() == set(names[: progress.stage])
    if not fits or (progress.stage == len(names) and progress.state is not None):
        raise MalformedContainer("The checkpoint is of another plan.", found=f"stage {progress.stage}")
    learner, data = work.prepared.learner, work.prepared.data
    for stage in work.stages[: progress.stage]:
        state = progress.finished[stage.name]
        if stage.name == MODEL:
            learner.audit(state, work.prepared.features, work.prepared.fitted, data.classes)
        elif {n: (a.dtype.str, a.shape) for n, a in state.arrays.items()} != {
            "raw": ("<f8", (len(stage.score), data.outputs))
        }:
            raise MalformedContainer("The scores of a fold in the checkpoint do not fit.")
    if progress.state is not None:
        learner.admit(progress.state, work.data(work.stages[progress.stage]))


def run_stages(work: Work, progress: Progress) -> Mapping[str, State]:
    """Goes through the stages that are left; ``progress`` is brought up to date after every step.

    Returns
    -------
    mapping of str to State
        For the stage ``model`` the finished state; for a fold an array ``raw`` (s, classes) with the scores of its
        rows.

    Raises
    ------
    SessionEnded
        The session has to end. One that ends by its limit does at least one step, so that however short the sessions
        are, the run comes to its end.
    """
    planned = [work.steps(stage) for stage in work.stages]
    clock = _Clock(sum(planned), work)
    learner = work.prepared.learner
    learner.enter_thread()
    while progress.stage < len(work.stages):
        stage = work.stages[progress.stage]
        data = work.data(stage)
        with _stoppable(work):
            state = _begin(work, data, progress)
            while progress.stage_step < planned[progress.stage] and not learner.done(state):
                state = _advance(work, data, progress)
                clock.tell(stage.name, progress, sum(planned[: progress.stage]))
                work.session.check()
            work.executor.end(learner, state, progress.stage_step)
        progress.finished[stage.name] = _finish(work, stage, data, state)
        progress.stage, progress.state, progress.stage_step = progress.stage + 1, None, 0
    return progress.finished


def follow(work: Work, lockstep: Lockstep) -> NoReturn:
    """Goes through the same stages in a process other than the first, which tells where and ends this one."""
    learner = work.prepared.learner
    learner.enter_thread()
    while True:
        number, step, state = lockstep.receive()
        stage = work.stages[number]
        data, planned = work.data(stage), work.steps(stage)
        while step < planned and not learner.done(state):
            state = lockstep.step(learner, state, data, step)
            step += 1
        lockstep.end(learner, state, step)


def _begin(work: Work, data: TrainingData, progress: Progress) -> State:
    if progress.state is None:
        progress.stage_step = 0
    progress.state = work.executor.begin(
        work.prepared.learner, data, progress.stage, progress.stage_step, progress.state
    )
    return progress.state


def _advance(work: Work, data: TrainingData, progress: Progress) -> State:
    assert progress.state is not None
    progress.state = work.executor.step(work.prepared.learner, progress.state, data, progress.stage_step)
    progress.stage_step += 1
    progress.step += 1
    if work.checkpoints is not None and work.checkpoints.due(progress.step):
        work.checkpoints.save(progress.to_checkpoint())
    return progress.state


@contextlib.contextmanager
def _stoppable(work: Work) -> Iterator[None]:
    """Inside, a step that is given up says why the session ends."""
    try:
        yield
    except Stopped:
        raise work.session.ended() from None


def _finish(work: Work, stage: Stage, data: TrainingData, state: State) -> State:
    finished = work.prepared.learner.finish(state, data)
    if stage.name == MODEL:
        return finished
    at = np.searchsorted(work.prepared.rows, stage.score)
    some = range(0, len(at), _SCORED)
    raw = [work.prepared.learner.predict(finished, take(data.blocks, at[first : first + _SCORED])) for first in some]
    return State({"raw": np.concatenate(raw)})


def held_out(
    prepared: Prepared, stages: Sequence[Stage], states: Mapping[str, State]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Raw scores of training rows by what has not seen them, and the numbers of the rows.

    They come from the folds of the plan, or where it has none, from the parts of the learner itself.
    """
    folds = [stage for stage in stages if stage.name != MODEL]
    if folds:
        raw = np.concatenate([states[stage.name].arrays["raw"] for stage in folds])
        return raw, np.concatenate([stage.score for stage in folds])
    scores = prepared.learner.held_out(states[MODEL], prepared.data)
    if scores is None:
        return np.zeros((0, prepared.data.outputs)), np.zeros(0, dtype=np.int64)
    return scores, prepared.rows[prepared.data.train]


def _prefix(stage: str) -> str:
    return f"finished/{stage.replace(' ', '-')}"


class _Clock:
    """Tells how far the training is, a few times a second at most."""

    def __init__(self, total: int, work: Work) -> None:
        self.total, self.work = total, work
        self.last = 0.0
        self.seen: deque[tuple[float, int]] = deque()

    def tell(self, stage: str, progress: Progress, before: int) -> None:
        """One word, with what the steps of the last while say of those to come."""
        now = time.monotonic()
        if now - self.last < _TOLD or progress.state is None:
            return
        self.last = now
        # folds that stop early leave steps out: what counts is where in the plan the run is
        at = before + progress.stage_step
        facts: dict[str, Any] = {"part": stage, **self._pace(now, at)}
        figures = dict(self.work.prepared.learner.figures(progress.state))
        rows = figures.pop("rows_per_step", 0.0)
        if rows and "rate" in facts:
            facts |= {"speed": rows * facts["rate"], "rows": "images" if self.work.kind == "image" else "rows"}
        facts |= figures
        if self.work.checkpoints is not None and self.work.checkpoints.written is not None:
            facts["checkpoint"] = self.work.checkpoints.written
        self.work.report(Update("training", at, self.total, facts))

    def _pace(self, now: float, at: int) -> dict[str, float]:
        """Steps a second over the last while, and seconds left; nothing after a single step."""
        self.seen.append((now, at))
        while now - self.seen[0][0] > _WHILE and len(self.seen) > _FEWEST:
            self.seen.popleft()
        began, first = self.seen[0]
        if at <= first:
            return {}
        rate = (at - first) / max(now - began, 1e-9)
        return {"rate": rate, "left": (self.total - at) / rate}
