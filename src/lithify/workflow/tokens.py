"""Tokens of a server: made, listed, revoked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lithify.store.home import Home, open_home
from lithify.store.tokens import Token, Tokens

Place = Home | Path | str | None


def add_token(name: str, aliases: Sequence[str], *, home: Place = None) -> str:
    """Makes a token for some aliases, ``*`` being all of them, and returns its secret, which is kept nowhere.

    Raises ``UsageError`` when the name is taken, or when an alias cannot be one.
    """
    return Tokens(_home(home).catalog).add(name, aliases)


def revoke_token(name: str, *, home: Place = None) -> None:
    """Takes a token away: running servers refuse it within a second. ``NotFound`` when there is none of that name."""
    Tokens(_home(home, create=False).catalog).revoke(name)


def tokens(*, home: Place = None) -> list[Token]:
    """All tokens, oldest first, without their secrets."""
    return Tokens(_home(home, create=False).catalog).all()


def _home(home: Place, create: bool = True) -> Home:
    return home if isinstance(home, Home) else open_home(home, create)
