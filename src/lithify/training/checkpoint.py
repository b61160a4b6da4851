"""Checkpoints: (step, state) of a run, checksummed, two kept, written beside the training.

A checkpoint is a container of the kind ``checkpoint`` and is never served. When the newer one is damaged the older one
is used, and that is said; when both are, the run says so instead of starting over.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from lithify.errors import IntegrityError, LithifyError, MalformedContainer, StoreError
from lithify.progress import Reporter, Update, silent
from lithify.store import blobs, container

KIND = "checkpoint"
KEPT = 2
MAX_LOST = 30.0
"""Seconds of work that a kill may cost at most."""
MAX_OVERHEAD = 0.02
"""Share of the time that writing may take, as far as ``MAX_LOST`` allows."""
MAX_MISSES = 3
"""Failed writes in a row after which the run stops instead of going on unprotected."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after ``step`` steps, counted over all its stages."""

    step: int
    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def newest(folder: Path) -> int:
    """Step of the newest checkpoint in the folder of a run, whole or not; 0 where there is none."""
    return max((int(path.stem) for path in folder.glob("*.checkpoint") if path.stem.isdecimal()), default=0)


class Checkpoints:
    """The checkpoints of one run, for as long as a session lasts; leaving the context waits for the writer.

    Parameters
    ----------
    folder : Path
        The run's own folder.
    run : str
        Key of the run; a checkpoint of another run is refused.
    every : int, optional
        Write after every so many steps instead of by time.
    report : Reporter
        Told of every write that failed.

    Attributes
    ----------
    written : int or None
        Step of the newest checkpoint that is safe.
    """

    def __init__(self, folder: Path, run: str, every: int | None = None, report: Reporter = silent) -> None:
        self.folder = folder
        self.run = run
        self.every = every
        self.written: int | None = None
        self._report = report
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[float] | None = None
        self._misses = 0
        self._cost = 0.0
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.shutdown(wait=True)

    def latest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest whole checkpoint, and what was wrong with newer ones.

        Raises ``IntegrityError`` when there are checkpoints and none of them is whole.
        """
        blobs.sweep(self.folder)
        complaints: list[str] = []
        for path in reversed(self._files()):
            try:
                found = self._read(path)
            except LithifyError as error:
                complaints.append(f"{path.name}: {error}")
            else:
                self.written = found.step
                return found, complaints
        if complaints:
            raise IntegrityError(
                "Every checkpoint of this run is damaged.",
                expected=f"a whole one in {self.folder}",
                found="; ".join(complaints),
                hint="Restore one from a backup, or remove them all to train this run again from its start.",
            )
        return None, []

    def due(self, step: int) -> bool:
        """Whether a checkpoint is worth its cost now."""
        if self.every is not None:
            return step % self.every == 0
        if self._pending is not None:
            if not self._pending.done():
                return False
            self._settle(final=False)
        waited = time.monotonic() - self._last
        return waited >= min(MAX_LOST, max(1.0, self._cost / MAX_OVERHEAD))

    def save(self, checkpoint: Checkpoint) -> None:
        """Hands a checkpoint to the writer; the arrays must not be changed afterwards.

        Raises the error of the last write once ``MAX_MISSES`` of them failed in a row.
        """
        self._settle(final=False)
        self._last = time.monotonic()
        self._pending = self._writer.submit(self._write, checkpoint)

    def save_now(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint, unless it is written, and returns once it is safe."""
        with contextlib.suppress(StoreError):  # an older one that failed: what counts now is this one
            self._settle(final=True)
        if self.written != checkpoint.step:
            self.save(checkpoint)
            self._settle(final=True)

    def clear(self) -> None:
        """Removes all checkpoints; the run is finished."""
        self._writer.shutdown(wait=True)
        for path in self._files():
            path.unlink(missing_ok=True)

    def _settle(self, *, final: bool) -> None:
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        try:
            self._cost = pending.result()
            self._misses = 0
        except StoreError as error:
            self._misses += 1
            if final or self._misses >= MAX_MISSES:
                raise
            note = f"A checkpoint could not be written ({self._misses} of {MAX_MISSES} times): {error}"
            self._report(Update("training", note=note))

    def _write(self, checkpoint: Checkpoint) -> float:
        began = time.monotonic()
        meta = {"run": self.run, "step": checkpoint.step, "facts": checkpoint.facts}
        data = container.pack(KIND, meta, checkpoint.arrays)
        blobs.write_atomic(self.folder / f"{checkpoint.step:012d}.checkpoint", data)
        self.written = checkpoint.step
        for old in self._files()[:-KEPT]:
            old.unlink(missing_ok=True)
        return time.monotonic() - began

    def _read(self, path: Path) -> Checkpoint:
        opened = container.open_file(path, KIND)
        run, step, facts = (opened.meta.get(name) for name in ("run", "step", "facts"))
        if run != self.run:
            raise IntegrityError("It belongs to another run.", found=str(run)[:19])
        if type(step) is not int or step < 0 or not isinstance(facts, dict):
            raise MalformedContainer("It has no step or no facts.")
        return Checkpoint(step, facts, opened.tensors)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.checkpoint"))
