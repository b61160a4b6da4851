"""A thread that does something again and again until it is stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger("lithify.serve")


class Ticker:
    """Calls ``action`` every so many seconds, in a thread of its own that never keeps a process alive.

    What ``action`` raises is logged by its class alone, for its text could hold content, and the calls go on.

    >>> done = threading.Event()
    >>> ticker = Ticker("example", 0.001, done.set)
    >>> done.wait(10), ticker.stop()
    (True, None)
    """

    def __init__(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self._seconds = seconds
        self._action = action
        self._due = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"lithify-{name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Has the next call come at once."""
        self._due.set()

    def stop(self) -> None:
        """Stops after the call that is under way."""
        self._stopped = True
        self._due.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._due.wait(self._seconds)
            self._due.clear()
            if self._stopped:
                return
            try:
                self._action()
            except Exception as error:
                _log.error("The thread %s failed (%s) and goes on.", self._thread.name, type(error).__name__)
