"""Requests a second for one row each, beside MLServer, MLflow and BentoML with the same class of model.

Every server runs alone, on the same cores as the client (wrk with 32 connections), with as many workers as there are
cores; of MLServer also without its pool of workers. The census is reduced to its numbers, since peers leave the coding
of categories to their users.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import lithify
from benchmarks import machine
from benchmarks.options import tell
from benchmarks.serving_load import Load, free_ports, memory, stop, wait, wrk
from benchmarks.serving_systems import COLUMNS, ENVIRONMENTS, Started, start_ours, start_peer
from benchmarks.table import Table

LEARNERS = {"linear": "linear, 6 numbers", "boosting": "boosted trees, 6 numbers", "text": "linear, a message of mail"}


def run(given: argparse.Namespace) -> Table:
    """Measures every server with every learner."""
    seconds = 3 if given.quick else 10
    columns = (
        "model",
        "server",
        ">requests/s",
        ">p50 ms",
        ">p99 ms",
        ">at half: p99 ms",
        ">failed",
        ">MiB, all",
        ">largest",
    )
    table = Table("Serving: one row a request", columns)
    with tempfile.TemporaryDirectory(prefix="lithify-serving-") as name:
        for learner in LEARNERS:
            _learner(table, learner, Path(name), given.servers, seconds)
            table.add()
    table.notes = [
        f"Machine: {machine.hardware()}; client and server share the cores.",
        f"Versions: {machine.versions(('numpy', 'numba', 'httptools', 'uvloop', 'orjson'))}.",
        f"{machine.load().capitalize()}." + (" Quick mode: not to be quoted." if given.quick else ""),
        f"wrk, 32 connections, {seconds} s after {max(2, seconds // 3)} s of warming.",
        "At half: 64 connections that pause so that about half of the requests a second come.",
        "MiB: shared pages divided among the processes (PSS).",
    ]
    return table


def _learner(table: Table, learner: str, folder: Path, servers: Path | None, seconds: int) -> None:
    rows, first = _rows(learner, folder)
    told: dict[str, Any] = {"learner": learner, "rows": str(rows), "columns": COLUMNS, "row": first}
    cores = len(os.sched_getaffinity(0))
    best = 0.0
    for server, workers in (("MLServer", 0), ("MLServer", cores), ("MLflow", cores), ("BentoML", cores)):
        python = None if servers is None else servers / ENVIRONMENTS[server] / "bin" / "python"
        if python is None or not python.exists():
            tell(f"{server}: no environment")
            continue
        place = folder / f"{learner}-{server}-{workers}"
        place.mkdir()
        facts = told | {"server": server, "folder": str(place), "workers": workers, "ports": free_ports(3)}
        try:
            found = _measured(
                lambda facts=facts, python=python, server=server: start_peer(server, python, facts, _log(facts)),
                facts,
                seconds,
            )
        except (RuntimeError, OSError) as error:
            tell(f"{server}: {error}")
            continue
        best = max(best, found[0].rate)
        table.add(
            LEARNERS[learner],
            f"{server}, {workers or 'no'} workers",
            *_cells(*found),
        )
    model = _train(learner, rows, folder)
    for workers in (1, cores):
        facts = told | {"folder": str(folder), "workers": workers, "ports": free_ports(1)}
        found = _measured(lambda facts=facts: start_ours(model, facts, folder / "home", _log(facts)), facts, seconds)
        table.add(LEARNERS[learner], f"Lithify, {workers} worker{'s' if workers > 1 else ''}", *_cells(*found))
        if best:
            table.rows[-1] = (
                *table.rows[-1][:2],
                f"{found[0].rate:,.0f} ({found[0].rate / best:.1f} x)",
                *table.rows[-1][3:],
            )


def _measured(start: Any, facts: dict[str, Any], seconds: int) -> tuple[Load, Load, list[float]]:
    folder = Path(facts["folder"])
    started: Started = start()
    try:
        wait(started, _log(facts))
        wrk(started, folder, max(2, seconds // 3))
        full = wrk(started, folder, seconds)
        half = wrk(started, folder, seconds, connections=64, rate=full.rate / 2)
        tell(f"{facts.get('server', 'Lithify')} {facts['workers']}: {full.rate:,.0f} requests/s")
        return full, half, memory(started)
    finally:
        stop(started)


def _cells(full: Load, half: Load, sizes: list[float]) -> tuple[str, ...]:
    failed = full.failed + half.failed
    return (
        f"{full.rate:,.0f}", f"{full.p50:.2f}", f"{full.p99:.2f}", f"{half.p99:.2f} ({half.rate:,.0f}/s)", f"{failed}",
        f"{sum(sizes):.0f}", f"{max(sizes):.0f}",
    )  # fmt: skip


def _log(facts: dict[str, Any]) -> Path:
    return Path(facts["folder"]) / f"server-{facts['learner']}-{facts['workers']}.log"


def _rows(learner: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """A CSV file for all servers, and the row that is asked for."""
    path = folder / f"{learner}.csv"
    if learner == "text":
        return _texts(path)
    with (
        resources.files("lithify.samples").joinpath("adult.csv.gz").open("rb") as packed,
        gzip.open(packed, "rt") as file,
    ):
        found = [{name: row[name] for name in (*COLUMNS, "target")} for row in csv.DictReader(file)]
    _write(path, found)
    return path, {name: float(found[0][name]) for name in COLUMNS}


def _texts(path: Path) -> tuple[Path, dict[str, Any]]:
    """The sample of mail as texts of at most 20,000 characters; asked for is one of middling length."""
    import tarfile

    found = []
    with resources.as_file(resources.files("lithify.samples") / "mail.tar.xz") as packed, tarfile.open(packed) as tar:
        for member in tar:
            if member.isfile() and (file := tar.extractfile(member)) is not None:
                text = file.read().decode("latin-1")[:20_000].replace("\0", "")
                found.append({"text": text, "target": "spam" if "/spam/" in f"/{member.name}" else "ham"})
    _write(path, found)
    return path, {"text": sorted((row["text"] for row in found), key=len)[len(found) // 2]}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _train(learner: str, rows: Path, folder: Path) -> Path:
    home, out = folder / "home", folder / f"ours-{learner}.lith"
    lithify.train(
        str(rows), learner="boosting" if learner == "boosting" else "linear", quality="fast", label="target",
        kind="text" if learner == "text" else None, home=home, out=out,
    )  # fmt: skip
    return out
