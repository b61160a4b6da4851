"""Tokens: who may ask a server for which aliases.

A token is a secret of 32 random bytes that is shown once, when it is made. The catalog keeps its SHA-256 and no more:
a secret of 256 random bits cannot be guessed, so it needs no slow hash and no salt. Whoever reads the catalog learns
which tokens there are, and cannot use one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lithify.errors import NotFound, UsageError
from lithify.store.aliases import canonical
from lithify.store.catalog import Catalog
from lithify.store.lookup import check_name

PREFIX = "lith_"
"""What every secret begins with, so that one that leaked into a repository or a log is recognised."""
EVERY = "*"
"""The scope of a token that is good for every alias."""
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret.

    Attributes
    ----------
    name : str
        Who holds it; shown in logs.
    aliases : tuple of str
        What it is good for: canonical aliases, or ``*`` for all.
    created : int
        Seconds since 1970.
    hash : bytes
        SHA-256 of the secret.
    """

    name: str
    aliases: tuple[str, ...]
    created: int
    hash: bytes = field(repr=False)

    def allows(self, alias: str) -> bool:
        """Whether it is good for a canonical alias."""
        return EVERY in self.aliases or alias in self.aliases


class Tokens:
    """The tokens of a home.

    >>> import tempfile
    >>> from pathlib import Path
    >>> tokens = Tokens(Catalog(Path(tempfile.mkdtemp()) / "catalog.sqlite"))
    >>> secret = tokens.add("mailserver", ["spam"])
    >>> tokens.find(secret).aliases, tokens.find("lith_guessed")
    (('spam@production',), None)
    """

    def __init__(self, catalog: Catalog) -> None:
        self._db = catalog.database

    def add(self, name: str, aliases: Iterable[str]) -> str:
        """Makes a token and returns its secret, which nobody can be told again.

        Parameters
        ----------
        name : str
            ``UsageError`` when there is a token of that name.
        aliases : iterable of str
            What it is good for; ``*`` for everything. They need not be served yet.
        """
        check_name(name)
        scopes = sorted({EVERY if alias == EVERY else canonical(alias) for alias in aliases})
        if not scopes:
            raise UsageError("A token must be good for something.", hint="Give --alias ALIAS, or --alias '*' for all.")
        secret = PREFIX + secrets.token_urlsafe(_BYTES)
        with self._db.transaction():
            if self._db.read("SELECT 1 FROM tokens WHERE name = ?", name):
                raise UsageError(
                    f"There is a token {name} already.",
                    hint="Choose another name, or revoke that one with --revoke first.",
                )
            self._db.write(
                "INSERT INTO tokens (name, hash, aliases, created) VALUES (?, ?, ?, ?)",
                name, digest(secret).hex(), json.dumps(scopes), int(time.time()),
            )  # fmt: skip
        return secret

    def revoke(self, name: str) -> None:
        """Takes a token away; ``NotFound`` when there is none of that name."""
        with self._db.transaction() as connection:
            if not connection.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount:
                raise NotFound(f"There is no token {name[:80]!r}.", hint="See `lithify token`.")

    def all(self) -> list[Token]:
        """All tokens, oldest first."""
        rows = self._db.read("SELECT name, aliases, created, hash FROM tokens ORDER BY id")
        return [
            Token(name, tuple(json.loads(aliases)), made, bytes.fromhex(hash)) for name, aliases, made, hash in rows
        ]

    def find(self, secret: str) -> Token | None:
        """The token of a secret, or None; see :func:`match`."""
        return match(self.all(), secret)


def digest(secret: str) -> bytes:
    """SHA-256 of a secret, as it came in a header: characters that cannot be encoded harm nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def match(tokens: Sequence[Token], secret: str) -> Token | None:
    """The token of a secret, or None.

    Every token is compared, each in constant time, so that how long it takes tells nothing of which one it was or of
    how much of it was right.
    """
    given, found = digest(secret), None
    for token in tokens:
        if hmac.compare_digest(token.hash, given):
            found = token
    return found
