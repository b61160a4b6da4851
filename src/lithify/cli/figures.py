"""Figures of a model in a terminal: each with its interval and what it was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lithify.cli.output import Terminal, plain

if TYPE_CHECKING:
    from lithify.evaluation.evaluate import Evaluation
    from lithify.model.model import Model
    from lithify.model.prediction import Prediction

TWO = ("missed_at_1_per_1000", "missed_at_1_per_100", "one_minus_roca_percent", "accuracy", "calibration_error")
MANY = ("accuracy", "balanced_accuracy", "auc", "calibration_error")
VALUES = ("rmse", "mae", "median_absolute_error", "r_squared", "pinball_loss")

COLOURS = {"spam": "red", "ham": "green", "unsure": "yellow"}
"""Of verdicts."""
MOST_HELD = 8
"""Labels of a set that are named; of more only how many there are is said."""
UNLIKE = "unlike anything it was trained on"
HINDSIGHT = "Figures at a stated loss use the best cut-off in hindsight, not the sealed one."


def figures(terminal: Terminal, model: Model, measured: Mapping[str, Mapping[str, Any]]) -> None:
    """The figures sealed into a model that say most."""
    from lithify.evaluation import words
    from lithify.metrics import METRICS

    data, rows = model.card["data"], model.card["test"]["rows"]
    terminal.title("Measured on rows it has never seen")
    if not rows:
        return terminal.paragraph(
            "Nothing: the test split has no rows. It takes more data to say how good this is.", "  "
        )
    names = _names(model)
    labels = positive_last(model)
    terminal.table(
        [
            [
                f"  {metric.titled(labels)}",
                words.figure(measured[metric.name]["value"], metric.unit),
                words.interval(measured[metric.name]["low"], measured[metric.name]["high"], metric.unit),
            ]
            for metric in METRICS
            if metric.name in names and metric.name in measured
        ],
        right=[1],
        head=["", "", "95 % interval"],
    )
    sides = data["split"]["counts"]["test"]
    few = 0 < len(model.labels) <= 24
    each = ", ".join(f"{count:,} {plain(label)}" for label, count in sides.items()) if few else ""
    counted = f"{rows:,} test rows" + (f" ({each})" if each else "")
    terminal.paragraph(f"{counted}, split by {data['split']['rule']}: {data['split']['reason']}.", "  ")
    if names is TWO:
        terminal.paragraph(HINDSIGHT, "  ")


def _names(model: Model) -> tuple[str, ...]:
    """The figures that are shown of a model, by name."""
    if not model.labels:
        return VALUES
    return TWO if len(model.labels) == 2 and model.kind in ("mail", "text") else MANY


def conformal(terminal: Terminal, model: Model) -> None:
    """What the sealed sets of labels or intervals hold."""
    if model.conformal is None:
        return
    from lithify.conformal import sentences

    terminal.title("Sets of labels" if model.labels else "Intervals")
    for sentence in sentences(model.conformal, model.labels):
        terminal.paragraph(plain(sentence), "  ")


def positive_last(model: Model) -> tuple[str, ...]:
    """The labels in the order that titles of figures expect."""
    labels = model.labels
    return labels[::-1] if len(labels) == 2 and model.spam == labels[0] else labels


def cutoffs(terminal: Terminal, model: Model) -> None:
    """The sealed cut-offs and what the ham shows of them."""
    found = model.cutoffs
    if found is None:
        if model.kind == "mail" and len(model.labels) == 2:
            terminal.title("No cut-off")
            why = (
                "There were no rows to set one by. It takes more data."
                if model.spam
                else f"None of the labels {' and '.join(map(plain, model.labels))} is known to mean spam. "
                "Train with --set spam=LABEL to have cut-offs and verdicts."
            )
            terminal.paragraph(why, "  ")
        return
    terminal.title(f"The cut-off, for a ham loss of {100 * found['budget']:g} %")
    band = f"spam from {found['spam']:.4f}" + (
        f", unsure from {found['unsure']:.4f}" if found["unsure"] < found["spam"] else ", no unsure band"
    )
    terminal.paragraph(f"Probability of {model.spam}: {band}.", "  ")
    for sentence in found["text"]:
        terminal.paragraph(sentence, "  ")


def limits(terminal: Terminal, model: Model) -> None:
    """What the card says the model cannot do, but for what was said with the cut-offs and of unknown inputs."""
    terminal.title("Limits")
    for limit in model.card["limits"]:
        if limit not in (*(model.cutoffs or {}).get("text", ()), *_of_novelty(model)):
            terminal.bullet(limit)


def _of_novelty(model: Model) -> list[str]:
    from lithify.model.unknowns import sentences as measured
    from lithify.novelty import sentences

    if model.novelty is None:
        return []
    found = model.card["test"]["novelty"]
    return sentences(int(model.novelty.facts["rows"])) + ([] if found is None else measured(found))


def evaluation_table(terminal: Terminal, found: Evaluation) -> None:
    """All figures of an evaluation, the answer in words first, then what it was measured on."""
    from lithify.evaluation.summary import measured_on, summary

    for sentence in summary(found):
        terminal.paragraph(sentence)
    terminal.say()
    lines = [[row.name, row.value, row.interval] for row in found.table()]
    terminal.table(lines, right=[1], head=["", "", "95 % interval"])
    terminal.say()
    for sentence in measured_on(found):
        terminal.paragraph(sentence)
    if any(name.startswith("missed_at") for name in found.metrics):
        terminal.paragraph(HINDSIGHT)


def others(found: Prediction) -> str:
    """The set of labels, where it holds anything but the label itself, and whether the input is unlike all else."""
    held = found.labels
    told = "" if held is None or held == (found.label,) else f"  {{{', '.join(map(plain, held))}}}"
    if held is not None and len(held) > MOST_HELD:
        told = f"  {{{len(held):,} labels}}"
    return told + (f"  {UNLIKE}" if found.unlike else "")


def novelty(terminal: Terminal, model: Model) -> None:
    """What share of familiar and of unknown inputs is called unusual."""
    if model.novelty is None:
        return
    from lithify.evaluation import words
    from lithify.novelty import sentences

    terminal.title("Unknown inputs")
    found = model.card["test"]["novelty"]
    if found is not None:
        kinds = [("test rows", found["rows"], found["test"])]
        kinds += [(f"made up: {kind}", found["made"], shares) for kind, shares in found["unknown"].items()]
        rows = [[f"  {kind}", f"{rows:,}", *map(words.percent, shares)] for kind, rows, shares in kinds]
        levels = [f"called unusual at {100 * level:g} %" for level in found["levels"]]
        terminal.table(rows, right=[1, 2, 3], head=["", "rows", *levels])
    for sentence in sentences(int(model.novelty.facts["rows"])):
        terminal.paragraph(sentence, "  ")


def probability(value: float) -> str:
    """A probability that never claims to be certain.

    >>> probability(0.5), probability(0.999999), probability(1e-9)
    (' 50.00 %', '>99.99 %', '< 0.01 %')
    """
    percent = 100.0 * value
    if percent > 99.99:
        return ">99.99 %"
    return "< 0.01 %" if percent < 0.01 else f"{percent:6.2f} %"
