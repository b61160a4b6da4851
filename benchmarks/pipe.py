"""What one message costs a mail system that starts a process for each: ``lithify filter`` beside other filters.

Every command reads the message on standard input and writes it, marked, to standard output. Peers are measured where
they are installed; each was trained on as many messages as its own tools take in a moment, for what is measured is
the process, not the verdict.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks import machine, processes
from benchmarks.options import Options, tell
from benchmarks.scoring import raw_messages
from benchmarks.table import Table

COLUMNS = ("command", "message", ">ms", ">spread", ">peak MB", "how")
LEARNED = 400
"""Messages that a peer learns from."""


def run(options: Options) -> Table:
    """Measures everything; about a minute on two quiet cores."""
    before = machine.load()
    repeats = 3 if options.quick else 25
    with tempfile.TemporaryDirectory(prefix="lithify-bench-") as folder:
        place = Path(folder)
        told = {"archive": str(options.data), "home": str(place / "home"), "copy": str(place / "model.lith")}
        tell("Training a model.")
        processes.called("benchmarks.one_training", told)
        raws = raw_messages(options.data, LEARNED)
        usual = sorted(raws, key=len)[len(raws) // 2]
        messages = {"median": usual, "10 MB": usual + b"x" * (10_000_000 - len(usual))}
        commands = _commands(place, raws)
        table = Table("One message through a process of its own", COLUMNS)
        taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _ in range(repeats):  # in turns, so that a busy moment does not fall on one of them
            for name, command in commands.items():
                for size, raw in messages.items():
                    taken.setdefault((name, size), []).append(_once(command, raw))
    for (name, size), found in taken.items():
        ms = [1000 * seconds for seconds, _ in found]
        peak = max(kilobytes for _, kilobytes in found) / 1000
        how = "start to end, files in the page cache"
        table.add(name, size, f"{median(ms):.0f}", f"{min(ms):.0f} to {max(ms):.0f}", f"{peak:.0f}", how)
    table.notes += [*machine.describe(), f"Before: {before}; after: {machine.load()}."]
    return table


def _commands(place: Path, raws: list[bytes]) -> dict[str, list[str]]:
    """What is installed here."""
    ours = [sys.executable, "-m", "lithify", "filter"]
    found = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "lithify filter": [*ours, str(place / "model.lith")],
        "lithify filter, no such model": [*ours, str(place / "none.lith")],
    }
    if shutil.which("bogofilter"):
        home = place / "bogofilter"
        home.mkdir()
        for flag, some in (("-n", raws[: len(raws) // 2]), ("-s", raws[len(raws) // 2 :])):
            for raw in some[:100]:
                subprocess.run(["bogofilter", "-d", str(home), flag], input=raw, check=True)
        found["bogofilter -p -e"] = ["bogofilter", "-d", str(home), "-p", "-e"]
    if shutil.which("spamassassin"):
        found["spamassassin -L"] = ["spamassassin", "-L"]
    return found


def _once(command: list[str], raw: bytes) -> tuple[float, float]:
    """Seconds of a process, and the most kilobytes it held."""
    timed = ["/usr/bin/time", "-f", "%M", *command] if Path("/usr/bin/time").exists() else command
    began = time.perf_counter()
    done = subprocess.run(timed, input=raw, capture_output=True, check=True)
    seconds = time.perf_counter() - began
    told = done.stderr.split()
    return seconds, float(told[-1]) if told and told[-1].isdigit() else 0.0


if __name__ == "__main__":
    from benchmarks.options import find_archive

    sys.stdout.write(f"{run(Options(find_archive(None), quick='--quick' in sys.argv))}\n")
