"""A comparison in plain words: the verdict first, then what it was measured on."""

from __future__ import annotations

from dataclasses import dataclass

from lithify.evaluation import words
from lithify.evaluation.comparison.comparison import Comparison
from lithify.evaluation.comparison.paired import Difference
from lithify.evaluation.comparison.verdict import points, span
from lithify.evaluation.summary import sentence

SAID = {
    "better": "The challenger is better.",
    "not worse": "The challenger is not worse.",
    "undecided": "Undecided: too few rows to tell.",
    "worse": "The challenger is worse.",
}


@dataclass(frozen=True)
class Tile:
    """A figure shown large."""

    title: str
    value: str
    beneath: str


def verdict(c: Comparison) -> str:
    """The verdict in one sentence."""
    return SAID[c.verdict]


def tiles(c: Comparison) -> list[Tile]:
    """The few figures that say most."""
    found = c.metrics[c.findings.deciding]
    made = [Tile(found.title, both(found), f"{points(found.difference, found.unit)} ({span(found)})")]
    if c.flips is not None:
        for name, turn in (("Negative flips", c.flips.negative), ("Positive flips", c.flips.positive)):
            made.append(Tile(name, f"{turn.rows:,}", f"{words.percent(turn.share)} of rows"))
    worse = sum(one.worse for one in c.slices)
    made.append(Tile("Slices that got worse", f"{worse}", f"of {len(c.slices):,} looked at"))
    made.append(
        Tile(
            "Time for one row",
            f"{seconds(c.latency.champion)} → {seconds(c.latency.challenger)}",
            "median, on this machine",
        )
    )
    return made


def both(found: Difference) -> str:
    """The champion's figure and the challenger's."""
    return f"{words.figure(found.champion, found.unit)} → {words.figure(found.challenger, found.unit)}"


def measured_on(c: Comparison) -> list[str]:
    """Rows, split, generations, looks; then what limits the figures."""
    counts = ", ".join(f"{rows:,} {label}" for label, rows in c.counts.items())
    few = f" ({counts})" if 0 < len(c.counts) <= 24 else ""
    split = c.snapshot.manifest["split"]
    side = "all splits" if c.split == "all" else f"the {c.split} split"
    lines = [f"{c.rows:,} rows of {side}{few}, split by {split['rule']}; both models on the same rows."]
    if split["reason"]:
        lines.append(sentence(str(split["reason"])))
    if list(c.generations) != [0]:
        each = ", ".join(f"{rows:,} of generation {generation}" for generation, rows in c.generations.items())
        lines.append(f"Rows by generation: {each}.")
    if c.looks is not None:
        lines.append(f"This split has been looked at {words.times(c.looks)}, these two included.")
    return lines + list(c.notes)


def seconds(spent: float) -> str:
    """A short time in a unit that people read.

    >>> seconds(0.000031), seconds(0.0042), seconds(1.5)
    ('31 µs', '4.2 ms', '1.5 s')
    """
    for unit, scale in (("µs", 1e6), ("ms", 1e3)):
        if spent * scale < 1000.0:
            return f"{spent * scale:.2g} {unit}" if spent * scale < 100.0 else f"{spent * scale:.0f} {unit}"
    return f"{spent:.2g} s"
