"""What an evaluation found: figures, arrays and counts, before they are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation import words
from lithify.evaluation.coverage import Coverage
from lithify.evaluation.faces import Model, Snapshot
from lithify.evaluation.insights import Insights
from lithify.evaluation.mistakes import Miss, Mistake
from lithify.evaluation.unusual import Unusual


@dataclass(frozen=True)
class TableRow:
    """One line of the table that a terminal shows."""

    name: str
    value: str
    interval: str
    rows: int


@dataclass(frozen=True, eq=False)
class Result:
    """One model measured on one split of one snapshot.

    Attributes
    ----------
    model, snapshot
        As they were given.
    split : str
        ``test``, ``validation`` or ``train``.
    task : str
        ``classification`` or ``regression``. In regression what is of labels is empty.
    labels : tuple of str
        Names of the columns of ``probabilities``; of two labels the positive one is last.
    rows : int
    counts : dict of label to rows
    generations : dict of generation to rows
    metrics : dict
        By name: ``value``, ``low``, ``high`` (95 % interval), ``direction``, ``title``, ``unit``.
    y : (n,) int64 or float64
        Codes of the true labels, positions in ``labels``; in regression the true values.
    predicted : (n,) int64 or float64
        Codes of the most probable labels; in regression the predicted values.
    probabilities : (n, C) float64
    keys : (n, 32) uint8
    confusion : (C, C) int64
        Rows by true label (down) and most probable label (across).
    verdicts : dict or None
        By label: rows that the sealed cut-offs call ham, unsure and spam.
    looks : int or None
        How often this split has been looked at, this time included, where that is counted.
    coverage : Coverage or None
        Of sets or intervals, where the model gives them.
    unusual : Unusual or None
        How many rows are called unlike anything trained on, where the model says that.
    insights : Insights or None
        What only a table can be asked.
    mistakes : tuple of Mistake, in regression of Miss
    notes : tuple of str
        What limits these figures, in sentences.
    """

    model: Model = field(repr=False)
    snapshot: Snapshot = field(repr=False)
    split: str
    task: str
    labels: tuple[str, ...]
    rows: int
    counts: dict[str, int]
    generations: dict[int, int]
    metrics: dict[str, dict[str, Any]]
    y: NDArray[Any] = field(repr=False)
    predicted: NDArray[Any] = field(repr=False)
    probabilities: NDArray[np.float64] = field(repr=False)
    keys: NDArray[np.uint8] = field(repr=False)
    confusion: NDArray[np.int64] = field(repr=False)
    verdicts: dict[str, dict[str, int]] | None
    looks: int | None
    coverage: Coverage | None = field(repr=False)
    insights: Insights | None = field(repr=False)
    mistakes: tuple[Mistake, ...] | tuple[Miss, ...] = field(repr=False)
    notes: tuple[str, ...]
    unusual: Unusual | None = field(default=None, repr=False)

    @property
    def card(self) -> Mapping[str, Any]:
        """The facts sealed into the model."""
        return self.model.card

    def table(self) -> list[TableRow]:
        """Name, value, interval and rows of each figure, in words, in the order in which they are shown."""
        return [
            TableRow(
                found["title"],
                words.figure(found["value"], found["unit"]),
                words.interval(found["low"], found["high"], found["unit"]),
                self.rows,
            )
            for found in self.metrics.values()
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything but arrays and content: plain values that canonical JSON can carry."""
        return {
            "model": self.model.digest,
            "snapshot": self.snapshot.digest,
            "split": self.split,
            "task": self.task,
            "rule": str(self.snapshot.manifest["split"]["rule"]),
            "rows": self.rows,
            "counts": self.counts,
            "generations": {str(generation): rows for generation, rows in self.generations.items()},
            "looks": self.looks,
            "metrics": self.metrics,
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
            "verdicts": self.verdicts,
            "coverage": None if self.coverage is None else _plain(asdict(self.coverage)),
            **({} if self.unusual is None else {"novelty": _unusual(self.unusual)}),
            "insights": None if self.insights is None else self.insights.to_json(),
            "mistakes": [
                {name: value for name, value in vars(mistake).items() if name not in ("row", "others")}
                | _others(mistake)
                for mistake in self.mistakes
            ],
            "notes": list(self.notes),
        }


def _others(mistake: Mistake | Miss) -> dict[str, Any]:
    """The other labels of an image, by probability."""
    others = mistake.others if isinstance(mistake, Mistake) else ()
    return {"others": [{"label": label, "probability": share} for label, share in others]} if others else {}


def _unusual(found: Unusual) -> dict[str, Any]:
    """Shares of the evaluated rows, and of the unknown ones of the card, by level."""
    return {name: [asdict(each) for each in getattr(found, name)] for name in ("found", "sealed")}


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    """With text as names and lists for tuples, as JSON has them."""
    return document | {
        "sizes": {str(size): rows for size, rows in document["sizes"].items()},
        "lines": list(document["lines"]),
        "text": list(document["text"]),
    }
