"""Which plots an evaluation shows, each with its title and its words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation import drawing, plots, words
from lithify.evaluation.dependence import Dependence
from lithify.evaluation.marks import SERIES
from lithify.evaluation.plots.fields import MOST_BARS
from lithify.evaluation.plots.residuals import EDGE
from lithify.evaluation.result import Result

MOST_LABELS = 40
"""More labels are shown by those that are worst."""
FILTERED = ("mail", "text")
"""Kinds of rows that a model of two labels sorts out: what is lost counts more than what is missed."""
FEWEST_RESIDUALS = 2
SHOWN = 20


@dataclass(frozen=True)
class Figure:
    """A plot with its words."""

    title: str
    caption: str
    picture: str


def figures(e: Result) -> list[Figure]:
    """The plots that these rows allow."""
    made = _of_labels(e) if e.task == "classification" else _of_values(e)
    if e.coverage is not None:
        made.append(_coverage(e))
    history = e.model.draft.history()
    if history is not None and len(history) > 1:
        made += _learning(history)
    if e.insights is not None:
        if e.insights.importances:
            made.append(_importances(e))
        made += [_dependence(e, one, first=i == 0) for i, one in enumerate(e.insights.dependence)]
    return made


def _of_labels(e: Result) -> list[Figure]:
    both = len(np.unique(e.y)) > 1
    cutoff = float(e.model.cutoffs["spam"]) if e.model.cutoffs is not None else None
    made = []
    if both and len(e.labels) == 2 and e.snapshot.kind in FILTERED:
        made.append(_corner(e, cutoff))
    made.append(_scores(e))
    if both:
        made.append(_roc(e, cutoff))
    made.append(_reliability(e))
    made.append(_confusion(e) if len(e.labels) <= MOST_LABELS else _mixed_up(e))
    return made


def _of_values(e: Result) -> list[Figure]:
    if e.rows < FEWEST_RESIDUALS:
        return []
    far = f"Rows beyond the outer {words.percent(EDGE)} at either end are drawn at the edge."
    return [
        Figure(
            "Predicted and true values",
            f"Each row by what was predicted and what is true; on the dashed line the two are one. {far}",
            drawing.svg(plots.agreement(e.y, e.predicted)),
        ),
        Figure(
            "What is left, along the predictions",
            "True minus predicted value. The red line joins the medians of groups of equally many rows; away from the "
            f"dashed line predictions lean to one side. {far}",
            drawing.svg(plots.against_predicted(e.y, e.predicted)),
        ),
        Figure(
            "How far off",
            f"Rows by true minus predicted value. {far}",
            drawing.svg(plots.histogram(e.y, e.predicted)),
        ),
    ]


def _corner(e: Result, cutoff: float | None) -> Figure:
    picture = drawing.svg(plots.roc_corner(e.y, e.probabilities, e.labels, cutoff))
    caption = (
        f"How much {e.labels[1]} is caught for how much {e.labels[0]} lost, as the cut-off falls. "
        f"The corner of the ROC curve, with losses on a logarithmic scale: here one row of {e.labels[0]} is "
        f"{words.percent(1 / e.counts[e.labels[0]])}."
    )
    return Figure("What catching more costs", caption, picture)


def _roc(e: Result, cutoff: float | None) -> Figure:
    picture = drawing.svg(plots.roc(e.y, e.probabilities, e.labels, cutoff))
    if len(e.labels) == 2:
        caption = "The same curve on plain scales; the dashed line is chance."
        if e.snapshot.kind not in FILTERED:
            caption = (
                f"{e.labels[1]} found for {e.labels[0]} taken for it, as the cut-off falls; the dashed line is chance."
            )
        return Figure("The whole ROC curve", caption, picture)
    caption = "One curve for each label against all others; the dashed line is chance."
    if len(e.labels) > len(SERIES):
        caption += f" The first {len(SERIES)} labels."
    return Figure("ROC curves", caption, picture)


def _scores(e: Result) -> Figure:
    cutoffs = e.model.cutoffs
    edges = None if cutoffs is None else {name: float(cutoffs[name]) for name in ("unsure", "spam")}
    if edges is not None and edges["unsure"] == edges["spam"]:
        del edges["unsure"]
    picture = drawing.svg(plots.scores(e.y, e.probabilities, e.labels, edges))
    if len(e.labels) == 2:
        caption = f"Rows by the probability they got; {e.labels[1]} above the line, {e.labels[0]} below."
    else:
        caption = "Rows by the probability that their true label got."
    return Figure("Where the scores lie", caption + " Counts are on a logarithmic scale.", picture)


def _reliability(e: Result) -> Figure:
    caption = (
        "Ten bins of equal width; the larger a dot, the more rows; bars are 95 % intervals. On the dashed line a "
        "probability means what it says."
    )
    return Figure(
        "Are the probabilities true?", caption, drawing.svg(plots.reliability(e.y, e.probabilities, e.labels))
    )


def _confusion(e: Result) -> Figure:
    whatever = "" if e.model.cutoffs is None else ", whatever the cut-offs"
    caption = f"Rows by true label and by most probable label{whatever}."
    return Figure("Which label for which", caption, drawing.svg(plots.confusion(e.confusion, e.labels)))


def _mixed_up(e: Result) -> Figure:
    caption = f"Of {len(e.labels):,} labels the pairs with the most rows: the true label, and what it was taken for."
    return Figure("Which label for which", caption, drawing.svg(plots.mixed_up(e.confusion, e.labels)))


def _learning(history: NDArray[np.float32]) -> list[Figure]:
    steps = f"Over {int(history[-1, 0]):,} steps, on the training rows of each as it was learned from them"
    return [
        Figure("How the loss fell", f"{steps}.", drawing.svg(plots.loss(history))),
        Figure(
            "How the accuracy rose",
            f"{steps}, as training shows them: accuracy on rows it has not seen is another.",
            drawing.svg(plots.accuracy(history)),
        ),
    ]


def _coverage(e: Result) -> Figure:
    assert e.coverage is not None
    found = e.coverage
    if len(found.lines) > MOST_LABELS:
        found = replace(found, lines=tuple(sorted(found.lines, key=lambda line: line.share)[:SHOWN]))
    stated = words.percent(e.coverage.stated)
    what = (
        "Rows of each label whose set of labels holds the true one"
        if e.coverage.kind == "sets"
        else "Rows whose interval holds the true value, by what was predicted"
    )
    if len(found.lines) < len(e.coverage.lines):
        what += f" (the {SHOWN} labels with the least)"
    caption = f"{what}, with 95 % intervals; dashed the {stated} that the model states."
    return Figure("Is the truth where it should be?", caption, drawing.svg(plots.coverage(found)))


def _importances(e: Result) -> Figure:
    assert e.insights is not None
    shown, fields = plots.importances(e.insights.importances), len(e.insights.importances)
    most = f"The {MOST_BARS} fields that count most of {fields:,}" if fields > MOST_BARS else "All fields that count"
    caption = f"{most}, as shares of how much all of them count in the whole model, whichever way."
    return Figure("Which fields count", caption, drawing.svg(shown))


def _dependence(e: Result, one: Dependence, first: bool) -> Figure:
    """The first of them says how to read all."""
    what = "predicted value"
    if one.share:
        what = f"probability of {e.labels[-1]}" if len(e.labels) == 2 else "probability"
    caption = f"Mean {what} as {one.field} takes each value"
    if first:
        caption += (
            f" in {one.rows:,} rows and all else stays as it is. Where fields hang together, some of these rows could "
            "not be"
        )
    caption += f". The first {len(SERIES)} labels." if len(one.curves) > len(SERIES) else "."
    return Figure(f"What {one.field} does", caption, drawing.svg(plots.dependence(one, what)))
