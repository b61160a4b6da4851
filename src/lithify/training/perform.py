"""One session of a run, from its newest checkpoint to its sealed model or to where it has to stop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lithify.errors import IntegrityError, LithifyError, RunError, SessionEnded, StoreError
from lithify.progress import Reporter, Update
from lithify.store.rows import SessionEnd
from lithify.training import sealing
from lithify.training.checkpoint import Checkpoints
from lithify.training.executor import Executor
from lithify.training.plan import MODEL, plan
from lithify.training.prepare import draft, prepare
from lithify.training.processes import executor
from lithify.training.session import Session
from lithify.training.stages import Progress, Work, admit, held_out, run_stages
from lithify.training.task import Task


def perform(task: Task) -> bool:
    """Goes on with a run whose lock the caller holds, and records how the session ended.

    Returns
    -------
    bool
        Whether there was work done before to go on from. The catalog holds the model.

    Raises
    ------
    SessionEnded
        A checkpoint was written first.
    """
    key, settings = task.wanted.key, task.settings
    with (
        Session(key, settings.session) as session,
        executor(task, session) as grains,
        Checkpoints(task.home.run_folder(key), key, settings.checkpoint_every, task.report) as checkpoints,
    ):
        progress = _resumed(checkpoints, task.report)
        begun = progress.step
        with _entry(task, progress) as number:
            data = _train(task, session, grains, checkpoints, progress)
            _record(task, number, task.home.blobs.put(data), progress.step)
        checkpoints.clear()
    return begun > 0


def rebuild(task: Task) -> bytes:
    """Trains from the first step to the last, keeps nothing, and returns the bytes of the model."""
    with (
        Session(task.wanted.key, task.settings.session) as session,
        executor(task, session) as grains,
    ):
        return _compute(task, session, grains, None, Progress())


def _train(task: Task, session: Session, grains: Executor, checkpoints: Checkpoints, progress: Progress) -> bytes:
    """:func:`_compute`; when the session ends first, what was done is safe before that is said."""
    try:
        return _compute(task, session, grains, checkpoints, progress)
    except SessionEnded as error:
        if progress.step:
            checkpoints.save_now(progress.to_checkpoint())
            error.message = f"{error.message.rstrip('.')} after step {progress.step}; the checkpoint is safe."
        raise


def _compute(
    task: Task, session: Session, grains: Executor, checkpoints: Checkpoints | None, progress: Progress
) -> bytes:
    recipe = task.wanted.recipe
    stages = plan(task.snapshot, recipe["folds"])
    with session.at_once():
        prepared = prepare(task.home, task.snapshot, recipe, session, task.report, task.settings)
        work = Work(prepared, stages, session, grains, task.report, checkpoints, task.snapshot.kind)
        admit(work, progress)
    if checkpoints is not None:
        task.home.catalog.update_run(task.wanted.key, steps=sum(work.steps(stage) for stage in stages))
    states = run_stages(work, progress)
    grains.close()
    task.report(Update("sealing", note="Calibrating, measuring on the test rows and sealing."))
    with session.at_once():
        made = draft(task.snapshot, recipe, prepared.fitted, states[MODEL])
        return sealing.finish(task.snapshot, task.wanted, made, held_out(prepared, stages, states))


def _resumed(checkpoints: Checkpoints, report: Reporter) -> Progress:
    checkpoint, complaints = checkpoints.latest()
    for complaint in complaints:
        report(Update("resuming", note=f"Damaged checkpoint left aside: {complaint}"))
    if checkpoint is None:
        return Progress()
    report(Update("resuming", checkpoint.step, note=f"Going on after step {checkpoint.step}."))
    return Progress.from_checkpoint(checkpoint)


@contextlib.contextmanager
def _entry(task: Task, progress: Progress) -> Iterator[int]:
    """The session's entry in the catalog, by its number; closed here when the session does not finish the run."""
    home, wanted = task.home, task.wanted
    with home.catalog.transaction():
        home.catalog.update_run(wanted.key, step=progress.step)
        number = home.catalog.open_session(wanted.key)
    try:
        yield number
    except BaseException as error:
        with contextlib.suppress(LithifyError):  # the first error is the one to tell
            home.catalog.close_session(number, _ending(error), progress.step)
        raise


def _ending(error: BaseException) -> SessionEnd:
    """A run is interrupted by what can pass; it has failed by what would come again."""
    passing = (RunError, SessionEnded, StoreError, IntegrityError, MemoryError, OSError)
    return "interrupted" if isinstance(error, passing) or not isinstance(error, Exception) else "failed"


def _record(task: Task, session: int, digest: str, step: int) -> None:
    """Everything about the end of a run at once."""
    catalog, key, snapshot = task.home.catalog, task.wanted.key, task.snapshot.digest
    with catalog.transaction():
        catalog.add_model(digest, run=key, snapshot=snapshot)
        catalog.update_run(key, state="finished", step=step, model=digest)
        catalog.look(snapshot, "test", digest)
        catalog.close_session(session, "finished", step)
