"""What a piece of work takes: seconds, processor time, memory; of one process, and of all its descendants together.

Reads ``/proc``, so the figures of descendants are there on Linux only. Needs the standard library alone.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

Made = TypeVar("Made")
PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Spent:
    """Of one call: when it ran (monotonic seconds, the same clock in all processes), and the peak of this process."""

    began: float
    ended: float
    peak: int


def watched(call: Callable[[], Made]) -> tuple[Made, Spent]:
    """Calls, and says what it took."""
    began = time.monotonic()
    made = call()
    return made, Spent(began, time.monotonic(), peak_here())


def peak_here() -> int:
    """The most bytes that this process has had resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


class Watch:
    """Follows a process and its descendants from outside, twice a second, until the block ends.

    Memory is the proportional set size: what is shared by several processes counts once.
    """

    def __init__(self, pid: int, every: float = 0.5) -> None:
        self._pid, self._every = pid, every
        self._stop = threading.Event()
        self._used: dict[int, float] = {}
        self._seen: list[tuple[float, int, int, float, float]] = []
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def between(self, began: float, ended: float) -> dict[str, float]:
        """What was seen: ``peak`` bytes, ``own`` bytes that belong to no file, ``cpu`` seconds, and how many cores the
        rest of the machine kept busy (``others``); nothing when there was no time to look twice.
        """
        seen = [sample for sample in self._seen if began - self._every <= sample[0] <= ended + self._every]
        if len(seen) < 2:
            return {}
        times, peaks, owns, cpus, busies = zip(*seen, strict=True)
        mine = cpus[-1] - cpus[0]
        rest = max(0.0, busies[-1] - busies[0] - mine) / (times[-1] - times[0])
        return {"peak": max(peaks), "own": max(owns), "cpu": round(mine, 2), "others": round(rest, 2)}

    def _follow(self) -> None:
        while PROC.is_dir() and not self._stop.wait(self._every):
            tree = descendants(self._pid)
            for pid in tree:
                self._used[pid] = max(self._used.get(pid, 0.0), cpu_of(pid))
            memory = [memory_of(pid) for pid in tree]
            peak, own = (sum(each) for each in zip(*memory, strict=True))
            self._seen.append((time.monotonic(), peak, own, sum(self._used.values()), busy()))


def descendants(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:  # grows while it is walked
        found += children.get(each, [])
    return found


def cpu_of(pid: int) -> float:
    """Processor seconds of a process, without its children; 0 when it is gone."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICK if fields else 0.0


def memory_of(pid: int) -> tuple[int, int]:
    """Resident bytes of a process, shared ones in proportion, and those that belong to no file; 0 when it is gone."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    found = {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines[1:]}
    return found.get("Pss", 0), found.get("Anonymous", 0)


def busy() -> float:
    """Seconds that all cores together have worked since the machine started."""
    fields = [int(word) for word in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK  # all but idle and waiting for disks


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` from the third on; the second may hold anything."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
