"""How much time and memory a table takes that is larger than the memory allowed, from CSV file to sealed model.

    python benchmarks/large_table.py [--gigabytes 5] [--limit 4] [--keep FOLDER]
    python benchmarks/large_table.py --gigabytes 0.5 --times 3

Writes a CSV file of about that size, then runs ``lithify snapshot`` and ``lithify train``, each as a process of its own
whose descendants count too. Beside the peaks stands the size of the table in memory: eight bytes for each number,
four for each category. ``--limit`` lets no process have more data of its own than that (``RLIMIT_DATA``: what it
allocates; pages of files that it maps can be dropped and do not count). ``--times`` fails where training takes more
than that many times the table in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.options import ROOT, tell
from benchmarks.table import Table
from benchmarks.tables_large_data import LABEL, Shape, write
from benchmarks.tables_spent import Watch

GIB = 1 << 30


@dataclass(frozen=True)
class Took:
    """What one command took.

    Attributes
    ----------
    wall, cpu : float
        Seconds.
    peak : int
        The most bytes resident: of any one of its processes by the system's own count, or of all together as
        sampled, whichever is more.
    own : int
        The most bytes of all together that belong to no file.
    status : int
    """

    wall: float
    cpu: float
    peak: int
    own: int
    status: int


def main() -> int:
    """Writes, snapshots, trains, prints; status 1 when something failed or took too much."""
    asked = _parse()
    with tempfile.TemporaryDirectory(prefix="lithify-large-", dir=asked.place) as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        shape = Shape(asked.numbers, asked.categories)
        file, rows = _file(folder, asked.gigabytes, shape)
        table = Table(
            _title(file, rows, shape), ("verb", ">wall s", ">CPU s", ">peak GiB", ">of no file", ">× table", "status")
        )
        status = _verbs(table, asked, folder, file, rows * shape.bytes_of_row)
        table.notes += [
            "peak: resident, mapped files included. of no file: what cannot be dropped; × table: that, by the size in",
            "  memory. The table in memory: 8 bytes a number, 4 a category.",
            f"Limit of data for each process: {asked.limit or 'none'}{' GiB' if asked.limit else ''}.",
            *machine.describe(),
        ]
        sys.stdout.write(f"{table}\n")
    return status


def _verbs(table: Table, asked: argparse.Namespace, folder: Path, file: Path, size: int) -> int:
    home = ["--home", str(folder / "home"), "--quiet"]
    snapshot = ["snapshot", str(file), "--label", LABEL, "--name", "large", *home]
    train = ["train", "large", "--quality", asked.quality, "--out", str(folder / "large.lith"), *home]
    train += [word for assignment in asked.set for word in ("--set", assignment)]
    failed = False
    for verb, arguments in (("snapshot", snapshot), ("train", train)):
        if asked.only in (None, verb):
            tell(f"lithify {verb} ...")
            took = command(arguments, asked.limit)
            failed |= took.status != 0 or (
                asked.times is not None and verb == "train" and took.own > asked.times * size
            )
            table.add(
                verb, f"{took.wall:.0f}", f"{took.cpu:.0f}", f"{took.peak / GIB:.2f}", f"{took.own / GIB:.2f}",
                f"{took.own / size:.2f}", "done" if took.status == 0 else f"ended with {took.status}",
            )  # fmt: skip
            if took.status:
                break
    return int(failed)


def command(arguments: list[str], limit: float | None) -> Took:
    """Runs ``lithify`` with some arguments; what it says goes to standard error."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "lithify", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=_limited(limit) if limit else None,
    )
    with Watch(child.pid, every=0.1) as watch:
        _, status, used = os.wait4(child.pid, 0)
    ended = time.monotonic()
    child.returncode = os.waitstatus_to_exitcode(status)
    seen = watch.between(began, ended)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(
        wall=ended - began,
        cpu=cpu,
        peak=max(used.ru_maxrss << 10, int(seen.get("peak", 0))),
        own=int(seen.get("own", 0)),
        status=child.returncode,
    )


def _limited(gigabytes: float) -> Callable[[], None]:
    most = int(gigabytes * GIB)
    return lambda: resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _file(folder: Path, gigabytes: float, shape: Shape) -> tuple[Path, int]:
    """The CSV file and its rows; one that is there already is taken as it is."""
    file = folder / f"large-{gigabytes:g}-{shape.numbers}-{shape.categories}.csv"
    facts = file.with_suffix(".json")
    if not facts.exists():
        tell(f"Writing {file.name} ...")
        facts.write_text(json.dumps({"rows": write(file, int(gigabytes * 1e9), shape)}))
    return file, json.loads(facts.read_text())["rows"]


def _title(file: Path, rows: int, shape: Shape) -> str:
    return (
        f"A table of {rows:,} rows, {shape.numbers} numbers and {shape.categories} categories: "
        f"{file.stat().st_size / 1e9:.2f} GB of CSV, {rows * shape.bytes_of_row / GIB:.2f} GiB in memory"
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=5.0, help="size of the CSV file (10^9 bytes each)")
    parser.add_argument("--numbers", type=int, default=60)
    parser.add_argument("--categories", type=int, default=6)
    parser.add_argument("--quality", default="good")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="passed to lithify train")
    parser.add_argument("--limit", type=float, metavar="GIB", help="data that each process may have")
    parser.add_argument("--times", type=float, metavar="N", help="fail when training takes more than N × the table")
    parser.add_argument("--only", choices=("snapshot", "train"), help="measure one of the two alone")
    parser.add_argument("--keep", type=Path, help="folder to work in and to leave behind; otherwise a temporary one")
    parser.add_argument("--place", type=Path, help="where to make the temporary folder")
    return parser.parse_args()


if __name__ == "__main__":
    np.seterr(all="raise")
    sys.exit(main())
