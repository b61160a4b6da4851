"""What an audit finds: findings with what was measured, on which rows, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Severity = Literal["danger", "warning", "note"]
SEVERITIES: Final[tuple[Severity, ...]] = ("danger", "warning", "note")
"""Danger: figures of a model of these data would mean little. Warning: a person should look. Note: good to know."""

Figure = float | int | str | None
MOST = 200
"""Rows or fields that one finding lists."""


@dataclass(frozen=True)
class Item:
    """One row or field of a finding.

    Attributes
    ----------
    name : str
        Key of the row, 64 hex digits; name of the field, or of what else was measured.
    figures : mapping of str to number or text
    content : str
        What the row holds; empty unless contents were asked for.
    """

    name: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    content: str = ""

    def to_json(self) -> dict[str, Any]:
        """Name and figures, with the content where there is one."""
        shown = {"content": self.content} if self.content else {}
        return {"name": self.name, "figures": {k: rounded(v) for k, v in self.figures.items()}, **shown}


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    kind : str
        Stable, for programs; listed in the guide.
    severity : "danger", "warning" or "note"
    title : str
        What it is, in one sentence.
    rows : str
        Which rows it was measured on.
    figures : mapping of str to number or text
        What was measured over all of them.
    advice : str
        What to do next.
    items : tuple of Item
        The rows or fields it is about, the worst first.
    what : "fields" or "rows"
        Which of the two they are.
    all_in_all : int
        How many such there are, where ``items`` lists the worst only.
    """

    kind: str
    severity: Severity
    title: str
    rows: str
    advice: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    items: tuple[Item, ...] = ()
    what: Literal["fields", "rows"] = "fields"
    all_in_all: int = 0

    @property
    def found(self) -> int:
        """How many rows or fields it is about, listed or not."""
        return max(self.all_in_all, len(self.items))

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values; at most ``MOST`` rows or fields, ``listed`` of ``found``."""
        items = self.items[:MOST]
        return {
            "kind": self.kind,
            "severity": self.severity,
            "title": self.title,
            "measured_on": self.rows,
            "figures": {name: rounded(value) for name, value in self.figures.items()},
            "advice": self.advice,
            "what": self.what,
            "found": self.found,
            "listed": len(items),
            "items": [item.to_json() for item in items],
        }


@dataclass(frozen=True)
class Audit:
    """The findings on one snapshot.

    Attributes
    ----------
    snapshot : str
        Its digest.
    findings : tuple of Finding
        By severity, the worst first.
    looked_at : mapping of str to int or str
        Rows of each side that were looked at, and what was left out.
    remarks : tuple of str
        What was not looked for, and why.
    """

    snapshot: str
    findings: tuple[Finding, ...]
    looked_at: Mapping[str, Figure]
    remarks: tuple[str, ...] = ()

    def of(self, severity: Severity) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    def find(self, kind: str) -> Finding | None:
        """The finding of one kind, None if there is none."""
        return next((finding for finding in self.findings if finding.kind == kind), None)

    def to_json(self) -> dict[str, Any]:
        """The document that ``lithify audit --json`` prints.

        ``snapshot``: digest. ``looked_at``: rows of training and validation (``learnable_rows``, of
        ``learnable_rows_in_all``), rows of test (``test_rows``, of ``test_rows_in_all``), and whether the labels of
        test rows were read (``test_labels``). ``counts``: findings of each severity. ``findings``: see
        :meth:`Finding.to_json`. ``remarks``: what was not looked for, and why. The same snapshot gives the same
        document on the same machine; figures have six digits.
        """
        return {
            "snapshot": self.snapshot,
            "looked_at": dict(self.looked_at),
            "counts": {severity: len(self.of(severity)) for severity in SEVERITIES},
            "findings": [finding.to_json() for finding in self.findings],
            "remarks": list(self.remarks),
        }


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity; those of one severity stay in their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def rounded(value: Figure) -> Figure:
    """A figure to six digits."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
