"""How well and how fast tables are learned, beside the usual libraries, on several splits of every table of a folder.

Each training is a process of its own, one at a time, and each may use every core. The figures of each are kept in a
file as one line, so that hours of work can be interrupted and gone on with; the report is made from that file alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks import machine, tables_report, tables_results
from benchmarks.options import ROOT, tell
from benchmarks.tables_data import name_of
from benchmarks.tables_options import TableOptions
from benchmarks.tables_results import Line
from benchmarks.tables_spent import Watch, busy, descendants
from benchmarks.tables_systems import SYSTEMS


def run(options: TableOptions) -> str:
    """Runs what the results do not have yet, and reports."""
    if not options.report:
        for path, seed, system in _wanted(options):
            _await_quiet(options.quiet)
            line = _one(path, seed, system, options)
            tables_results.append(options.results, line)
            tell(_said(line))
    return tables_report.report(tables_results.read(options.results), tables_results.failures(options.results))


def _await_quiet(most: float | None, over: float = 5.0) -> None:
    """Waits until no more than some cores are busy, over five seconds: timings on a busy machine are worth nothing."""
    while most is not None:
        before = busy()
        time.sleep(over)
        if (busy() - before) / over <= most:
            return


def _wanted(options: TableOptions) -> Iterator[tuple[Path, int, str]]:
    """By seed, then by system, then by table: what is there after a while is complete for some seeds."""
    lines = tables_results.read(options.results)
    most = float("inf") if options.again is None else options.again
    done = {tables_results.key(line) for line in lines if tables_report.disturbance(line) <= most}
    for seed in options.seeds:
        for system in options.systems:
            if options.peers_python is None and not SYSTEMS[system].ours:
                continue
            yield from ((path, seed, system) for path in options.tables if (name_of(path), seed, system) not in done)


def _one(path: Path, seed: int, system: str, options: TableOptions) -> Line:
    """One training and its figures, or why there are none."""
    line: Line = {
        "table": name_of(path), "seed": seed, "system": system, "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2), "hardware": machine.hardware(),
    }  # fmt: skip
    python = Path(sys.executable) if SYSTEMS[system].ours else options.peers_python
    with tempfile.TemporaryDirectory(prefix="lithify-tables-") as folder:
        out = Path(folder, "figures.json")
        facts = {"table": str(path.resolve()), "seed": seed, "system": system, "out": str(out)}
        began = time.monotonic()
        failed, watch = _child(str(python), facts, Path(folder))
        line["wall"] = round(time.monotonic() - began, 2)
        if failed:
            return {**line, "failed": failed}
        return {**line, **_merged(json.loads(out.read_text()), watch)}


def _child(python: str, facts: dict[str, Any], folder: Path) -> tuple[str, Watch]:
    """Runs the child in an empty folder; its last words if it fails."""
    system = SYSTEMS[facts["system"]]
    with (folder / "printed.txt").open("w+") as printed:
        child = subprocess.Popen(
            [python, "-m", "benchmarks.tables_child", json.dumps(facts)],
            cwd=folder,
            env=_environment(system.ours),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        failed = ""
        with Watch(child.pid) as watch:
            try:
                if child.wait(system.limit):
                    failed = f"ended with {child.returncode}: "
            except subprocess.TimeoutExpired:
                for pid in reversed(descendants(child.pid)):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                child.wait()
                failed = f"took longer than {system.limit} s: "
        printed.seek(0)
        return (failed + printed.read()[-600:].strip() if failed else ""), watch


def _merged(figures: Line, watch: Watch) -> Line:
    """The figures with what the training took, as seen from inside and from outside."""
    spent = figures.pop("spent")
    seen = watch.between(spent["began"], spent["ended"])
    seen["peak"] = max(spent["peak"], seen.get("peak", 0))
    return {**figures, "fit": round(spent["ended"] - spent["began"], 3), **seen}


def _environment(ours: bool) -> dict[str, str]:
    """With this package on the path; ours only where ours is run: the peers' environment must not see it."""
    left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return kept | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "src") if ours else (ROOT,)))}


def _said(line: Line) -> str:
    name = f"{line['table']}, seed {line['seed']}, {line['system']}"
    if "failed" in line:
        return f"{name}: {line['failed'][:400]}"
    return f"{name}: {tables_report.judged(line):.5g} in {line['fit']:.1f} s (load {line['load']})"
