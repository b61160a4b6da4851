"""One stretch of compute spent on a run: how long it may last, and signals that end it early."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Session:
    """Ends by plan (``limit`` seconds) or by SIGINT or SIGTERM; both only set :attr:`stop`.

    Signal handlers are set only in the main thread and put back afterwards. A second signal of the same kind meets the
    handler that was there before, so a session that hangs can still be broken off.

    Attributes
    ----------
    stop : threading.Event
        Set once the session has to end.
    why : str
        ``limit`` or the name of the signal.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.stop = threading.Event()
        self.why = ""
        self._limit = limit
        self._began = time.monotonic()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def over(self) -> bool:
        """Whether the session has to end now."""
        if self._limit is not None and not self.stop.is_set() and time.monotonic() - self._began >= self._limit:
            self.why = "limit"
            self.stop.set()
        return self.stop.is_set()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number)
        self.why = name.name
        self.stop.set()
        signal.signal(number, self._before[name])
