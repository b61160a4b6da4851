"""Which signatures of which models the home holds; the signatures themselves are objects beside the models."""

from __future__ import annotations

import time

from lithify import canon
from lithify.store.catalog import Catalog


class Signatures:
    """The signatures a catalog knows.

    A row says only that an object is meant as a signature of a model. Whether it is one, and by whom, is found out
    each time it counts: see :func:`lithify.model.signing.require`.

    Parameters
    ----------
    catalog : Catalog

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> signatures = Signatures(Catalog(Path(tempfile.mkdtemp()) / "catalog.sqlite"))
    >>> model, signature = canon.digest(b"model"), canon.digest(b"signature")
    >>> signatures.add(model, signature)
    >>> signatures.of(model) == [signature], signatures.of(signature)
    (True, [])
    """

    def __init__(self, catalog: Catalog) -> None:
        self._db = catalog.database

    def add(self, model: str, digest: str) -> None:
        """Notes that the object ``digest`` is a signature of ``model``; again changes nothing.

        The model need not be in the home.
        """
        for name in (model, digest):
            if not canon.is_digest(name):
                raise ValueError(f"not a whole digest: {name[:80]!r}")
        self._db.write(
            "INSERT INTO signatures (model, digest, created) VALUES (?, ?, ?) ON CONFLICT (model, digest) DO NOTHING",
            model, digest, int(time.time()),
        )  # fmt: skip

    def of(self, model: str) -> list[str]:
        """The digests of the signatures of a model, newest first."""
        rows = self._db.read("SELECT digest FROM signatures WHERE model = ? ORDER BY id DESC", model)
        return [row["digest"] for row in rows]

    def all(self) -> list[str]:
        """The digests of all signatures, oldest first: objects that must stay."""
        return [row["digest"] for row in self._db.read("SELECT digest FROM signatures ORDER BY id")]
