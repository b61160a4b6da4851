"""What a benchmark is asked for, and where its data is."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ARCHIVE = Path("mail", "spamassassin.tar.xz")


@dataclass(frozen=True)
class Options:
    """What was asked.

    Attributes
    ----------
    data : Path
        The archive of labelled mail, one folder per label.
    rows : int or None
        About how many messages to use, evenly spread; None for all.
    quick : bool
        One repeat and no compiling from nothing: to see that the benchmark works, not to quote.
    """

    data: Path
    rows: int | None = None
    quick: bool = False


def find_archive(given: str | None) -> Path:
    """The archive: what was given, else below ``LITHIFY_BENCH_DATA``, else below ``../shared/data``."""
    if given is not None:
        path = Path(given).expanduser()
        return path / ARCHIVE if path.is_dir() and (path / ARCHIVE).exists() else path
    folder = os.environ.get("LITHIFY_BENCH_DATA")
    return Path(folder).expanduser() / ARCHIVE if folder else ROOT.parent / "shared" / "data" / ARCHIVE


def tell(note: str) -> None:
    """Says on standard error how far the work is; standard output is for the table."""
    sys.stderr.write(f"{note}\n")
    sys.stderr.flush()
