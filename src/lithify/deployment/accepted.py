"""What the processes of one server accepted last, for one that is started while an alias leads to a bad model."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from lithify.errors import LithifyError
from lithify.store.blobs import write_atomic


class Accepted:
    """Digests by alias, in a folder private to the server; without a folder nothing is remembered.

    >>> import tempfile
    >>> accepted = Accepted(Path(tempfile.mkdtemp()))
    >>> accepted.put("spam@production", "sha256:3f9a"), accepted.get("spam@production"), accepted.get("other@canary")
    (None, 'sha256:3f9a', None)
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, alias: str) -> str | None:
        """The digest of the model that a process served last under a canonical alias."""
        if self._folder is None:
            return None
        try:
            return str(json.loads(_file(self._folder, alias).read_bytes()))
        except (OSError, ValueError):
            return None

    def put(self, alias: str, digest: str) -> None:
        """Notes it. Failing to is no harm unless a process ends while the alias leads to a bad model."""
        if self._folder is not None:
            with suppress(LithifyError):
                write_atomic(_file(self._folder, alias), json.dumps(digest).encode())


def _file(folder: Path, alias: str) -> Path:
    return folder / f"accepted-{alias}"
