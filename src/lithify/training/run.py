"""train(snapshot, recipe) → model: one run, in as many sessions as it takes.

The finished model has the same bits however the work was cut up and however many threads did it. A finished key
returns its model at once; an unfinished one goes on from its newest checkpoint; nothing ever starts over silently.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lithify import recipe as recipes
from lithify.data import split
from lithify.data.batches import TrainingData
from lithify.data.snapshot import Snapshot, open_snapshot
from lithify.data.state import State
from lithify.errors import EngineMismatch, NotFound, SessionEnded
from lithify.features.base import Features
from lithify.features.blocks import assemble, contents
from lithify.features.registry import features
from lithify.learners.base import Learner
from lithify.learners.registry import learner
from lithify.model.draft import Draft
from lithify.model.model import Model, open_model
from lithify.progress import Reporter, Update, silent
from lithify.recipe import Recipe
from lithify.store.home import Home
from lithify.training import sealing
from lithify.training.checkpoint import Checkpoints
from lithify.training.executor import Threads
from lithify.training.plan import plan
from lithify.training.request import Request, check_engine, check_unchanged, engine_of, request, resolve
from lithify.training.session import Session
from lithify.training.stages import Progress, Work, run_stages


@dataclass(frozen=True)
class Outcome:
    """A finished run.

    Attributes
    ----------
    model : Model
    run, snapshot : str
        Their keys.
    metrics : dict
        Test metrics sealed into the model: name → value, low, high.
    sessions : int
        How many sessions it took.
    resumed : bool
        Whether this call went on with work done before, or found it finished.
    """

    model: Model
    run: str
    snapshot: str
    metrics: dict[str, Any]
    sessions: int
    resumed: bool

    def to_json(self) -> dict[str, Any]:
        """As ``lithify train --json`` prints it."""
        return {
            "model": self.model.digest,
            "path": str(self.model.path),
            "snapshot": self.snapshot,
            "run": self.run,
            "metrics": self.metrics,
            "sessions": self.sessions,
            "resumed": self.resumed,
        }


@dataclass(frozen=True)
class Settings:
    """How to run, none of which changes a bit of the result.

    Attributes
    ----------
    threads : int or None
        Grain threads; None for as many as there are cores.
    session : float or None
        Seconds after which to stop cleanly.
    checkpoint_every : int or None
        Steps between checkpoints; None to go by time.
    """

    threads: int | None = None
    session: float | None = None
    checkpoint_every: int | None = None


def train(
    home: Home,
    snapshot: Snapshot,
    recipe: Recipe,
    *,
    source: str,
    settings: Settings = Settings(),
    new: bool = False,
    report: Reporter = silent,
) -> Outcome:
    """Trains, or goes on training, or finds the model that was trained.

    Parameters
    ----------
    home : Home
    snapshot : Snapshot
    recipe : Recipe
        What was asked.
    source : str
        What the person named: an unfinished run of the same source must be the same run.
    settings : Settings
        How to run.
    new : bool
        Whether to leave an unfinished run of the same source that differs and start another.
    report : Reporter

    Raises
    ------
    SessionEnded
        By plan or by a signal; run again to resume.
    RunChanged
        Data, recipe or engine changed under an unfinished run.
    RunBusy
        Another session holds the run.
    """
    resolved = resolve(home, snapshot, recipe, lambda r: _seconds_per_step(home, snapshot, r, settings))
    wanted = request(snapshot, resolved)
    if not new:
        check_unchanged(home, source, wanted)
    home.catalog.add_run(wanted.key, snapshot.digest, wanted.recipe, wanted.engine)
    home.catalog.remember_request({"source": source}, "", wanted.key, wanted.recipe)
    return _run(home, snapshot, wanted, settings, report)


def resume(home: Home, run: str, *, settings: Settings = Settings(), report: Reporter = silent) -> Outcome:
    """Goes on with a run by its key (or at least 8 hex digits of it), with its own snapshot and recipe.

    Raises ``NotFound``, ``EngineMismatch`` when this machine would compute other bits, and as :func:`train`.
    """
    row = home.catalog.run(run)
    snapshot = open_snapshot(home, row.snapshot)
    check_engine(row.key, row.engine, engine_of(snapshot.kind, row.recipe["learner"]))
    wanted = Request(row.key, row.snapshot, row.recipe, row.engine)
    return _run(home, snapshot, wanted, settings, report)


def rebuild(home: Home, model: Model, *, settings: Settings = Settings(), report: Reporter = silent) -> bytes:
    """Trains a sealed model again from its snapshot and recipe and returns the bytes, to be compared.

    Raises ``NotFound`` when the snapshot is not in this home, ``EngineMismatch`` when the engine is another one.
    """
    try:
        snapshot = open_snapshot(home, model.card["data"]["snapshot"])
    except NotFound:
        raise NotFound(
            f"The snapshot of model {model.digest[7:19]} is not in this home, so it cannot be rebuilt here.",
            expected=model.card["data"]["snapshot"],
        ) from None
    wanted = request(snapshot, model.card["recipe"])
    check_engine(wanted.key, model.card["engine"], wanted.engine)
    with Session(settings.session) as session, _threads(settings, session) as threads:
        work, fitted = _prepare(home, snapshot, wanted, session, threads, settings, report)
        stages = plan(snapshot, wanted.recipe["folds"])
        work.checkpoints.every = 2**62  # a rebuild leaves nothing behind
        states = run_stages(work, stages, Progress())
        return sealing.finish(snapshot, wanted, _draft(snapshot, wanted, fitted, states["model"]), stages, states)[0]


def _run(home: Home, snapshot: Snapshot, wanted: Request, settings: Settings, report: Reporter) -> Outcome:
    row = home.catalog.run(wanted.key)
    if row.state == "finished" and row.model and home.blobs.has(row.model):
        report(Update("finished", note="This run is finished; here is its model."))
        return _outcome(home, wanted, resumed=True)
    folder = home.run_folder(wanted.key)
    with home.lock(wanted.key), Session(settings.session) as session, _threads(settings, session) as threads:
        number = home.catalog.open_session(wanted.key)
        how, step, progress = "failed", row.step, Progress()
        try:
            work, fitted = _prepare(home, snapshot, wanted, session, threads, settings, report)
            progress = _resumed(work.checkpoints, report)
            resumed, step = progress.step > 0, progress.step
            stages = plan(snapshot, wanted.recipe["folds"])
            home.catalog.update_run(wanted.key, state="running", steps=_steps(work, stages))
            states = run_stages(work, stages, progress)
            step = progress.step
            work.checkpoints.close()
            report(Update("sealing", note="Calibrating, measuring on the test rows and sealing."))
            draft = _draft(snapshot, wanted, fitted, states["model"])
            data, _ = sealing.finish(snapshot, wanted, draft, stages, states)
            digest = home.blobs.put(data)
            _record(home, snapshot, wanted, digest, step)
            work.checkpoints.clear()
            how = "finished"
        except SessionEnded:
            how, step = "interrupted", progress.step
            home.catalog.update_run(wanted.key, state="interrupted", step=step)
            raise
        except Exception:
            home.catalog.update_run(wanted.key, state="interrupted", step=step)
            raise
        finally:
            home.catalog.close_session(number, how, step)
    return _outcome(home, wanted, resumed=resumed)


def _prepare(
    home: Home,
    snapshot: Snapshot,
    wanted: Request,
    session: Session,
    threads: Threads,
    settings: Settings,
    report: Reporter,
) -> tuple[Work, State]:
    """Fits the features on training rows and makes the blocks of all rows that may be learned from."""
    reads, learns = _parts(snapshot.kind, wanted.recipe)
    table = snapshot.table
    rows = np.flatnonzero(np.isin(table.side, (split.TRAIN, split.STOP)))
    report(Update("extracting", 0, len(rows), note="Turning rows into features."))
    fitted = reads.fit(contents(snapshot, rows))
    checkpoints = Checkpoints(home.run_folder(wanted.key), wanted.key, settings.checkpoint_every)

    def interrupt() -> None:
        if session.over():
            raise SessionEnded(
                wanted.key, "The session ended before the first step.", hint="Run the same command again to go on."
            )

    data = TrainingData(
        blocks=assemble(snapshot, rows, reads, fitted, home.cache, report, interrupt),
        target=table.label[rows],
        weight=table.weight[rows],
        train=np.arange(len(rows)),
        stop=np.zeros(0, dtype=np.int64),
        classes=len(snapshot.labels),
        seed=wanted.recipe["seed"],
        grains=wanted.recipe["grains"],
    )
    return Work(wanted.key, learns, data, rows, session, threads, checkpoints, report), fitted


def _parts(kind: str, recipe: dict[str, Any]) -> tuple[Features, Learner]:
    reads, learns = features(kind), learner(recipe["learner"])
    return (
        reads(recipes.params_of(reads.Params, recipe["features"], "features")),
        learns(recipes.params_of(learns.Params, recipe["params"], recipe["learner"])),
    )


def _resumed(checkpoints: Checkpoints, report: Reporter) -> Progress:
    checkpoint, complaints = checkpoints.latest()
    for complaint in complaints:
        report(Update("resuming", note=f"Damaged checkpoint left aside: {complaint}"))
    if checkpoint is None:
        return Progress()
    report(Update("resuming", checkpoint.step, note=f"Going on after step {checkpoint.step}."))
    return Progress.from_checkpoint(checkpoint)


def _draft(snapshot: Snapshot, wanted: Request, fitted: State, learned: State) -> Draft:
    return Draft(
        kind=snapshot.kind,
        labels=snapshot.labels,
        spam=wanted.recipe.get("spam", ""),
        learner_name=wanted.recipe["learner"],
        features_params=wanted.recipe["features"],
        learner_params=wanted.recipe["params"],
        features_state=fitted,
        learner_state=learned,
        calibration={},
        cutoffs=None,
    )


def _record(home: Home, snapshot: Snapshot, wanted: Request, digest: str, step: int) -> None:
    with home.catalog.transaction():
        home.catalog.add_model(digest, run=wanted.key, snapshot=snapshot.digest)
        home.catalog.update_run(wanted.key, state="finished", step=step, model=digest)
        home.catalog.look(snapshot.digest, "test", digest)


def _outcome(home: Home, wanted: Request, resumed: bool) -> Outcome:
    digest = home.catalog.run(wanted.key).model
    assert digest is not None
    model = open_model(home.blobs.path(digest))
    sessions = len(home.catalog.sessions(wanted.key))
    return Outcome(model, wanted.key, wanted.snapshot, model.card["test"]["metrics"], sessions, resumed)


def _threads(settings: Settings, session: Session) -> Threads:
    return Threads(settings.threads or len(os.sched_getaffinity(0)), session.stop)


def _steps(work: Work, stages: list[Any]) -> int:
    return sum(work.learner.steps(work.data) for _ in stages)


def _seconds_per_step(home: Home, snapshot: Snapshot, recipe: dict[str, Any], settings: Settings) -> float:
    """Times a few steps of the largest stage on a state that is thrown away, and adds the smaller stages."""
    stages = plan(snapshot, recipe["folds"])
    with Session() as session, _threads(settings, session) as threads:
        wanted = request(snapshot, recipe)
        work, _ = _prepare(home, snapshot, wanted, session, threads, settings, silent)
        state = work.learner.start(work.data)
        timed = []
        for step in range(4):
            began = time.monotonic()
            total = threads.total(_grain(work, state, step), work.data.grains)
            state = work.learner.apply(state, work.data, step, total)
            timed.append(time.monotonic() - began)
    share = sum(len(stage.train) for stage in stages) / max(1, len(stages[0].train))
    return float(min(timed[1:]) * share)


def _grain(work: Work, state: State, step: int) -> Callable[[int], Any]:
    return lambda grain: work.learner.grain(state, work.data, step, grain)
