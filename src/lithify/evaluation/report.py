"""An evaluation as one HTML page that stands by itself: no network, no content beyond short spans unless asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lithify.data.cells import as_text, decode_row, layout
from lithify.evaluation import tree_drawing, unusual, words
from lithify.evaluation.coverage import Covered
from lithify.evaluation.facts import facts_of
from lithify.evaluation.figures import MOST_LABELS, SHOWN, figures
from lithify.evaluation.labelled import VERDICTS
from lithify.evaluation.mistakes import Miss, Mistake, Span, spans
from lithify.evaluation.result import Result
from lithify.evaluation.summary import headlines, measured_on, summary
from lithify.evaluation.templating import Filters, page
from lithify.evaluation.thumbnails import thumbnail
from lithify.media import mime
from lithify.metrics import wilson
from lithify.store.blobs import write_atomic

CONTENT_LENGTH = 20_000
WITHOUT_PICTURE = 3
"""Mistakes of each true label that are listed of images whose pictures are not shown."""


@dataclass(frozen=True)
class Shown:
    """A mistake with its explanation, or the other labels it could have had; when asked for, its text or picture."""

    heading: list[tuple[str, bool]]
    key: str
    spans: list[Span]
    text: str | None
    picture: str = ""
    others: tuple[tuple[str, float], ...] = ()


def write(evaluation: Result, path: Path, show_content: bool = False) -> Path:
    """Writes the page, whole or not at all; raises ``StoreError`` when it cannot be written."""
    write_atomic(path, render(evaluation, show_content).encode(errors="replace"), 0o644)
    return path


def render(evaluation: Result, show_content: bool = False) -> str:
    """The page as text."""
    filters: Filters = {
        "day": words.day,
        "short": words.short,
        "bound": _bound,
        "percent": words.percent,
        "figure": words.figure,
        "interval": words.interval,
    }
    facts = facts_of(evaluation.snapshot)
    return page(
        "report.html",
        filters,
        e=evaluation,
        summary=summary(evaluation),
        headlines=headlines(evaluation),
        measured_on=measured_on(evaluation),
        figures=figures(evaluation),
        verdicts=_verdicts(evaluation),
        per_label=_per_label(evaluation),
        few_labels=len(evaluation.labels) <= MOST_LABELS,
        novelty=[] if evaluation.unusual is None else unusual.table(evaluation.unusual),
        coverage_lines=_coverage_lines(evaluation),
        tree=_tree(evaluation),
        mistakes=[_shown(evaluation, mistake, show_content) for mistake in _listed(evaluation, show_content)],
        wrong=int(np.count_nonzero(evaluation.y != evaluation.predicted)),
        facts=facts,
        side_rows=[(side, list(facts.labels[side].values()), rows) for side, rows in facts.sides.items()],
        card=[(name, words.flat({name: value})) for name, value in evaluation.card.items()],
        show_content=show_content,
    )


def _listed(e: Result, show_content: bool) -> Sequence[Mistake | Miss]:
    """The mistakes that are listed: of images whose pictures are not shown only the worst of each label."""
    if show_content or e.snapshot.kind != "image":
        return e.mistakes
    count: Counter[object] = Counter()
    kept = []
    for mistake in e.mistakes:
        count[mistake.truth] += 1
        if count[mistake.truth] <= WITHOUT_PICTURE:
            kept.append(mistake)
    return kept


def _bound(text: str) -> str:
    """Text whose percentages are not torn apart at the end of a line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


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
    if len(e.labels) <= 2:
        return []
    lines = []
    for code, label in enumerate(e.labels):
        right, rows, called = (
            int(n) for n in (e.confusion[code, code], e.confusion[code].sum(), e.confusion[:, code].sum())
        )
        lines.append(
            {
                "label": label,
                "share": right / rows if rows else 0.0,
                "rows": rows,
                "found": words.percent(right / rows) if rows else "",
                "interval": words.interval(*wilson(right, rows), "share") if rows else "",
                "precision": words.percent(right / called) if called else "",
            }
        )
    return lines


def _coverage_lines(e: Result) -> list[Covered]:
    """Each line, of many those with the least, and, where they are several, all rows together."""
    if e.coverage is None:
        return []
    lines = list(e.coverage.lines)
    if len(lines) > MOST_LABELS:
        lines = sorted(lines, key=lambda line: line.share)[:SHOWN]
    return lines if len(lines) == 1 and lines[0].name == e.coverage.whole.name else [*lines, e.coverage.whole]


def _tree(e: Result) -> str:
    """The drawn tree where the learner is one; empty otherwise."""
    forest = e.model.draft.tree()
    if forest is None:
        return ""
    columns, known = e.model.draft.columns(), () if e.insights is None else e.insights.complete
    complete = [column.name for column in columns if column.field in known]
    return tree_drawing.draw(forest, columns, e.model.labels, complete=complete)


def _shown(e: Result, mistake: Mistake | Miss, show_content: bool) -> Shown:
    content = e.snapshot.content(np.array([mistake.row]))[0]
    if e.snapshot.kind == "image":
        others = mistake.others if isinstance(mistake, Mistake) else ()
        return Shown(_heading(mistake), mistake.key, [], None, thumbnail(content) if show_content else "", others)
    explanation = e.model.explain_content(content)
    return Shown(_heading(mistake), mistake.key, spans(explanation), _text(e, content) if show_content else None)


def _heading(mistake: Mistake | Miss) -> list[tuple[str, bool]]:
    """What happened to a row, as pieces of text, each with whether it is to stand out."""
    if isinstance(mistake, Miss):
        off = mistake.truth - mistake.predicted
        return [
            (words.value(mistake.truth), True),
            ("predicted as", False),
            (words.value(mistake.predicted), True),
            (f"off by {words.value(off)}", False),
        ]
    pieces = [(mistake.truth, True), ("taken for", False), (mistake.predicted, True)]
    pieces.append((f"at {words.percent(mistake.probability)}" + (", verdict" if mistake.verdict else ""), False))
    return pieces + ([(mistake.verdict, True)] if mistake.verdict else [])


def _text(e: Result, content: bytes) -> str:
    if e.snapshot.kind == "table":
        return "\n".join(f"{name}: {value}" for name, value in _cells(e, content))
    text = mime.text(content) if e.snapshot.kind == "mail" else content.decode("utf-8", errors="replace")
    rest = f"\n… and {len(text) - CONTENT_LENGTH:,} more characters" if len(text) > CONTENT_LENGTH else ""
    return text[:CONTENT_LENGTH] + rest


def _cells(e: Result, content: bytes) -> list[tuple[str, str]]:
    """Name and value of each field of one row, sorted by name."""
    at = layout(e.model.fields)
    numbers, strings = decode_row(at, content)
    found = zip((*at.numbers, *at.strings), (*numbers, *strings), strict=True)
    return sorted((one.name, as_text(one, value)) for one, value in found)
