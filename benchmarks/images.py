"""How well images are classified after a given time, beside what the tutorials of the usual libraries reach.

Each training is a process of its own, one at a time, and may use every core. Results are kept in a file, one line each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.images_systems import SYSTEMS
from benchmarks.options import ROOT, tell
from benchmarks.table import Table

ARCHIVE = Path("images", "cifar10.tar")


def run(given: argparse.Namespace) -> str:
    """Runs what the results do not have yet, and reports."""
    data, results = data_of(given.data), Path(given.results or "images.jsonl")
    wanted = given.systems.split(",") if given.systems else list(SYSTEMS)
    for name in wanted:
        python = sys.executable if SYSTEMS[name].ours else given.peers_python
        if given.report or name in _read(results) or python is None:
            continue
        line = {"system": name, "load": round(os.getloadavg()[0], 2), **_child(str(python), data, name)}
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        tell(f"{name}: {line.get('failed') or format(line['accuracy'], '.4f')}")
    return str(_report(_read(results)))


def _child(python: str, data: Path, name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="lithify-images-") as folder:
        out = Path(folder, "figures.json")
        told = {"data": str(data.resolve()), "system": name, "out": str(out)}
        paths = (ROOT, ROOT / "src") if SYSTEMS[name].ours else (ROOT,)
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        began = time.monotonic()
        done = subprocess.run(
            [python, "-m", "benchmarks.images_child", json.dumps(told)],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=SYSTEMS[name].limit,
            check=False,
        )
        if done.returncode:
            return {"failed": (done.stdout + done.stderr)[-600:]}
        return {"wall": round(time.monotonic() - began, 1), **json.loads(out.read_text())}


def _read(results: Path) -> dict[str, dict[str, Any]]:
    """The last line of each system that did not fail."""
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    return {line["system"]: line for line in lines if "failed" not in line}


def data_of(given: str | None) -> Path:
    """The archive of images: what was given, else below ``LITHIFY_BENCH_DATA``, else below ``../shared/data``."""
    if given is not None:
        return Path(given).expanduser()
    folder = os.environ.get("LITHIFY_BENCH_DATA")
    return Path(folder).expanduser() / ARCHIVE if folder else ROOT.parent / "shared" / "data" / ARCHIVE


def _report(lines: dict[str, dict[str, Any]]) -> Table:
    table = Table("Images", ("system", ">accuracy %", ">seconds", ">CPU-s", ">peak GiB", ">predicts images/s"))
    for name, line in lines.items():
        table.add(
            name, f"{100 * line['accuracy']:.2f}", f"{line['fit']:.0f}", f"{line['cpu']:.0f}",
            f"{line['peak'] / 2**30:.2f}", f"{line['predict']:,.0f}",
        )  # fmt: skip
    table.notes = [*machine.describe(), "Seconds: from the archive (ours) or the unpacked files (peers) to the model."]
    return table
