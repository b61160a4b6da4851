"""How fast: archive to sealed model by phases, scoring, the command line, opening, checkpoints; peers beside it.

Each line is measured in fresh processes with the compiled kernels cached, but where it says otherwise. Timings are
worth something only on a quiet machine: the load is printed below the table.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks import machine, peers, processes
from benchmarks.one_training import PHASES
from benchmarks.options import Options, tell
from benchmarks.scoring import raw_messages
from benchmarks.table import Table

COLUMNS = ("what", ">measured", "unit", ">spread", ">target", "how")
PHASE_WORDS = {
    "load": "loading the code",
    "open": "opening, survey of the archive",
    "read": "reading, snapshot rows",
    "group": "near-duplicates",
    "write": "writing the snapshot",
    "features": "features",
    "model": "training the model",
    "folds": "training the folds for the cut-off",
    "seal": "calibrating, measuring, sealing",
}
FOUR_MEGABYTES = {"folds": 0, "linear": {"steps": 2}, "features": {"body_bits": 20, "shape_bits": 20}}


def run(options: Options) -> Table:
    """Measures everything; about two minutes on two quiet cores."""
    before = machine.load()
    with tempfile.TemporaryDirectory(prefix="lithify-bench-") as folder:
        place = Path(folder)
        archive = _archive(options, place)
        table = Table(f"Speed on {len(raw_messages(archive, None)):,} messages", COLUMNS)
        _training(table, options, archive, place)
        _scoring(table, options, archive, place)
        _command_line(table, options, archive, place)
        _opening(table, options, archive, place)
        _checkpoints(table, options, archive, place)
    table.notes += [
        "measured: the median of the repeats; spread: the least and the most.",
        *machine.describe(),
        f"Before: {before}; after: {machine.load()}.",
    ]
    return table


def _archive(options: Options, place: Path) -> Path:
    """The archive itself, or a smaller one with some of its messages."""
    if options.rows is None:
        return options.data
    import tarfile

    path = place / "some.tar.xz"
    with tarfile.open(options.data) as whole, tarfile.open(path, "w:xz", preset=1) as some:
        members = [member for member in whole.getmembers() if member.isfile()]
        for member in members[:: max(1, len(members) // options.rows)]:
            some.addfile(member, whole.extractfile(member))
    return path


def _training(table: Table, options: Options, archive: Path, place: Path) -> None:
    def once(name: str, environment: dict[str, str] | None = None) -> dict:  # type: ignore[type-arg]
        tell(f"Archive to model: {name}.")
        told = {"archive": str(archive), "home": str(place / f"home-{name}"), "copy": str(place / "model.lith")}
        return processes.called("benchmarks.one_training", told, environment)

    if not options.quick:
        once("warming")
    found = [once(f"repeat {number + 1}") for number in range(1 if options.quick else 5)]
    seconds = [sum(one["seconds"].values()) for one in found]
    _line(table, "archive to sealed model", seconds, "s", "5", "in process, 2 threads at most, loading included")
    for phase in PHASES:
        target = "0.5" if phase == "model" else ""
        _line(table, f"  {PHASE_WORDS[phase]}", [one["seconds"][phase] for one in found], "s", target, "")
    _line(table, "  the whole process", [one["wall"] for one in found], "s", "", "from start to exit")
    if not options.quick:
        cold = once("cold", {"NUMBA_CACHE_DIR": str(place / "kernels")})
        extra = cold["wall"] - median(one["wall"] for one in found)
        _line(table, "compiling the kernels", [extra], "s", "", "once for each installation; not in the figures above")
    table.add()


def _scoring(table: Table, options: Options, archive: Path, place: Path) -> None:
    rows = 200 if options.quick else 2000
    told = {"archive": str(archive), "model": str(place / "model.lith"), "rows": rows, "learned": rows}
    filters: list[tuple[str, str | int]] = [("Lithify", "lithify")]
    if not options.quick:
        filters += [
            (f"{peer.name} ({peer.sees})", at)
            for at, peer in enumerate(peers.PEERS)
            if peer in (peers.Words, peers.CharactersOfSubject)
        ]
    for name, which in filters:
        tell(f"Scoring: {name}.")
        ours = which == "lithify"
        asked = told | {"which": which, "singles": 1000 if ours else 200, "repeats": 9 if ours else 1}
        found = processes.called("benchmarks.scoring", asked)
        how = f"one core, {found['messages']:,} raw messages, MIME decoding included"
        targets = ("20,000", "150") if ours else ("", "")
        _line(table, f"{name}: batch", found["batch"], "messages/s", targets[0], how)
        _line(table, "  one at a time, p50", [found["p50"]], "µs", targets[1], "one core, warm process")
        _line(table, "  one at a time, p99", [found["p99"]], "µs", "", "")
    table.add()


def _command_line(table: Table, options: Options, archive: Path, place: Path) -> None:
    tell("The command line.")
    message = place / "one.eml"
    message.write_bytes(raw_messages(archive, 10)[0])
    home = {"LITHIFY_HOME": str(place / "home-cli")}
    commands = (
        ("python -c pass", ["-c", "pass"], "", "what Python itself takes"),
        ("import lithify", ["-c", "import lithify"], "150", "whole process"),
        ("lithify --help", ["-m", "lithify", "--help"], "300", "whole process"),
        ("lithify predict one.eml", ["-m", "lithify", "predict", str(place / "model.lith"), str(message)], "400",
         "whole process, without numba"),
    )  # fmt: skip
    repeats = 1 if options.quick else 15
    taken: dict[str, list[float]] = {name: [] for name, *_ in commands}
    for _ in range(repeats):  # in turns, so that a busy moment does not fall on one of them
        for name, arguments, *_ in commands:
            taken[name].append(1000 * processes.timed(arguments, home)[0])
    for name, _, target, how in commands:
        _line(table, name, taken[name], "ms", target, how)
    table.add()


def _opening(table: Table, options: Options, archive: Path, place: Path) -> None:
    tell("Opening models.")
    large = place / "large.lith"
    told = {"archive": str(archive), "home": str(place / "home-large"), "copy": str(large), "recipe": FOUR_MEGABYTES}
    processes.called("benchmarks.one_training", told)
    for path, target in ((place / "model.lith", ""), (large, "5")):
        found = processes.called("benchmarks.opening", {"model": str(path), "repeats": 5 if options.quick else 50})
        size = path.stat().st_size / 1e6
        how = "file in the page cache, seal and structure checked"
        _line(table, f"opening a model of {size:.1f} MB", found["milliseconds"], "ms", target, how)
    table.add()


def _checkpoints(table: Table, options: Options, archive: Path, place: Path) -> None:
    tell("Checkpoints.")
    told = {"archive": str(archive), "home": str(place / "home-checkpoints")}
    told_ = {**told, "repeats": 1 if options.quick else 5, "steps": 40 if options.quick else 450}
    found = processes.called("benchmarks.checkpoint_cost", told_)
    shares = [100 * writer / whole for writer, whole in found["found"]]
    length = median(whole for _, whole in found["found"])
    size = f" of {found['bytes'] / 1e6:.0f} MB" if found["written"] else ""
    how = f"{found['written']} written{size} in {len(shares)} trainings of {length:.1f} s of processor time"
    _line(table, "checkpoints, share of training's processor time", shares, "%", "2", how)


def _line(table: Table, what: str, found: list[float], unit: str, target: str, how: str) -> None:
    spread = f"{_number(min(found))} to {_number(max(found))}" if len(found) > 1 else ""
    table.add(what, _number(median(found)), unit, spread, target, how)


def _number(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
