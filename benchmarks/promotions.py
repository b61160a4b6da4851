"""How long moving an alias and rolling back take, by the length of the history and the size of the model."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, load
from benchmarks.options import tell
from benchmarks.table import Table
from lithify import canon
from lithify.errors import AliasMoved
from lithify.store.home import Home, open_home
from lithify.workflow import promoting

MODEL = 2 << 20
"""Bytes of a model for mail, about."""
LARGE = 100 << 20
"""Bytes of a large network."""
LIMIT_MS = 100.0
"""What a roll back may take."""
MOVERS = 8


def run(options: Any) -> Table:
    """Roll backs at several lengths and sizes, moves, checks of a history, and a crowd."""
    repeats = 5 if options.quick else 50
    table = Table("Moving an alias, in one process", ("what", ">entries", ">model MB", ">median ms", ">longest ms"))
    with tempfile.TemporaryDirectory() as folder:
        for entries, size in ((1, MODEL), (100, MODEL), (1000, MODEL), (100, 16 * MODEL), (100, LARGE)):
            if table.rows:
                table.add()
            tell(f"a history of {entries:,} entries, models of {size >> 20} MB")
            home = _home(Path(folder) / f"{entries}-{size}", entries, size)
            for what, times in _measure(home, repeats).items():
                longest = max(times)
                table.add(
                    what, f"{entries:,}", f"{size / 1e6:.1f}", f"{statistics.median(times):.2f}", f"{longest:.2f}"
                )
        tell(f"{MOVERS} at once")
        won, lost, seconds = _crowd(_home(Path(folder) / "crowd", 1, 100), 20 * repeats)
    table.notes += [
        f"A roll back checks the history and the bytes of the model, and commits: {LIMIT_MS:.0f} ms are allowed.",
        f"Of that, to digest {LARGE / 1e6:.0f} MB takes {_digesting():.0f} ms here.",
        f"{MOVERS} connections at once, {won + lost:,} tries in {seconds:.1f} s: {won:,} won, {lost:,} were told that "
        f"another was first; {won / seconds:,.0f} moves a second, each safe from a power cut.",
        f"{repeats} times each. The entries counted are those before the first time.",
        *describe(),
        f"{load()}.",
    ]
    return table


def _home(folder: Path, entries: int, size: int) -> Home:
    """A home whose alias went back and forth between two models."""
    home = open_home(folder)
    models = [home.catalog.add_model(home.blobs.put(bytes([at]) * size)).digest for at in range(2)]
    with home.catalog.transaction():
        for number in range(max(2, entries)):
            _move(home, models[number % 2])
    return home


def _measure(home: Home, repeats: int) -> dict[str, list[float]]:
    """Milliseconds of each. Pairs of a promotion and a roll back leave the alias where it was."""
    served = home.aliases.get("spam") or ""
    other = next(row.digest for row in home.catalog.models() if row.digest != served)
    times: dict[str, list[float]] = {"move": [], "rollback": [], "history": []}
    for _ in range(repeats):
        times["move"].append(_timed(lambda: _move(home, other)))
        times["rollback"].append(_timed(lambda: promoting.rollback("spam", home=home)))
        times["history"].append(_timed(lambda: promoting.history("spam", home=home)))
        if home.aliases.get("spam") != served:
            raise AssertionError("rolled back to another model")
    return times


def _digesting() -> float:
    """Milliseconds that SHA-256 of a large model takes, the best of three."""
    data = bytes(LARGE)
    return min(_timed(lambda: canon.digest(data)) for _ in range(3))


def _crowd(home: Home, tries: int) -> tuple[int, int, float]:
    """Moves won, moves lost, and the seconds for all: each expects what it saw."""
    models = [home.catalog.add_model(canon.digest(bytes([at]))).digest for at in range(MOVERS)]

    def move(number: int) -> int:
        mine = open_home(home.path)
        won = 0
        for turn in range(tries // MOVERS):
            served = mine.aliases.get("spam")
            target = models[(number + turn) % MOVERS]
            target = target if target != served else models[(number + turn + 1) % MOVERS]
            try:
                mine.aliases.move("spam", target, action="promote", who=f"{number}", why="", expect=served)
                won += 1
            except AliasMoved:
                pass
        mine.catalog.close()
        return won

    began = time.perf_counter()
    with ThreadPoolExecutor(MOVERS) as pool:
        won = sum(pool.map(move, range(MOVERS)))
    seconds = time.perf_counter() - began
    home.aliases.history("spam")
    return won, tries // MOVERS * MOVERS - won, seconds


def _move(home: Home, model: str) -> None:
    home.aliases.move("spam", model, action="promote", who="benchmark", why="")


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)
