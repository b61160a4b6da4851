"""Runs the stages of a plan, step by step, from wherever a checkpoint left them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Block, Blocks, Dense, Hashed, TrainingData
from lithify.data.state import State
from lithify.errors import SessionEnded
from lithify.learners.base import Learner
from lithify.progress import Reporter, Update
from lithify.training.checkpoint import Checkpoint, Checkpoints
from lithify.training.executor import Stopped, Threads
from lithify.training.plan import Stage
from lithify.training.session import Session


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
        facts: dict[str, Any] = {"stage": self.stage, "stage_step": self.stage_step, "finished": {}}
        arrays: dict[str, NDArray[Any]] = {}
        states = {f"finished/{name.replace(' ', '-')}": state for name, state in self.finished.items()}
        facts["finished"] = {name: state.facts for name, state in self.finished.items()}
        if self.state is not None:
            states["current"] = self.state
            facts["current"] = self.state.facts
        for prefix, state in states.items():
            arrays |= {f"{prefix}/{name}": array for name, array in state.arrays.items()}
        return Checkpoint(self.step, facts, arrays)

    @staticmethod
    def from_checkpoint(checkpoint: Checkpoint) -> Progress:
        """The inverse of :meth:`to_checkpoint`."""
        facts = checkpoint.facts

        def state(prefix: str, of: dict[str, Any]) -> State:
            cut = len(prefix) + 1
            arrays = {n[cut:]: np.array(a) for n, a in checkpoint.arrays.items() if n.startswith(prefix + "/")}
            return State(arrays, of)

        return Progress(
            step=checkpoint.step,
            stage=facts["stage"],
            stage_step=facts["stage_step"],
            state=state("current", facts["current"]) if "current" in facts else None,
            finished={n: state(f"finished/{n.replace(' ', '-')}", f) for n, f in facts["finished"].items()},
        )


@dataclass(frozen=True)
class Work:
    """What the stages are run with."""

    run: str
    learner: Learner
    data: TrainingData
    rows: NDArray[np.int64]
    session: Session
    threads: Threads
    checkpoints: Checkpoints
    report: Reporter


def run_stages(work: Work, stages: Sequence[Stage], progress: Progress) -> Mapping[str, State]:
    """Goes through the stages that are left.

    Returns
    -------
    mapping of str to State
        For the stage ``model`` the finished state; for a fold an array ``raw`` (s, classes) with the scores of its
        rows.

    Raises
    ------
    SessionEnded
        The session has to end; a checkpoint was written first.
    """
    planned = [work.learner.steps(_view(work, stage)) for stage in stages]
    clock = _Clock(sum(planned), work)
    while progress.stage < len(stages):
        stage = stages[progress.stage]
        data = _view(work, stage)
        if progress.state is None:
            progress.state, progress.stage_step = work.learner.start(data), 0
        while progress.stage_step < planned[progress.stage] and not work.learner.done(progress.state):
            if work.session.over():
                _end(work, progress)
            try:
                progress.state = _step(work, data, progress.state, progress.stage_step)
            except Stopped:
                _end(work, progress)
            progress.stage_step += 1
            progress.step += 1
            if work.checkpoints.due(progress.step):
                work.checkpoints.save(progress.to_checkpoint())
            clock.tell(stage.name, progress, sum(planned[: progress.stage]))
        progress.finished[stage.name] = _finish(work, stage, data, progress.state)
        progress.stage, progress.state, progress.stage_step = progress.stage + 1, None, 0
    return progress.finished


def _step(work: Work, data: TrainingData, state: State, step: int) -> State:
    total = work.threads.total(lambda grain: work.learner.grain(state, data, step, grain), data.grains)
    return work.learner.apply(state, data, step, total)


def _finish(work: Work, stage: Stage, data: TrainingData, state: State) -> State:
    finished = work.learner.finish(state, data)
    if stage.name == "model":
        return finished
    at = np.searchsorted(work.rows, stage.score)
    return State({"raw": work.learner.predict(finished, take(data.blocks, at))})


def _view(work: Work, stage: Stage) -> TrainingData:
    """The data as one stage sees it: row numbers of the snapshot become positions in the blocks."""
    return work.data.only(np.searchsorted(work.rows, stage.train))


def _end(work: Work, progress: Progress) -> None:
    work.checkpoints.save_now(progress.to_checkpoint())
    reason = "The session's time is up" if work.session.why == "limit" else f"Stopped by {work.session.why}"
    raise SessionEnded(
        work.run,
        f"{reason} after step {progress.step}; the checkpoint is safe.",
        hint="Run the same command again to go on from there.",
    )


def take(blocks: Blocks, rows: NDArray[np.int64]) -> Blocks:
    """The blocks of some rows."""
    return {name: _take(block, rows) for name, block in blocks.items()}


def _take(block: Block, rows: NDArray[np.int64]) -> Block:
    if isinstance(block, Dense):
        return Dense(block.values[rows])
    lengths = block.start[rows + 1] - block.start[rows]
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    pieces = [block.index[block.start[row] : block.start[row + 1]] for row in rows]
    index = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint32)
    return Hashed(start, index, block.buckets)


class _Clock:
    """Tells how far the training is, a few times a second at most."""

    def __init__(self, total: int, work: Work) -> None:
        self.total, self.work = total, work
        self.began, self.last = time.monotonic(), 0.0
        self.first: int | None = None

    def tell(self, stage: str, progress: Progress, before: int) -> None:
        now = time.monotonic()
        # folds that stop early leave steps out: what counts is where in the plan the run is
        at = before + progress.stage_step
        if self.first is None:
            self.first = at - 1
        if now - self.last < 0.1 or progress.state is None:
            return
        self.last = now
        rate = (at - self.first) / max(now - self.began, 1e-9)
        facts: dict[str, Any] = {"part": stage, "rate": rate, "left": (self.total - at) / max(rate, 1e-9)}
        facts |= self.work.learner.figures(progress.state)
        if self.work.checkpoints.written is not None:
            facts["checkpoint"] = self.work.checkpoints.written
        self.work.report(Update("training", at, self.total, facts))
