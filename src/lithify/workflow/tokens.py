"""Tokens of a server: made, listed, revoked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lithify.store.tokens import Token, Tokens
from lithify.things import open_home

if TYPE_CHECKING:
    from lithify.things import Place


def add_token(name: str, aliases: Sequence[str], *, home: Place = None) -> str:
    """Makes a token for some aliases, ``*`` being all of them, and returns its secret, which is kept nowhere.

    Raises ``UsageError`` when the name is taken, or when an alias cannot be one.
    """
    return Tokens(open_home(home).catalog).add(name, aliases)


def revoke_token(name: str, *, home: Place = None) -> None:
    """Takes a token away: running servers refuse it within a second. ``NotFound`` when there is none of that name."""
    Tokens(open_home(home, create=False).catalog).revoke(name)


def tokens(*, home: Place = None) -> list[Token]:
    """All tokens, oldest first, without their secrets."""
    return Tokens(open_home(home, create=False).catalog).all()
