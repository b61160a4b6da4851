"""What a server says of itself: numbers for Prometheus, of all its processes together, and the access log."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from lithify.deployment.http.access_log import AccessLog
from lithify.deployment.http.metrics import MEDIA, SECONDS, TOGETHER, Numbers, render
from lithify.deployment.http.slots import Slot
from lithify.deployment.ticker import Ticker

if TYPE_CHECKING:
    from lithify.deployment.http.message import Head, Response
    from lithify.deployment.http.routes import Call
    from lithify.deployment.service import Deployed

OTHER = "other"
"""The route of a request that has none."""
UNSURE = "unsure"
NOT_ONE = ""
"""Among the decisions of a response: rows that were given not exactly one label. It is no decision of its own."""
INTERVAL = 0.25
"""Seconds between the moments when numbers are left for the other processes: what a killed one loses at most."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_log = logging.getLogger("lithify.serve")


class Instruments:
    """The instruments of one process.

    Parameters
    ----------
    folder : Path, optional
        Private to the processes of one server, see :class:`lithify.deployment.http.slots.Slot`; None for a single one.
    log : str, optional
        Where the access log goes: a file, or ``-`` for stderr.
    interval : float
        Seconds between savings; 0 for none but on demand.

    Attributes
    ----------
    models : callable
        Gives what is served now; to be set by whoever has the service.
    waiting : callable
        Gives how many requests wait for an answer; to be set by whoever has the server.

    Examples
    --------
    >>> from lithify.deployment.http.message import Head, Response
    >>> instruments = Instruments(interval=0)
    >>> instruments.observe(None, Head("GET", "/who/knows"), Response(404, code="not-found"), 0.0002)
    >>> [line for line in instruments.exposition()[0].decode().splitlines() if line.startswith("lithify_requests")]
    ['lithify_requests_total{route="other",alias="",status="404"} 1']
    """

    def __init__(self, folder: Path | None = None, log: str | None = None, interval: float = INTERVAL) -> None:
        self.models: Callable[[], Sequence[Deployed]] = list
        self.waiting: Callable[[], int] = int
        self._log = None if log is None else AccessLog(log)
        self._slot = None if folder is None else Slot(folder)
        self._worker = 0 if self._slot is None else self._slot.number
        self._numbers = _before(self._slot)
        self._numbers.counters[("lithify_worker_starts_total",)] += 1
        self._cpu = self._numbers.counters["process_cpu_seconds_total", self._worker]
        self._lost = self._numbers.counters[("lithify_log_lines_lost_total",)]
        self._began = time.time()
        self._saving = threading.Lock()
        self._failed = False
        self._ticker = Ticker("metrics", interval, self.save) if interval and self._slot is not None else None

    def observe(self, call: Call | None, head: Head | None, response: Response, seconds: float) -> None:
        """Counts an answer and notes it in the access log; to be called by one thread."""
        route = OTHER if call is None else call.route
        alias, status, code, rows = response.alias, response.status, response.code, response.rows
        counters = self._numbers.counters
        counters["lithify_requests_total", route, alias, status] += 1
        self._numbers.put(SECONDS, ("lithify_request_seconds", route), seconds)
        if code:
            counters["lithify_errors_total", code] += 1
        if rows:
            counters["lithify_rows_total", alias] += rows
        if response.decisions:
            self._decided(alias, response)
        if self._log is not None:
            self._log.add(
                {
                    "client": call.client if call is not None else "" if head is None else head.peer,
                    "method": "" if head is None else head.method,
                    "route": route,
                    "alias": alias,
                    "status": status,
                    "rows": rows,
                    "ms": round(seconds * 1000.0, 3),
                    "model": response.model[7:19],
                    "error": code,
                }
            )

    def batch(self, requests: int) -> None:
        """Counts requests that were answered together; to be called by one thread."""
        self._numbers.put(TOGETHER, ("lithify_batch_requests",), requests)

    def tell(self, what: str, alias: str) -> None:
        """Counts what a service tells: ``swap`` or ``refused``."""
        name = "lithify_swaps_total" if what == "swap" else "lithify_swap_refused_total"
        self._numbers.counters[name, alias] += 1

    def exposition(self) -> tuple[bytes, str]:
        """What Prometheus reads, of all processes together, and its media type."""
        self.save()
        whole = self._numbers.copy()
        for number, alive, data in () if self._slot is None else self._slot.others():
            other = _read(data, number)
            if other is not None:
                whole.add(other, gauges=alive)
        return "".join(render(whole)).encode(), MEDIA

    def save(self) -> None:
        """Leaves the numbers for the other processes."""
        with self._saving:
            self._measure()
            if self._slot is None:
                return
            try:
                self._slot.save(orjson.dumps(self._numbers.copy().to_json()))
            except OSError as error:
                if not self._failed:
                    _log.error("The numbers of this process cannot be saved (%s).", error.strerror)
                self._failed = True
            else:
                self._failed = False

    def close(self) -> None:
        """Saves and writes what is left, and ends."""
        if self._ticker is not None:
            self._ticker.stop()
        if self._log is not None:
            self._log.close()
        self.save()
        if self._slot is not None:
            self._slot.close()

    def _decided(self, alias: str, response: Response) -> None:
        counters, decisions = self._numbers.counters, response.decisions
        for decision, rows in decisions.items():
            if decision != NOT_ONE:
                counters["lithify_decisions_total", alias, decision] += rows
        if unsure := decisions.get(NOT_ONE, 0) or decisions.get(UNSURE, 0):
            counters["lithify_unsure_total", alias] += unsure

    def _measure(self) -> None:
        """Everything that is looked at rather than counted."""
        worker, counters = self._worker, self._numbers.counters
        gauges: dict[tuple[str | int, ...], float] = {
            ("lithify_workers",): 1,
            ("lithify_waiting_requests", worker): self.waiting(),
            ("process_resident_memory_bytes", worker): _resident(),
            ("process_start_time_seconds", worker): self._began,
        }
        for deployed in self.models():
            which = deployed.alias, deployed.digest
            gauges["lithify_model_info", *which] = gauges["lithify_model_workers", *which] = 1
            gauges["lithify_model_since_seconds", *which] = deployed.since
        self._numbers.gauges = gauges
        counters["process_cpu_seconds_total", worker] = self._cpu + time.process_time()
        counters[("lithify_log_lines_lost_total",)] = self._lost + (0 if self._log is None else self._log.lost)


def _before(slot: Slot | None) -> Numbers:
    """The counters that the process before left; its gauges are its own."""
    data = None if slot is None else slot.load()
    found = None if data is None or slot is None else _read(data, slot.number)
    return Numbers() if found is None else Numbers(found.counters, found.histograms)


def _read(data: bytes, number: int) -> Numbers | None:
    try:
        return Numbers.from_json(orjson.loads(data))
    except (ValueError, KeyError, TypeError):
        _log.error("The numbers of process %d cannot be read, and are left out.", number)
        return None


def _resident() -> int:
    """Bytes in memory, see proc_pid_statm(5)."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE
