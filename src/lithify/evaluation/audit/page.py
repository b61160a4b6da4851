"""The audit as one HTML page that stands by itself; pictures are in it only where contents were asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lithify.data.snapshot import Snapshot
from lithify.evaluation import words
from lithify.evaluation.audit.finding import Audit, Figure, Finding, Item
from lithify.evaluation.audit.images import LIKE
from lithify.evaluation.templating import page
from lithify.evaluation.thumbnails import thumbnail
from lithify.store.blobs import write_atomic

SHOWN = 60
"""Rows or fields of a finding that a page shows."""


def write(found: Audit, snapshot: Snapshot, path: Path, show_content: bool = False) -> Path:
    """Writes an audit as a page and returns its path.

    Parameters
    ----------
    found : Audit
    snapshot : Snapshot
        That it is of.
    path : Path
    show_content : bool
        Whether suspect rows are shown: pictures as pictures, in pairs where one is like another.
    """
    write_atomic(path, render(found, snapshot, show_content).encode(errors="replace"), 0o644)
    return path


def render(found: Audit, snapshot: Snapshot, show_content: bool = False) -> str:
    """The page as text."""
    filters = {"short": words.short, "told": told}
    pictures = _Pictures(snapshot) if show_content and snapshot.kind == "image" else None
    return page(
        "audit.html",
        filters,
        audit=found,
        snapshot=snapshot,
        findings=[_shown(finding, pictures) for finding in found.findings],
        show_content=show_content,
    )


def told(value: Figure) -> str:
    """A figure for people.

    >>> told(0.98765), told(12345), told(None)
    ('0.9877', '12,345', '-')
    """
    if value is None or isinstance(value, str):
        return value or "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


class _Pictures:
    """Thumbnails of rows by their keys, or the first digits of them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._number = {key.tobytes().hex()[:16]: row for row, key in enumerate(snapshot.table.key)}

    def of(self, key: Figure) -> str:
        row = self._number.get(str(key)[:16])
        return "" if row is None else thumbnail(self._snapshot.content(np.array([row]))[0])


def _shown(finding: Finding, pictures: _Pictures | None) -> dict[str, Any]:
    some = finding.items[:SHOWN]
    drawn = pictures is not None and finding.what == "rows"
    return {
        "finding": finding,
        "names": list(dict.fromkeys(name for item in some for name in item.figures)),
        "items": [(item, _pictured(item, pictures) if drawn else []) for item in some],
        "drawn": drawn,
        "more": finding.found - len(some),
    }


def _pictured(item: Item, pictures: _Pictures | None) -> list[str]:
    """The picture of a row, and of the one that it is like."""
    if pictures is None:
        return []
    keys = [item.name, *([item.figures[LIKE]] if LIKE in item.figures else [])]
    return [pictures.of(key) for key in keys]
