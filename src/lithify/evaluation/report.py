"""An evaluation as one HTML page that stands by itself: no network, no content beyond short spans unless asked for."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lithify.errors import as_store_error
from lithify.evaluation import drawing, plots, words
from lithify.evaluation.facts import Facts, facts_of
from lithify.evaluation.marks import SERIES
from lithify.evaluation.mistakes import Mistake, Span, spans
from lithify.evaluation.result import VERDICTS, Result
from lithify.evaluation.summary import headlines, measured_on, summary
from lithify.media import mime
from lithify.metrics import wilson

CONTENT_LENGTH = 20_000
MOST_LABELS = 40


@dataclass(frozen=True)
class Figure:
    """A plot with its words."""

    title: str
    caption: str
    picture: str


@dataclass(frozen=True)
class Shown:
    """A mistake with its explanation and, when asked for, its text."""

    mistake: Mistake
    probability: str
    spans: list[Span]
    text: str | None


def write(evaluation: Result, path: Path, show_content: bool = False) -> Path:
    """Renders and writes the page by way of a temporary file beside it.

    Raises ``StoreError`` when it cannot be written.
    """
    page = render(evaluation, show_content)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(page, encoding="utf-8", errors="replace")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise as_store_error(error, "writing a report") from error
    return path


def render(evaluation: Result, show_content: bool = False) -> str:
    """The page as text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lithify.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"day": words.day, "short": words.short, "bound": _bound}
    script = _template("report.js")
    return environment.get_template("report.html").render(
        e=evaluation,
        style=_template("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        summary=summary(evaluation),
        headlines=headlines(evaluation),
        measured_on=measured_on(evaluation),
        figures=_figures(evaluation),
        verdicts=_verdicts(evaluation),
        per_label=_per_label(evaluation),
        mistakes=[_shown(evaluation, mistake, show_content) for mistake in evaluation.mistakes],
        wrong=int(evaluation.confusion.sum() - np.trace(evaluation.confusion)),
        facts=facts_of(evaluation.snapshot),
        side_rows=_side_rows(facts_of(evaluation.snapshot)),
        card=[(name, words.flat({name: value})) for name, value in evaluation.card.items()],
        show_content=show_content,
    )


def _bound(text: str) -> str:
    """Text whose percentages are not torn apart at the end of a line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _template(name: str) -> str:
    return resources.files("lithify.evaluation").joinpath("templates", name).read_text(encoding="utf-8")


def _figures(e: Result) -> list[Figure]:
    """The plots that these rows allow."""
    both = len(np.unique(e.y)) > 1
    cutoff = float(e.model.cutoffs["spam"]) if e.model.cutoffs is not None else None
    made = []
    if both and len(e.labels) == 2:
        made.append(_corner(e, cutoff))
    made.append(_scores(e))
    if both:
        made.append(_roc(e, cutoff))
    made.append(_reliability(e))
    if len(e.labels) <= MOST_LABELS:
        made.append(_confusion(e))
    return made


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
        return Figure("The whole ROC curve", "The same curve on plain scales; the dashed line is chance.", picture)
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
    caption = "Rows by true label and by most probable label, whatever the cut-offs."
    return Figure("Which label for which", caption, drawing.svg(plots.confusion(e.confusion, e.labels)))


def _verdicts(e: Result) -> list[tuple[str, list[tuple[int, str, str]]]]:
    """By label: rows, share and interval of each verdict."""
    if e.verdicts is None:
        return []
    result = []
    for label, counts in e.verdicts.items():
        total = sum(counts.values())
        cells = [
            (counts[v], words.percent(counts[v] / max(total, 1)), words.interval(*wilson(counts[v], total), "share"))
            for v in VERDICTS
        ]
        result.append((label, cells))
    return result


def _per_label(e: Result) -> list[dict[str, Any]]:
    """With more than two labels: what is found of each, and how much of what is called so is it."""
    if len(e.labels) == 2:
        return []
    lines = []
    for code, label in enumerate(e.labels):
        right, rows, called = (
            int(n) for n in (e.confusion[code, code], e.confusion[code].sum(), e.confusion[:, code].sum())
        )
        lines.append(
            {
                "label": label,
                "rows": rows,
                "found": words.percent(right / rows) if rows else "",
                "interval": words.interval(*wilson(right, rows), "share") if rows else "",
                "precision": words.percent(right / called) if called else "",
            }
        )
    return lines


def _side_rows(facts: Facts) -> list[tuple[str, list[int], int]]:
    return [(side, list(counts.values()), sum(counts.values())) for side, counts in facts.sides.items()]


def _shown(e: Result, mistake: Mistake, show_content: bool) -> Shown:
    content = e.snapshot.content(np.array([mistake.row]))[0]
    explanation = e.model.explain_content(content)
    text = _text(e.snapshot.kind, content) if show_content else None
    return Shown(mistake, words.percent(mistake.probability), spans(explanation), text)


def _text(kind: str, content: bytes) -> str:
    text = mime.text(content) if kind == "mail" else content.decode("utf-8", errors="replace")
    rest = f"\n… and {len(text) - CONTENT_LENGTH:,} more characters" if len(text) > CONTENT_LENGTH else ""
    return text[:CONTENT_LENGTH] + rest
