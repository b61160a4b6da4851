"""An evaluation in plain words: the answer first, then what it was measured on."""

from __future__ import annotations

from dataclasses import dataclass

from lithify.evaluation import words
from lithify.evaluation.result import Result
from lithify.metrics import wilson

HEADLINES = ("missed_at_1_per_100", "one_minus_roca_percent", "accuracy", "calibration_error")
HEADLINES_VALUES = ("pinball_loss", "mae", "median_absolute_error", "rmse", "r_squared")
HEADLINES_MANY = ("accuracy", "balanced_accuracy", "auc", "calibration_error")
MOST_NAMED = 24
"""More labels are not named one by one in a sentence."""


@dataclass(frozen=True)
class Headline:
    """A figure shown large."""

    title: str
    value: str
    interval: str


def summary(e: Result) -> list[str]:
    """The answer in sentences, the most important first."""
    if e.verdicts is not None:
        return _at_cutoff(e)
    return (_of_values(e) if e.task == "regression" else _of_labels(e)) + _held(e) + _unusual(e)


def _of_labels(e: Result) -> list[str]:
    right = sum(int(e.confusion[i, i]) for i in range(len(e.labels)))
    return [f"{words.of(right, e.rows, 'rows')} get the right label ({share(right, e.rows)})."]


def headlines(e: Result) -> list[Headline]:
    """The few figures that say most."""
    two = HEADLINES if e.snapshot.kind in ("mail", "text") else HEADLINES_MANY
    names = {0: HEADLINES_VALUES, 2: two}.get(len(e.labels), HEADLINES_MANY)
    if e.verdicts is not None and e.model.cutoffs is not None and e.model.cutoffs["budget"] < 0.005:
        names = ("missed_at_1_per_1000", *names[1:])
    return [
        Headline(
            found["title"],
            words.figure(found["value"], found["unit"]),
            words.interval(found["low"], found["high"], found["unit"]),
        )
        for found in (e.metrics[name] for name in names if name in e.metrics)
    ]


def measured_on(e: Result) -> list[str]:
    """What the figures rest on: rows, split, generations, looks; then what limits them."""
    each = _each_label(e)
    split = e.snapshot.manifest["split"]
    lines = [f"{e.rows:,} rows of the {e.split} split{each}, split by {split['rule']}."]
    if split["reason"]:
        lines.append(sentence(str(split["reason"])))
    lines.append(_generations(e.generations))
    if e.looks is not None:
        lines.append(f"This {e.split} split has been looked at {words.times(e.looks)}.")
    return [line for line in lines if line] + list(e.notes)


def _each_label(e: Result) -> str:
    """Rows of each label; of many labels only the fewest and the most."""
    if len(e.counts) > MOST_NAMED:
        return f" ({len(e.counts):,} labels of {min(e.counts.values()):,} to {max(e.counts.values()):,} rows)"
    counts = ", ".join(f"{label}: {rows:,}" for label, rows in e.counts.items())
    return f" ({counts})" if counts else ""


def share(count: int, total: int) -> str:
    """A proportion with its interval.

    >>> share(3, 830)
    '0.36 %, 95 % interval 0.12 to 1.06 %'
    """
    low, high = wilson(count, total)
    return f"{words.percent(count / max(total, 1))}, 95 % interval {words.interval(low, high, 'share')}"


def sentence(text: str) -> str:
    """Text with a capital and a full stop.

    >>> sentence("times are there")
    'Times are there.'
    """
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _at_cutoff(e: Result) -> list[str]:
    assert e.verdicts is not None
    negative, positive = e.labels[0], e.labels[-1]
    lost, caught = e.verdicts[negative], e.verdicts[positive]
    hams, spams = e.counts[negative], e.counts[positive]
    none = f"none of {hams:,} {negative}"
    loss = none if lost["spam"] == 0 else words.of(lost["spam"], hams, negative)
    return [
        f"At the sealed cut-off {loss} would be lost ({share(lost['spam'], hams)}).",
        f"{words.of(caught['spam'], spams, positive)} would be caught ({share(caught['spam'], spams)}).",
        f"Marked unsure: {lost['unsure']:,} {negative} and {caught['unsure']:,} {positive}. "
        f"Let through: {caught['ham']:,} {positive}.",
    ]


def _of_values(e: Result) -> list[str]:
    mae, half, explained = (e.metrics.get(name) for name in ("mae", "median_absolute_error", "r_squared"))
    assert mae is not None
    assert half is not None
    lines = [
        f"Predictions are off by {words.value(mae['value'])} on average, "
        f"half of them by at most {words.value(half['value'])}."
    ]
    if explained is not None and explained["value"] > 0.0:
        around = words.interval(max(explained["low"], 0.0), explained["high"], "share")
        lines.append(f"They explain {words.percent(explained['value'])} of the variance (95 % interval {around}).")
    elif explained is not None:
        lines.append("Always predicting the mean would be no worse.")
    return lines


def _held(e: Result) -> list[str]:
    """What was found of sets or intervals."""
    if e.coverage is None:
        return []
    whole, stated = e.coverage.whole, words.percent(e.coverage.stated)
    if e.coverage.kind == "sets":
        what, size = "Sets of labels", f"; they hold {words.number(whole.size or 0.0)} labels on average"
    else:
        what = "Intervals"
        size = "; they are infinite" if whole.size is None else f"; their median width is {words.value(whole.size)}"
    return [
        f"{what} stated to hold the truth for {stated} of rows hold it for {share(whole.covered, whole.rows)}{size}."
    ]


def _unusual(e: Result) -> list[str]:
    """How many rows are called unlike all that was trained on."""
    if e.unusual is None:
        return []
    first = e.unusual.found[0]
    of = words.of(first.called, first.rows, "rows")
    return [f"{of} are called unlike anything it was trained on ({share(first.called, first.rows)})."]


def _generations(generations: dict[int, int]) -> str:
    if list(generations) in ([], [0]):
        return ""
    each = ", ".join(f"{rows:,} of generation {generation}" for generation, rows in generations.items())
    return f"Rows by generation: {each}."
