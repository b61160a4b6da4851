"""The process above the workers: holds the socket, starts them, replaces those that die, and sees them out.

It opens no model and loads no numeric library, so it costs next to nothing. All workers accept from one socket, which
the supervisor holds open: connections that were not accepted yet survive the death of any worker.

SIGTERM and SIGINT: the workers finish what is under way; a second one: at once. SIGHUP: every worker is replaced by a
new one, which serves before the old one goes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

from lithify.deployment.http.child import Child, start

AT_ONCE = 0.25
"""A worker that serves for fewer seconds died at once: the next one waits, longer every time."""
LONGEST = 10.0
"""Seconds between two attempts, at most."""
ATTEMPTS = 5
"""Workers that may fail one after another while none serves."""
_LEAVING = 2.0
"""Seconds beyond its grace that a worker has for going."""
_STOPS = (signal.SIGTERM, signal.SIGINT)
_log = logging.getLogger("lithify.serve")


class Supervisor:
    """Keeps a number of workers running.

    Parameters
    ----------
    listeners : sequence of socket
        Sockets that listen; closed in the end.
    settings : dict
        For every worker, see :mod:`lithify.deployment.http.worker`. ``sockets`` is added, and ``shared``: a private
        folder that goes with the supervisor.
    workers : int
        At least one.
    """

    def __init__(self, listeners: Sequence[socket.socket], settings: dict[str, Any], workers: int) -> None:
        self._listeners = list(listeners)
        self._wanted = workers
        self._asked = settings | {"sockets": [listener.fileno() for listener in listeners]}
        self._settings = self._asked
        self._grace = float(settings["limits"]["grace"])
        self._children: list[Child] = []
        self._selector = selectors.DefaultSelector()
        self._told: list[int] = []
        self._misses = 0
        self._due = 0.0

    def run(self, ready: Callable[[dict[str, Any]], None] = lambda said: None) -> int:
        """Serves until a signal.

        Parameters
        ----------
        ready : callable
            Told once, when all workers serve, what the first one said of itself.

        Returns
        -------
        int
            0, or 128 and the number of a second signal that cut requests short.

        Raises
        ------
        LithifyError
            A worker cannot start: what it said of it.
        """
        with _private_folder() as folder, self._heeding():
            self._asked["shared"] = folder
            try:
                self._begin(ready)
                while not self._stopping():
                    self._step(fill=True)
                    if signal.SIGHUP in self._told:
                        self._told.remove(signal.SIGHUP)
                        self._roll()
                return self._stop()
            finally:
                self._end()

    def _begin(self, ready: Callable[[dict[str, Any]], None]) -> None:
        """The first worker alone, so that what is wrong is said once; then the others together."""
        said: dict[str, Any] = {}
        for count in (1, self._wanted - 1):
            group = [self._start() for _ in range(count)]
            self._await(group)
            if self._stopping():
                return
            for child in group:
                if child.ready is None:
                    raise child.why()
                said = said or child.ready
            self._settings = self._asked | {"things": said["things"]}  # whoever comes later serves the same
        ready(said)

    def _roll(self) -> None:
        """Replaces every worker by a new one, one after another; where a new one fails, the old ones stay."""
        _log.warning("Restarting the workers one by one.")
        self._settings = self._asked
        for old in [child for child in self._children if not child.retired]:
            new = self._start()
            self._await([new], fill=True)
            if self._stopping():
                return
            if new.ready is None:
                return _log.error("The new worker failed, so the old ones stay. %s", new.why())
            self._settings = self._asked | {"things": new.ready["things"]}
            if old in self._children:
                old.retire()

    def _stop(self) -> int:
        for listener in self._listeners:
            listener.close()  # those of the workers are open until they have accepted what came
        for child in self._children:
            child.retire()
        while self._children:
            stops = [number for number in self._told if number in _STOPS]
            if len(stops) > 1:
                return 128 + stops[-1]
            self._step()
        return 0

    def _end(self) -> None:
        for child in self._children:
            child.signal(signal.SIGKILL)
        for child in self._children:
            child.process.wait()
            child.close()
        for listener in self._listeners:
            listener.close()
        self._selector.close()

    def _start(self) -> Child:
        child = start(self._settings)
        self._children.append(child)
        self._selector.register(child.output, selectors.EVENT_READ, child)
        return child

    def _await(self, group: Sequence[Child], *, fill: bool = False) -> None:
        """Until each serves or is gone, or a signal to stop came."""
        while not self._stopping() and any(child.ready is None and child in self._children for child in group):
            self._step(fill=fill)

    def _step(self, *, fill: bool = False) -> None:
        """Waits for whatever comes first and sees to it; ``fill`` also starts workers in the place of dead ones."""
        for key, _ in self._selector.select(self._patience()):
            if key.data is None:
                os.read(key.fd, 1 << 10)  # a signal, which its handler noted
            elif not key.data.hear():
                self._selector.unregister(key.fd)
        for child in [child for child in self._children if child.process.poll() is not None]:
            self._bury(child, fill=fill)
        now = time.monotonic()
        for child in self._children:
            if child.retired and now - child.retired > self._grace + _LEAVING:
                child.signal(signal.SIGKILL)
        if fill and now >= self._due and not self._stopping():
            for _ in range(self._wanted - len([child for child in self._children if not child.retired])):
                self._start()

    def _patience(self) -> float:
        """Seconds until something is due; all else, the end of a worker included, is a signal or a word."""
        if any(child.retired for child in self._children):
            return 0.1
        return min(1.0, max(0.0, self._due - time.monotonic())) or 1.0

    def _bury(self, child: Child, *, fill: bool) -> None:
        """Takes a worker that is gone off the list, and decides when the next one may start."""
        self._children.remove(child)
        with contextlib.suppress(KeyError):  # it was silent before it was gone
            self._selector.unregister(child.output)
            while child.hear():
                pass
        child.close()
        if child.retired or not fill:
            return
        now = time.monotonic()
        lived = child.ready is not None and now - child.since > AT_ONCE
        self._misses = 0 if lived else self._misses + 1
        self._due = now + (min(LONGEST, 0.1 * 2**self._misses) if self._misses else 0.0)
        if self._misses >= ATTEMPTS and not any(other.ready for other in self._children):
            raise child.why()
        how = str(child.failure) if child.failure else child.ending()
        _log.warning("A worker is gone and another takes its place. %s", how)

    def _stopping(self) -> bool:
        return any(number in self._told for number in _STOPS)

    @contextlib.contextmanager
    def _heeding(self) -> Iterator[None]:
        """Inside, signals are noted and end the wait of :meth:`_step`."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            if number != signal.SIGCHLD:
                self._told.append(number)

        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            there.setblocking(False)
            self._selector.register(here, selectors.EVENT_READ, None)
            heeded = (*_STOPS, signal.SIGHUP, signal.SIGCHLD)
            before = {number: signal.signal(number, note) for number in heeded}
            waking = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
            try:
                yield
            finally:
                signal.set_wakeup_fd(waking)
                for number, handler in before.items():
                    signal.signal(number, handler)


@contextlib.contextmanager
def _private_folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="lithify-serve-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
