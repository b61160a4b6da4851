"""One session of a run, from its newest checkpoint to its sealed model or to where it has to stop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lithify.data.snapshot import Snapshot
from lithify.errors import IntegrityError, LithifyError, RunError, StoreError
from lithify.progress import Reporter, Update, silent
from lithify.store.home import Home
from lithify.store.rows import SessionEnd
from lithify.training import sealing
from lithify.training.checkpoint import Checkpoints
from lithify.training.executor import Threads
from lithify.training.plan import MODEL, plan
from lithify.training.prepare import draft, prepare
from lithify.training.request import Request
from lithify.training.session import Session
from lithify.training.settings import Settings
from lithify.training.stages import Progress, Work, admit, run_stages


def perform(home: Home, snapshot: Snapshot, wanted: Request, settings: Settings, report: Reporter = silent) -> bool:
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
    folder = home.run_folder(wanted.key)
    with (
        Session(wanted.key, settings.session) as session,
        Threads(settings.count_threads(), session.stop) as threads,
        Checkpoints(folder, wanted.key, settings.checkpoint_every, report) as checkpoints,
    ):
        progress = _resumed(checkpoints, report)
        begun = progress.step
        with _entry(home, wanted, progress):
            data = _train(home, snapshot, wanted, session, threads, checkpoints, progress, report)
            _record(home, snapshot, wanted, home.blobs.put(data), progress.step)
        checkpoints.clear()
    return begun > 0


def rebuild(home: Home, snapshot: Snapshot, wanted: Request, settings: Settings, report: Reporter = silent) -> bytes:
    """Trains from the first step to the last, keeps nothing, and returns the bytes of the model."""
    with (
        Session(wanted.key, settings.session) as session,
        Threads(settings.count_threads(), session.stop) as threads,
    ):
        return _compute(home, snapshot, wanted, session, threads, None, Progress(), report)


def _train(
    home: Home,
    snapshot: Snapshot,
    wanted: Request,
    session: Session,
    threads: Threads,
    checkpoints: Checkpoints,
    progress: Progress,
    report: Reporter,
) -> bytes:
    """:func:`_compute`; if it stops before the end, what was done is safe first."""
    try:
        return _compute(home, snapshot, wanted, session, threads, checkpoints, progress, report)
    except RunError as error:
        if progress.step:
            checkpoints.save_now(progress.to_checkpoint())
            error.message = f"{error.message.rstrip('.')} after step {progress.step}; the checkpoint is safe."
        raise


def _compute(
    home: Home,
    snapshot: Snapshot,
    wanted: Request,
    session: Session,
    threads: Threads,
    checkpoints: Checkpoints | None,
    progress: Progress,
    report: Reporter,
) -> bytes:
    stages = plan(snapshot, wanted.recipe["folds"])
    with session.at_once():
        prepared = prepare(home, snapshot, wanted.recipe, session, report)
        work = Work(prepared, stages, session, threads, report, checkpoints)
        if progress.step:
            admit(work, progress)
    if checkpoints is not None:
        home.catalog.update_run(wanted.key, steps=sum(work.steps(stage) for stage in stages))
    states = run_stages(work, progress)
    report(Update("sealing", note="Calibrating, measuring on the test rows and sealing."))
    with session.at_once():
        made = draft(snapshot, wanted.recipe, prepared.fitted, states[MODEL])
        return sealing.finish(snapshot, wanted, made, stages, states)


def _resumed(checkpoints: Checkpoints, report: Reporter) -> Progress:
    checkpoint, complaints = checkpoints.latest()
    for complaint in complaints:
        report(Update("resuming", note=f"Damaged checkpoint left aside: {complaint}"))
    if checkpoint is None:
        return Progress()
    report(Update("resuming", checkpoint.step, note=f"Going on after step {checkpoint.step}."))
    return Progress.from_checkpoint(checkpoint)


@contextlib.contextmanager
def _entry(home: Home, wanted: Request, progress: Progress) -> Iterator[None]:
    """The session's entry in the catalog: opened at the step it begins with, closed at the one it came to."""
    with home.catalog.transaction():
        home.catalog.update_run(wanted.key, step=progress.step)
        number = home.catalog.open_session(wanted.key)
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(LithifyError):  # the first error is the one to tell
            home.catalog.close_session(number, _ending(error), progress.step)
        raise
    home.catalog.close_session(number, "finished", progress.step)


def _ending(error: BaseException) -> SessionEnd:
    """A run is interrupted by what can pass; it has failed by what would come again."""
    passing = (RunError, StoreError, IntegrityError, MemoryError, OSError)
    return "interrupted" if isinstance(error, passing) or not isinstance(error, Exception) else "failed"


def _record(home: Home, snapshot: Snapshot, wanted: Request, digest: str, step: int) -> None:
    with home.catalog.transaction():
        home.catalog.add_model(digest, run=wanted.key, snapshot=snapshot.digest)
        home.catalog.update_run(wanted.key, state="finished", step=step, model=digest)
        home.catalog.look(snapshot.digest, "test", digest)
