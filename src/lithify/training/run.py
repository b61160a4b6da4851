"""train(snapshot, recipe) → model: one run, in as many sessions as it takes.

The finished model has the same bits however the work was cut up and however many threads did it. A finished key
returns its model at once; an unfinished one goes on from its newest checkpoint; nothing ever starts over silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lithify import recipe as recipes
from lithify.data.snapshot import Snapshot, open_snapshot
from lithify.errors import IntegrityError, NotFound
from lithify.model.model import Model, open_model
from lithify.progress import Reporter, Update, silent
from lithify.recipe import Recipe
from lithify.store.home import Home
from lithify.training import perform, prepare, supervisor
from lithify.training.request import Request, check_engine, check_unchanged, engine_of, remember, request, resolve
from lithify.training.settings import AS_IT_COMES, Settings
from lithify.training.task import Task

__all__ = ["Outcome", "Settings", "rebuild", "resolved", "resume", "train"]


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


def train(
    home: Home,
    snapshot: Snapshot,
    recipe: Recipe,
    *,
    source: str,
    settings: Settings = AS_IT_COMES,
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
    wanted = request(snapshot, resolved(home, snapshot, recipe, settings))
    finished = _finished(home, wanted.key, report)
    if finished is None and not new:
        check_unchanged(home, source, wanted)
    remember(home, source, wanted)
    return finished or _run(Task(home, snapshot, wanted, settings, report))


def resume(home: Home, run: str, *, settings: Settings = AS_IT_COMES, report: Reporter = silent) -> Outcome:
    """Goes on with a run by its key (or at least 8 hex digits of it), with its own snapshot and recipe.

    Raises ``NotFound``, ``EngineMismatch`` when this machine would compute other bits, and as :func:`train`.
    """
    row = home.catalog.run(run)
    finished = _finished(home, row.key, report)
    if finished is not None:
        return finished
    snapshot = open_snapshot(home, row.snapshot)
    check_engine(f"Run {row.key[7:19]}", row.engine, _engine(snapshot, row.recipe))
    recipe = recipes.reread(row.recipe, recipes.subject(snapshot))
    return _run(Task(home, snapshot, Request(row.key, row.snapshot, recipe, row.engine), settings, report))


def rebuild(home: Home, model: Model, *, settings: Settings = AS_IT_COMES, report: Reporter = silent) -> bytes:
    """Trains a sealed model again from its snapshot and recipe and returns the bytes, to be compared.

    Raises ``NotFound`` when the snapshot is not in this home, ``EngineMismatch`` when the engine is another one, and
    ``RecipeError`` when the card's recipe is none.
    """
    try:
        snapshot = open_snapshot(home, model.card["data"]["snapshot"])
    except NotFound:
        raise NotFound(
            f"The snapshot of model {model.digest[7:19]} is not in this home, so it cannot be rebuilt here.",
            expected=model.card["data"]["snapshot"],
        ) from None
    recipe = model.card["recipe"]
    check_engine(f"Model {model.digest[7:19]}", model.card["engine"], _engine(snapshot, recipe))
    wanted = request(snapshot, recipes.reread(recipe, recipes.subject(snapshot)))
    task = Task(home, snapshot, wanted, settings, report)
    return supervisor.rebuild(task) if supervisor.needed(task) else perform.rebuild(task)


def resolved(home: Home, snapshot: Snapshot, recipe: Recipe, settings: Settings = AS_IT_COMES) -> dict[str, Any]:
    """The resolved recipe of what was asked; a budget is turned into steps on the first call and remembered."""
    return resolve(home, snapshot, recipe, lambda asked: _seconds_per_step(home, snapshot, asked, settings))


def _engine(snapshot: Snapshot, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What this machine brings to a recipe that was read from somewhere."""
    return engine_of(snapshot.kind, str(recipe.get("learner")), recipe.get("params") or {})


def _run(task: Task) -> Outcome:
    home, key = task.home, task.wanted.key
    with home.lock(key) as lock:
        finished = _finished(home, key, task.report)  # by another session, just before the lock was free
        if finished is not None:
            return finished
        went_on = supervisor.perform(task, lock) if supervisor.needed(task) else perform.perform(task)
    outcome = _finished(home, key)
    assert outcome is not None
    return Outcome(**{**vars(outcome), "resumed": went_on})


def _finished(home: Home, key: str, report: Reporter = silent) -> Outcome | None:
    """What came of a run that is finished; None for one that is not, or whose model is lost."""
    try:
        row = home.catalog.run(key)
    except NotFound:
        return None
    if row.state != "finished" or row.model is None:
        return None
    try:
        model = open_model(home.blobs.verified(row.model))
    except (NotFound, IntegrityError) as error:
        report(Update("training", note=f"The model of this finished run is lost, so it is trained again: {error}"))
        return None
    report(Update("finished", note="This run is finished; here is its model."))
    sessions = len(home.catalog.sessions(key))
    return Outcome(model, key, row.snapshot, model.card["test"]["metrics"], sessions, resumed=True)


def _seconds_per_step(home: Home, snapshot: Snapshot, recipe: dict[str, Any], settings: Settings) -> float:
    task = Task(home, snapshot, request(snapshot, recipe), settings)
    if supervisor.needed(task):
        return supervisor.seconds_per_step(task)
    return prepare.seconds_per_step(home, snapshot, recipe, settings)
