"""One stretch of compute spent on a run: how long it may last, and signals that end it early."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Self

from lithify.errors import LithifyError, SessionEnded

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Session:
    """Ends by plan (``limit`` seconds) or by SIGINT or SIGTERM.

    Between steps whoever runs them asks :meth:`over`. Where there are no steps to stop between, in the stretches
    inside :meth:`at_once`, a signal ends the session where it stands.

    Signal handlers are set only in the main thread and put back afterwards. A second signal of the same kind meets the
    handler that was there before, so a session that hangs can still be broken off.

    Parameters
    ----------
    run : str
        Key of the run.
    limit : float, optional

    Attributes
    ----------
    stop : threading.Event
        Set once the session has to end.
    why : str
        ``limit`` or the name of the signal.
    """

    def __init__(self, run: str, limit: float | None = None) -> None:
        self.run = run
        self.stop = threading.Event()
        self.why = ""
        self._limit = limit
        self._began = time.monotonic()
        self._at_once = False
        self._error: LithifyError | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._unraisable = sys.unraisablehook

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._on_lost
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._before:
            sys.unraisablehook = self._unraisable
        self._before = {}

    def over(self) -> bool:
        """Whether the session has to end now."""
        if self._limit is not None and not self.stop.is_set() and time.monotonic() - self._began >= self._limit:
            self.why = "limit"
            self.stop.set()
        return self.stop.is_set()

    def check(self) -> None:
        """Raises ``SessionEnded``, or what it was aborted with, when the session has to end now."""
        if self.over():
            raise self.ended()

    def abort(self, error: LithifyError) -> None:
        """Ends the session with an error of its own, from any thread; the first reason to end stays the reason."""
        if not self.stop.is_set():
            self._error = error
            self.stop.set()

    def ended(self) -> LithifyError:
        """The error that says why the session ends."""
        if self._error is not None:
            return self._error
        reason = "The session's time is up" if self.why == "limit" else f"Stopped by {self.why}"
        return SessionEnded(self.run, f"{reason}.", hint="Run the same command again to go on.")

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, a signal raises ``SessionEnded`` wherever the main thread stands; the session's limit does not."""
        self._at_once = True
        try:
            if self.stop.is_set():
                raise self.ended()
            yield
            if self.stop.is_set():  # the error was lost, as in a destructor
                raise self.ended()
        finally:
            self._at_once = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number)
        self.why = name.name
        self.stop.set()
        signal.signal(number, self._before[name])
        if self._at_once:
            raise self.ended()

    def _on_lost(self, lost: Any) -> None:
        """Says nothing of an end that a destructor swallowed: it comes again at the end of :meth:`at_once`."""
        if not isinstance(lost.exc_value, SessionEnded):
            self._unraisable(lost)
