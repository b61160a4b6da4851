"""A long list of predictions into one file: in order, whole or not at all, and resumed where it was broken off.

Work goes to ``FILE.part``, lines of JSON whatever FILE becomes, and a small state beside it, ``.FILE.state``, says how
much of that is durable and of what request. A session cuts the part back to there and goes on with the next row. When
all rows are in it, the part becomes FILE in one step. The state stays: by the digest in it, it tells the finished file
from any other.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

from lithify import canon
from lithify.errors import IntegrityError, RunBusy, RunChanged, SessionEnded, UsageError, as_store_error
from lithify.store.blobs import reach, sync_folder, write_atomic
from lithify.store.lock import Lock

EVERY = 2.0
"""Seconds after which what was written is made durable: at most so much work is done twice."""
_NEW = "Add --new to start over, or choose another file."


class Chunk(NamedTuple):
    """Some rows: their lines of JSON, how many there are, and how many of them could not be judged."""

    lines: str
    rows: int
    problems: int


@dataclass(frozen=True)
class State:
    """What is durable.

    Attributes
    ----------
    request : dict of str to str
        What was asked: equal requests give equal files.
    rows, problems, bytes : int
        How many rows there are in the part, how many of them could not be judged, and how long it is.
    whole : bool
        Whether these are all rows.
    digest : str
        Of the finished file; empty before.
    """

    request: Mapping[str, str]
    rows: int = 0
    problems: int = 0
    bytes: int = 0
    whole: bool = False
    digest: str = ""


class Written(NamedTuple):
    """What was written, and how many of its rows were there when this session began."""

    rows: int
    problems: int
    before: int


class _Place(NamedTuple):
    out: Path
    part: Path
    state: Path


def write(
    out: Path,
    request: Mapping[str, str],
    chunks: Callable[[int], Iterator[Chunk]],
    convert: Callable[[Path], Iterator[bytes]] | None = None,
    *,
    new: bool = False,
    tell: Callable[[State, State], None] = lambda before, now: None,
) -> Written:
    """Writes all chunks to ``out``, or goes on with that.

    Parameters
    ----------
    out : Path
        Absolute, in a folder that is there.
    request : mapping of str to str
        What the rows depend on, by the words in which a change of it is said.
    chunks : callable
        Gives the chunks behind so many rows; the same rows each time.
    convert : callable, optional
        From the part to the bytes of the file, where that is no JSON lines; the same bytes each time.
    new : bool
        Whether to start over, and to replace a file that is there.
    tell : callable
        Told the state at the beginning of the session and now, after each chunk.

    Raises
    ------
    UsageError
        The file is there already, and this did not make it.
    RunChanged
        It was begun with another request.
    RunBusy
        Another process is writing it.
    IntegrityError
        The part is shorter than it was, or the finished file is another one.
    SessionEnded
        Ctrl-C or SIGTERM; all rows so far are durable.
    """
    place = _Place(out, out.with_name(f"{out.name}.part"), out.with_name(f".{out.name}.state"))
    if _is_done(place, state := _begun(place, request, new)):
        return Written(state.rows, state.problems, state.rows)
    with _alone(place):
        before = state = _begun(place, request, new)
        if _is_done(place, state):  # another process was quicker
            place.part.unlink()
            return Written(state.rows, state.problems, state.rows)
        try:
            if not state.whole:
                state = _append(place, state, chunks, tell)
            _publish(place, state, convert)
        except KeyboardInterrupt:
            again = "the same command again" if not new else "the command again, without --new,"
            raise SessionEnded(
                str(out), f"Stopped before {out.name} was whole.", hint=f"Run {again} to go on."
            ) from None
        except OSError as error:
            raise as_store_error(error, f"writing {out.name}") from error
    return Written(state.rows, state.problems, before.rows)


def _begun(place: _Place, request: Mapping[str, str], new: bool) -> State:
    """Where to go on; an error where that cannot be."""
    size = place.part.stat().st_size if place.part.exists() else 0
    found = None if new else _read(place.state)
    if new or (found is None and not size and not place.out.exists()):
        return State(dict(request))
    if found is None:
        name = place.part.name if size else place.out.name
        raise UsageError(f"{name} is there already, and no state of it.", hint=_NEW)
    if found.request != request:
        changed = [name for name in request if found.request.get(name) != request[name]]
        raise RunChanged(
            f"{place.out.name} belongs to another request.",
            found=f"other {' and '.join(changed) or 'words'}",
            hint=_NEW,
        )
    if found.whole and not size:
        return _checked(place, found) if place.out.exists() else State(dict(request))
    if size < found.bytes:
        raise IntegrityError(
            f"{place.part.name} is shorter than it was.",
            expected=f"{found.bytes:,} bytes",
            found=f"{size:,}",
            hint=_NEW,
        )
    return found


def _checked(place: _Place, state: State) -> State:
    """The state of a finished file that is still what was written."""
    try:
        digest = _digest(place.out)
    except OSError as error:
        raise as_store_error(error, f"reading {place.out.name}") from error
    if digest != state.digest:
        raise IntegrityError(f"{place.out.name} is no longer what was written.", hint=_NEW)
    return state


def _is_done(place: _Place, state: State) -> bool:
    return state.whole and not (place.part.exists() and place.part.stat().st_size)


def _read(path: Path) -> State | None:
    try:
        return State(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"{path.name} is damaged.", hint=_NEW) from error


@contextlib.contextmanager
def _alone(place: _Place) -> Iterator[None]:
    """Only one process at a time writes the part; what a killed one left of a state is removed."""
    try:
        os.close(os.open(place.part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
    except OSError as error:
        raise as_store_error(error, f"writing {place.part.name}") from error
    try:
        lock = Lock(place.part)
        lock.acquire()
    except RunBusy as error:
        raise RunBusy(f"Another process is writing {place.out.name}.", hint="Wait for it to end.") from error
    try:
        for name in (place.state.name, place.out.name):
            for left in place.out.parent.glob(f".{glob.escape(name)}.*.tmp"):
                left.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def _append(
    place: _Place, state: State, chunks: Callable[[int], Iterator[Chunk]], tell: Callable[[State, State], None]
) -> State:
    before = state
    with open(place.part, "r+b") as file:
        _save(place, state)  # before the first byte, so that a part is never without one
        file.truncate(state.bytes)
        file.seek(state.bytes)
        last = time.monotonic()
        try:
            for chunk in chunks(state.rows):
                reach("append")
                data = chunk.lines.encode("utf-8", "backslashreplace")
                file.write(data)
                state = _grown(state, chunk, len(data))
                tell(before, state)
                if time.monotonic() - last >= EVERY:
                    _sync(file.fileno(), file.flush)
                    _save(place, state)
                    last = time.monotonic()
            state = replace(state, whole=True)
        finally:  # also what came before an error is kept
            _sync(file.fileno(), file.flush)
            _save(place, state)
    return state


def _grown(state: State, chunk: Chunk, size: int) -> State:
    return replace(
        state, rows=state.rows + chunk.rows, problems=state.problems + chunk.problems, bytes=state.bytes + size
    )


def _sync(descriptor: int, flush: Callable[[], None]) -> None:
    flush()
    reach("sync-part")
    os.fsync(descriptor)


def _save(place: _Place, state: State) -> None:
    write_atomic(place.state, json.dumps(asdict(state)).encode())


def _publish(place: _Place, state: State, convert: Callable[[Path], Iterator[bytes]] | None) -> None:
    """The part becomes the file; done twice it gives the same. The state tells its digest before the part is gone."""
    reach("publish")
    if convert is None:
        _save(place, replace(state, digest=_digest(place.part)))
        os.replace(place.part, place.out)
        sync_folder(place.out.parent)
        return
    digest = write_atomic(place.out, convert(place.part), place.part.stat().st_mode & 0o777)
    reach("published")
    _save(place, replace(state, digest=digest))
    place.part.unlink()


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return canon.DIGEST_PREFIX + hashlib.file_digest(file, "sha256").hexdigest()
