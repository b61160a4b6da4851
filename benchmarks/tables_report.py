"""From results to tables of text: figures of each table, ranks and wins, and what each system takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import geometric_mean, mean, median, stdev

from benchmarks import machine
from benchmarks.table import Table
from benchmarks.tables_figures import HIGHER, METRIC
from benchmarks.tables_results import Line
from benchmarks.tables_systems import SYSTEMS

BUSY = 0.25
"""Cores busy elsewhere from which a training counts as disturbed."""


def judged(line: Line) -> float:
    """The figure by which a line's task is judged."""
    return float(line[METRIC[line["task"]]])


def disturbance(line: Line) -> float:
    """Cores that others kept busy during a training; the load before one that was too short to be watched."""
    return float(line.get("others", line["load"]))


def report(lines: Sequence[Line], failed: Sequence[Line]) -> str:
    """Everything that the results say, as text."""
    if not lines:
        return "No results yet."
    tables = [_figures(lines), *_ranks(lines), _against(lines), _costs(lines), _trained(lines)]
    parts: list[object] = [*(table for table in tables if table.rows), _notes(lines)]
    if failed:
        told = (
            f"  {line['table']}, seed {line['seed']}, {line['system']}: {_first(line['failed'])}" for line in failed
        )
        parts.append("\n".join(["Failed:", *told]))
    return "\n\n".join(str(part) for part in parts)


def _figures(lines: Sequence[Line]) -> Table:
    """A row for each table and system."""
    table = Table("Figures", ("table", "system", "figure", ">mean", ">between splits", ">accuracy %", ">seeds"))
    for name, of_table in _by("table", lines).items():
        first = name
        for system, found in _by("system", of_table).items():
            metric = METRIC[found[0]["task"]]
            values = [judged(line) for line in found]
            spread = _figure(metric, stdev(values)) if len(values) > 1 else ""
            accuracy = f"{100 * mean(line['accuracy'] for line in found):.2f}" if "accuracy" in found[0] else ""
            table.add(first, system, metric, _figure(metric, mean(values)), spread, accuracy, str(len(values)))
            first = ""
        table.add()
    table.rows.pop()
    return table


def _figure(metric: str, value: float) -> str:
    return f"{value:,.0f}" if metric == "rmse" and value >= 10 else f"{value:.4f}"


def _ranks(lines: Sequence[Line]) -> list[Table]:
    """Mean ranks, over all systems on the splits that all have, and over those of single models on theirs."""
    systems = list(_by("system", lines))
    slow = [name for name in systems if SYSTEMS[name].function == "autogluon"]
    sets = [systems, [name for name in systems if name not in slow]] if slow else [systems]
    sets += [[*(name for name in systems if name not in slow), one] for one in slow if len(slow) > 1]
    return [_rank(lines, chosen) for chosen in sets if len(chosen) > 1]


def _rank(lines: Sequence[Line], systems: Sequence[str]) -> Table:
    common = _common(lines, systems)
    title = f"Ranks of {len(systems)} systems on {len(common)} splits of {len({key[0] for key in common})} tables"
    table = Table(title, ("system", ">mean rank", ">wins", ">mean of tables"))
    ranks = {system: [] for system in systems}  # type: dict[str, list[tuple[str, float]]]
    for key, found in common.items():
        for system, rank in _ranked({name: _goodness(line) for name, line in found.items()}).items():
            ranks[system].append((key[0], rank))
    for system in sorted(systems, key=lambda name: mean([r for _, r in ranks[name]] or [0.0])):
        each = [rank for _, rank in ranks[system]]
        if each:
            by_table = [
                mean(r for name, r in ranks[system] if name == one) for one in {name for name, _ in ranks[system]}
            ]
            table.add(system, f"{mean(each):.2f}", str(sum(rank == 1.0 for rank in each)), f"{mean(by_table):.2f}")
    return table


def _against(lines: Sequence[Line]) -> Table:
    """Ours against each peer on the splits that both have: tables won by the mean, splits won, time, size, latency."""
    columns = (
        "ours",
        "peer",
        ">splits",
        ">splits won",
        ">tables won",
        ">its time",
        ">its size",
        ">its batch",
        ">its row",
    )
    table = Table("Lithify against each peer (times, sizes: its figure over ours, geometric mean)", columns)
    present = list(_by("system", lines))
    for ours in (name for name in present if SYSTEMS[name].ours):
        for peer in (name for name in present if not SYSTEMS[name].ours):
            common = _common(lines, (ours, peer))
            if common:
                pairs = [(found[ours], found[peer]) for found in common.values()]
                won = sum(_goodness(a) > _goodness(b) for a, b in pairs)
                ratios = [f"{_ratio(pairs, name):,.1f}" for name in ("fit", "bytes", "predict", "single")]
                table.add(ours, peer, str(len(pairs)), str(won), _tables_won(pairs), *ratios)
    return table


def _costs(lines: Sequence[Line]) -> Table:
    """Medians over everything that a system did."""
    columns = (
        "system", ">fit s", ">longest", ">test rows/s", ">one row ms", ">deployed MB", ">peak MiB", ">cores used",
        ">load before", ">others",
    )  # fmt: skip
    table = Table("What each takes: medians over tables and seeds", columns)
    for system, found in _by("system", lines).items():
        fit = [line["fit"] for line in found]
        used = [line["cpu"] / line["fit"] for line in found if "cpu" in line and line["fit"] > 3]
        others = [line["others"] for line in found if "others" in line]
        table.add(
            system,
            f"{median(fit):.1f}",
            f"{max(fit):.0f}",
            f"{median(line['test'] / line['predict'] for line in found):,.0f}",
            f"{1000 * median(line['single'] for line in found):.2f}",
            f"{median(line['bytes'] for line in found) / 1e6:.2f}",
            f"{median(line['peak'] for line in found) / 2**20:,.0f}",
            f"{median(used):.1f}" if used else "",
            f"{median(line['load'] for line in found):.1f}",
            f"{median(others):.1f}" if others else "",
        )
    return table


def _trained(lines: Sequence[Line]) -> Table:
    """How many models a system of many trained in its time, and which the chosen one is made of."""
    table = Table("Models trained within the time", ("system", "table", ">seed", ">models", "chosen, by weight"))
    for name, found in _by("system", lines).items():
        for line in found:
            if "models" in line:
                heavy = sorted(line["weights"].items(), key=lambda each: -each[1])[:4]
                parts = ", ".join(f"{part} {weight:.2f}" for part, weight in heavy)
                table.add(name, line["table"], str(line["seed"]), str(len(line["models"])), parts or line["chosen"])
    return table


def _notes(lines: Sequence[Line]) -> str:
    versions = sorted({line["version"] for line in lines if "version" in line})
    busy = sum(disturbance(line) > BUSY for line in lines)
    gets = [f"  {name}: {SYSTEMS[name].gets}" for name in _by("system", lines)]
    return "\n".join(
        [
            "figure: auc higher is better, log_loss and rmse lower. Every system has the same rows and every core.",
            "between splits: standard deviation. Ranks: 1 is best, ties share; splits that all systems have.",
            "fit: from a frame in memory to a trained model; for Lithify from the CSV file, snapshot included.",
            "one row: median of 50 frames of one row. deployed: the model file, or the folder of a deployment.",
            "peak: of the training process and its descendants, libraries included. others: cores busy elsewhere.",
            f"Disturbed, more than {BUSY} cores busy elsewhere: {busy} of {len(lines)} trainings. Their times are too",
            "  long, and what has a time limit did less in it; not to be quoted.",
            "AutoGluon is told the figure; its deployed copy is held in memory for predictions.",
            "Categorical columns, as each gets them:",
            *gets,
            f"Machine: {'; '.join(sorted({line['hardware'] for line in lines}))}.",
            f"Versions: {', '.join(versions)}; here {machine.versions()}.",
        ]
    )


def _by(what: str, lines: Iterable[Line]) -> dict[str, list[Line]]:
    """Groups, tables by name and systems in their own order."""
    groups: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line["system"] in SYSTEMS:
            groups[line[what]].append(line)
    order = list(SYSTEMS) if what == "system" else sorted(groups)
    return {name: groups[name] for name in order if name in groups}


def _common(lines: Iterable[Line], systems: Sequence[str]) -> dict[tuple[str, int], dict[str, Line]]:
    """Splits on which all of some systems have figures."""
    found: defaultdict[tuple[str, int], dict[str, Line]] = defaultdict(dict)
    for line in lines:
        if line["system"] in systems:
            found[line["table"], line["seed"]][line["system"]] = line
    return {split: of for split, of in found.items() if len(of) == len(systems)}


def _ranked(goodness: dict[str, float]) -> dict[str, float]:
    """Ranks, 1 for the best; equal ones share the mean of theirs."""
    values = list(goodness.values())
    return {
        name: 1.0 + sum(other > value for other in values) + (values.count(value) - 1) / 2
        for name, value in goodness.items()
    }


def _goodness(line: Line) -> float:
    value = judged(line)
    return value if METRIC[line["task"]] in HIGHER else -value


def _ratio(pairs: Sequence[tuple[Line, Line]], name: str) -> float:
    return geometric_mean([theirs[name] / ours[name] for ours, theirs in pairs])


def _tables_won(pairs: Sequence[tuple[Line, Line]]) -> str:
    """By the mean over the splits."""
    gains: defaultdict[str, list[float]] = defaultdict(list)
    for ours, theirs in pairs:
        gains[ours["table"]].append(_goodness(ours) - _goodness(theirs))
    return f"{sum(mean(each) > 0 for each in gains.values())} of {len(gains)}"


def _first(text: str) -> str:
    """The line of a failure that says most."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return said[-1][:200] if said else ""
