"""What a comparison of two models found, before it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation.comparison.cost import Cost
from lithify.evaluation.comparison.findings import Findings
from lithify.evaluation.comparison.flips import Flips, Turn
from lithify.evaluation.comparison.gates import Gates
from lithify.evaluation.comparison.paired import Difference
from lithify.evaluation.comparison.slices import Slice
from lithify.evaluation.comparison.verdict import PASSING, GateResult, Verdict
from lithify.evaluation.faces import Model, Snapshot

FORMAT = 1


@dataclass(frozen=True)
class Flip:
    """A row that two models judge unlike; nothing of its content.

    Attributes
    ----------
    row : int
        Number of the row in the snapshot's table.
    key : str
        The row's key, 64 hex digits.
    truth, champion, challenger : str or float
        The true label and the most probable one of each model; in regression values.
    champion_probability, challenger_probability : float or None
        That each model gives its label; None in regression.
    """

    row: int
    key: str
    truth: str | float
    champion: str | float
    challenger: str | float
    champion_probability: float | None
    challenger_probability: float | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two models on the same rows.

    Attributes
    ----------
    champion, challenger, snapshot
        As they were given.
    split : str
        ``test``, ``validation``, ``train`` or ``all``.
    task : str
        ``classification`` or ``regression``.
    labels : tuple of str
        Names of the columns of probabilities; of two the positive one last. Empty in regression.
    rows : int
        That both were measured on.
    counts : dict of label to rows
    generations : dict of generation to rows
    seen : dict of role to rows
        Rows left out because the champion, or the challenger, had learned from them.
    looks : int or None
        How often this split had been looked at with this comparison, where that is counted.
    gates : Gates
    findings : Findings
    worst, best : tuple of Flip
        Negative and positive flips, at most 50 each; in regression rows whose error grew and shrank most.
    latency, size : Cost
        Median seconds for one row on this machine; bytes of the file.
    timed : int
        Rows at most that the time was measured on.
    figures : dict of role to metrics
        Each model's own figures with their intervals, as an evaluation has them.
    y, champion_output, challenger_output : arrays
        True codes (n,) and probabilities (n, C); in regression true and predicted values (n,).
    keys : (n, 32) uint8
    notes : tuple of str
        What limits these figures, in sentences.
    """

    champion: Model = field(repr=False)
    challenger: Model = field(repr=False)
    snapshot: Snapshot = field(repr=False)
    split: str
    task: str
    labels: tuple[str, ...]
    rows: int
    counts: dict[str, int]
    generations: dict[int, int]
    seen: dict[str, int]
    looks: int | None
    gates: Gates
    findings: Findings = field(repr=False)
    worst: tuple[Flip, ...] = field(repr=False)
    best: tuple[Flip, ...] = field(repr=False)
    latency: Cost
    size: Cost
    timed: int
    figures: dict[str, dict[str, dict[str, Any]]] = field(repr=False)
    y: NDArray[Any] = field(repr=False)
    champion_output: NDArray[np.float64] = field(repr=False)
    challenger_output: NDArray[np.float64] = field(repr=False)
    keys: NDArray[np.uint8] = field(repr=False)
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """On the challenger: ``better``, ``not worse``, ``undecided`` or ``worse``."""
        return self.findings.judgement.verdict

    @property
    def passes(self) -> bool:
        """Whether the challenger may take the champion's place."""
        return self.verdict in PASSING

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the verdict rests on, in sentences."""
        return self.findings.judgement.reasons

    @property
    def metrics(self) -> dict[str, Difference]:
        """All figures of both models, by name."""
        return self.findings.differences

    @property
    def flips(self) -> Flips | None:
        """Rows that one model alone gets right; None in regression."""
        return self.findings.flips

    @property
    def slices(self) -> tuple[Slice, ...]:
        """Everything that was looked at, the most suspicious first."""
        return self.findings.slices

    @property
    def results(self) -> tuple[GateResult, ...]:
        """Each gate."""
        return self.findings.judgement.gates

    def report(self, path: str | Path, show_content: bool = False) -> Path:
        """Writes the comparison as one self-contained HTML page and returns its path.

        Parameters
        ----------
        path : str or Path
        show_content : bool
            Whether flips are shown with their whole text or picture, not only with short spans.
        """
        from lithify.evaluation.comparison.page import write

        return write(self, Path(path), show_content)

    def to_json(self) -> dict[str, Any]:
        """Everything but arrays and content: plain values that canonical JSON can carry."""
        return {
            "format": FORMAT,
            "champion": self.champion.digest,
            "challenger": self.challenger.digest,
            "snapshot": self.snapshot.digest,
            "split": self.split,
            "task": self.task,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "gates": self.gates.to_json(),
            "results": [asdict(result) for result in self.results],
            "deciding": self.findings.deciding,
            "rows": self.rows,
            "counts": self.counts,
            "generations": {str(generation): rows for generation, rows in self.generations.items()},
            "seen": self.seen,
            "looks": self.looks,
            "metrics": {name: asdict(found) for name, found in self.metrics.items()},
            "mcnemar": None if self.flips is None else _mcnemar(self.flips),
            "flips": None if self.flips is None else _flips(self.flips, self.worst, self.best),
            "moved": None if self.flips is not None else _moved(self.worst, self.best),
            "slices": [asdict(one) for one in self.slices if one.worse] or [asdict(one) for one in self.slices[:12]],
            "slices_looked_at": len(self.slices),
            "latency": asdict(self.latency) | {"times": self.latency.times, "rows": self.timed},
            "size": {"champion": int(self.size.champion), "challenger": int(self.size.challenger)},
            "notes": list(self.notes),
        }


def _mcnemar(found: Flips) -> dict[str, Any]:
    return {"champion_only": found.negative.rows, "challenger_only": found.positive.rows, "p": found.p}


def _flips(found: Flips, worst: tuple[Flip, ...], best: tuple[Flip, ...]) -> Mapping[str, Any]:
    def turned(turn: Turn, listed: tuple[Flip, ...]) -> dict[str, Any]:
        return asdict(turn) | {"listed": [_keyed(flip) for flip in listed]}

    return {
        "negative": turned(found.negative, worst),
        "positive": turned(found.positive, best),
        "both_right": found.both_right,
        "both_wrong": found.both_wrong,
    }


def _moved(worst: tuple[Flip, ...], best: tuple[Flip, ...]) -> dict[str, Any]:
    """In regression: the rows whose error changed most."""
    return {"further_off": [_keyed(flip) for flip in worst], "closer": [_keyed(flip) for flip in best]}


def _keyed(flip: Flip) -> dict[str, Any]:
    return {name: value for name, value in asdict(flip).items() if name != "row" and value is not None}
