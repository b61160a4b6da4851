"""What the benchmark ``tables`` is asked for."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.options import ROOT
from benchmarks.tables_data import files, name_of
from benchmarks.tables_systems import SYSTEMS

SEEDS = 5


@dataclass(frozen=True)
class TableOptions:
    """What was asked.

    Attributes
    ----------
    tables : list of Path
    systems : list of str
    seeds : list of int
    peers_python : Path or None
        The interpreter of the environment that holds the peers; None runs Lithify alone.
    results : Path
        One JSON line for each table, seed and system; what is in it already is not run again.
    report : bool
        Run nothing.
    quiet : float or None
        Cores that may be busy before a training begins: it waits until no more are.
    again : float or None
        Cores that others may have kept busy during a training; one with more is run again, and the new line counts.
    """

    tables: list[Path]
    systems: list[str]
    seeds: list[int]
    peers_python: Path | None
    results: Path
    report: bool
    quiet: float | None = None
    again: float | None = None


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options that only ``tables`` reads."""
    group = parser.add_argument_group("tables (--data is then a folder of CSV files whose target column is `target`)")
    group.add_argument("--peers-python", metavar="FILE", help="Python of the peers' environment; LITHIFY_BENCH_PEERS")
    group.add_argument(
        "--results", metavar="FILE", help="where figures are kept, tables.jsonl or images.jsonl: goes on there"
    )
    group.add_argument("--quiet", type=float, metavar="CORES", help="wait before each training until no more are busy")
    group.add_argument("--again", type=float, metavar="CORES", help="run again where others kept more cores busy")
    group.add_argument("--report", action="store_true", help="run nothing, print what the results say")
    group.add_argument("--tables", metavar="NAMES", help="some tables, in this order, separated by commas")
    group.add_argument("--systems", metavar="NAMES", help=f"some of: {', '.join(SYSTEMS)}; or of images")
    group.add_argument("--seeds", metavar="NUMBERS", help=f"such as 0,1; 0 to {SEEDS - 1} if not given")


def make(parser: argparse.ArgumentParser, given: argparse.Namespace) -> TableOptions:
    """Reads them; what does not exist is an error of the parser."""
    folder = _folder(given.data)
    found = {name_of(path): path for path in files(folder)} if folder.is_dir() else {}
    if not found and not given.report:
        parser.error(f"there is no folder of CSV files at {folder}; give one with --data")
    names = _some(parser, "table", given.tables, list(found))
    systems = _some(parser, "system", given.systems, list(SYSTEMS))
    seeds = [int(word) for word in given.seeds.split(",")] if given.seeds else list(range(SEEDS))
    python = given.peers_python or os.environ.get("LITHIFY_BENCH_PEERS")
    return TableOptions(
        tables=[found[name] for name in names],
        systems=systems,
        seeds=seeds,
        peers_python=Path(python).expanduser() if python else None,
        results=Path(given.results or "tables.jsonl").expanduser(),
        report=given.report,
        quiet=given.quiet,
        again=given.again,
    )


def _folder(given: str | None) -> Path:
    if given is not None:
        return Path(given).expanduser()
    folder = os.environ.get("LITHIFY_BENCH_DATA")
    return (Path(folder).expanduser() if folder else ROOT.parent / "shared" / "data") / "tables"


def _some(parser: argparse.ArgumentParser, what: str, given: str | None, known: list[str]) -> list[str]:
    if given is None:
        return known
    names = [name.strip() for name in given.split(",")]
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no {what} {unknown[0]!r}; there are {', '.join(known)}")
    return names
