"""A message from standard input to standard output, marked where it could be judged and untouched where not.

The judging happens in a child process with a deadline. The parent holds the message and loads next to nothing, so no
missing library, no damaged model, no crash, no hang and no lack of memory in there keeps it from passing the message
on. The child answers through a pipe of its own: neither of them can write to standard output but the parent, and the
parent does so once, at the end.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from lithify.deployment.mail import VERDICTS, Decision, marked

Judge = Callable[[bytes], Decision]
SECONDS = 30.0
"""How long judging may take unless told."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_CHUNK = 1 << 20
_SLICE = 0.1
"""Seconds after which a wait looks whether a signal came."""


class Passed(NamedTuple):
    """What became of a message.

    Attributes
    ----------
    decision : Decision or None
        None where it was passed on as it came, or not at all.
    problem : str
        Why; empty where there is a decision.
    written : bool
        Whether all of it was written.
    """

    decision: Decision | None
    problem: str
    written: bool


class _Unscored(Exception):
    """Why a message goes on unmarked."""


def through(judge: Judge, *, seconds: float = SECONDS, stdin: int = 0, stdout: int = 1) -> Passed:
    """Reads a message, has it judged, and writes it with the fields of :mod:`lithify.deployment.mail`.

    Parameters
    ----------
    judge : callable
        From the message to the decision; called in a child process. What it raises is why the message goes on as it
        came.
    seconds : float
        How long it may take.
    stdin, stdout : int
        File descriptors.

    Notes
    -----
    SIGTERM, SIGINT and SIGHUP end the judging and nothing else: the message then goes on as it came. Only a second one
    while the message is still arriving ends the process, before anything is written.
    """
    with _noted() as signals:
        try:
            raw = _read(stdin, signals)
        except BaseException as error:
            return Passed(None, f"The message cannot be read ({_said(error)}).", written=False)
        decision, parts, problem = _parts(judge, raw, seconds, signals)
        try:
            for part in parts:
                _write(stdout, part)
            os.close(os.dup(stdout))  # a disk of the network says only when a file is closed that it is full
        except BaseException as error:
            return Passed(None, f"The message cannot be written ({_said(error)}).", written=False)
    return Passed(decision, problem, written=True)


def _parts(
    judge: Judge, raw: bytes, seconds: float, signals: list[int]
) -> tuple[Decision | None, Sequence[bytes | memoryview], str]:
    """The decision, what is to be written, and why that is the message as it came where it is."""
    try:
        decision = _ask(judge, raw, seconds, signals)
        return decision, marked(raw, decision), ""
    except _Unscored as error:
        return None, [raw], str(error)
    except BaseException as error:  # whatever it is, the mail goes on
        return None, [raw], _unforeseen(error)


def _ask(judge: Judge, raw: bytes, seconds: float, signals: list[int]) -> Decision:
    """The decision of a child process; ``_Unscored`` where there is none in time."""
    sys.stderr.flush()
    reader, writer = os.pipe()
    try:
        child = os.fork()
    except BaseException:
        os.close(reader)
        os.close(writer)
        raise
    if child == 0:
        try:
            _answer(judge, raw, writer, seconds)
        finally:  # nothing of this process goes on in the child
            os._exit(0)
    os.close(writer)
    try:
        answer = _heard(reader, time.monotonic() + seconds, signals)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, os.WNOHANG)  # one that hangs in the kernel would hang us too
        raise
    finally:
        os.close(reader)
    _, status = os.waitpid(child, 0)
    return _understood(answer, os.waitstatus_to_exitcode(status))


def _heard(reader: int, end: float, signals: list[int]) -> bytes:
    """All that comes through the pipe until it is closed."""
    poll, found = select.poll(), b""
    poll.register(reader, select.POLLIN)
    while True:
        if signals:
            raise _Unscored(f"Stopped by {signal.Signals(signals[0]).name}.")
        left = end - time.monotonic()
        if left <= 0.0:
            raise _Unscored("The time for judging is over.")
        if poll.poll(1000.0 * min(left, _SLICE)):
            some = os.read(reader, _CHUNK)
            if not some:
                return found
            found += some


def _understood(answer: bytes, status: int) -> Decision:
    import json

    if not answer:
        by = f"signal {-status}" if status < 0 else f"status {status}"
        raise _Unscored(f"Judging ended with {by} and without an answer; was there too little memory?")
    told = json.loads(answer)
    if "problem" in told:
        raise _Unscored(told["problem"])
    decision = Decision(str(told["verdict"]), float(told["score"]), float(told["probability"]), str(told["digest"]))
    if decision.verdict not in VERDICTS or not decision.digest.replace(":", "").isalnum():
        raise ValueError("no decision")
    return decision


def _answer(judge: Judge, raw: bytes, writer: int, seconds: float) -> None:
    """The child: judges and answers; nothing that it prints gets anywhere."""
    for number in (*_SIGNALS, signal.SIGALRM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.alarm(int(min(seconds, 1e6)) + 2)  # should nobody be there any more to stop it
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads cost more time than one message takes
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1) if os.environ.get("LITHIFY_TRACEBACK") else (0, 1, 2):
        os.dup2(nowhere, descriptor)
    _write(writer, _judged(judge, raw))


def _judged(judge: Judge, raw: bytes) -> bytes:
    """The answer as JSON: the fields of the decision, or ``problem``."""
    import json

    try:
        told: dict[str, object] = judge(raw)._asdict()
    except BaseException as error:
        if os.environ.get("LITHIFY_TRACEBACK"):
            sys.excepthook(*sys.exc_info())
        told = {"problem": _explained(error)}
    return json.dumps(told).encode()


def _explained(error: BaseException) -> str:
    from lithify.errors import LithifyError, as_store_error

    if isinstance(error, LithifyError):
        return str(error)
    if isinstance(error, OSError):
        return str(as_store_error(error, "judging the message"))
    return _unforeseen(error)


def _unforeseen(error: BaseException) -> str:
    """A mistake of ours, or a broken installation; its text stays unsaid, for it could hold content."""
    if isinstance(error, MemoryError):
        return "Out of memory."
    what = f": {error.name}" if isinstance(error, ImportError) and error.name else ""
    return f"Lithify failed in a way that was not foreseen ({type(error).__name__}{what})."


def _said(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)


@contextlib.contextmanager
def _noted() -> Iterator[list[int]]:
    """Signals that would end the process are put on a list instead."""
    found: list[int] = []
    before = {}
    with contextlib.suppress(ValueError):  # not in the main thread: signals are somebody else's
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, lambda number, frame: found.append(number))
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read(descriptor: int, signals: list[int]) -> bytes:
    """Everything until the end; ``KeyboardInterrupt`` at the second signal."""
    chunks: list[bytes] = []
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(signals) < 2:
        if poll.poll(1000.0 * _SLICE):
            some = os.read(descriptor, _CHUNK)
            if not some:
                return b"".join(chunks)
            chunks.append(some)
    raise KeyboardInterrupt


def _write(descriptor: int, data: bytes | memoryview) -> None:
    """All of it, however little goes at a time."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left[:_CHUNK]) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
