"""Which comparisons of two models there are; each whole document is an object of the home."""

from __future__ import annotations

import time

from lithify import canon
from lithify.store.catalog import Catalog
from lithify.store.rows import ComparisonRow, read


class Comparisons:
    """The comparisons a catalog knows.

    >>> import tempfile
    >>> from pathlib import Path
    >>> comparisons = Comparisons(Catalog(Path(tempfile.mkdtemp()) / "catalog.sqlite"))
    >>> served, new, rows, document = (canon.digest(name) for name in (b"served", b"new", b"rows", b"document"))
    >>> comparisons.add(served, new, rows, "better", document).verdict
    'better'
    >>> comparisons.latest(served, new).digest == document, comparisons.latest(new, served)
    (True, None)
    """

    def __init__(self, catalog: Catalog) -> None:
        self._db = catalog.database

    def add(self, champion: str, challenger: str, snapshot: str, verdict: str, digest: str) -> ComparisonRow:
        """Notes a comparison.

        Parameters
        ----------
        champion, challenger, snapshot : str
            Digests of the two models, and of the snapshot whose rows both were measured on.
        verdict : str
            On the challenger: ``better``, ``not worse``, ``undecided`` or ``worse``.
        digest : str
            Of the document, which the caller has stored in the home.
        """
        for name in (champion, challenger, snapshot, digest):
            if not canon.is_digest(name):
                raise ValueError(f"not a whole digest: {name[:80]!r}")
        key = self._db.write(
            "INSERT INTO comparisons (champion, challenger, snapshot, verdict, digest, created)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            champion, challenger, snapshot, verdict, digest, int(time.time()),
        )  # fmt: skip
        return read(ComparisonRow, self._db.read("SELECT * FROM comparisons WHERE id = ?", key))[0]

    def latest(self, champion: str, challenger: str) -> ComparisonRow | None:
        """The newest comparison of these two, in these parts."""
        rows = self._db.read(
            "SELECT * FROM comparisons WHERE challenger = ? AND champion = ? ORDER BY id DESC LIMIT 1",
            challenger, champion,
        )  # fmt: skip
        return read(ComparisonRow, rows)[0] if rows else None

    def all(self) -> list[ComparisonRow]:
        """All comparisons, oldest first."""
        return read(ComparisonRow, self._db.read("SELECT * FROM comparisons ORDER BY id"))
