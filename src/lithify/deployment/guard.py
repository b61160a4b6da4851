"""Who asks: bearer tokens (RFC 6750), checked against those of the home; and web pages, where none is asked for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lithify.deployment.http import origin
from lithify.errors import Forbidden, LithifyError, Unauthorized
from lithify.store.tokens import Token, Tokens, match

if TYPE_CHECKING:
    from lithify.deployment.http.message import Head

_log = logging.getLogger("lithify.serve")
_SCHEME = "bearer"


class Guard:
    """Lets in who has a token, and everybody where none is asked for.

    Tokens are held in memory, and :meth:`refresh` reads them anew; while the home cannot be read, those known stay.

    Parameters
    ----------
    tokens : Tokens or None
        Of the home; None lets everybody in, whatever ``required`` says of the tokens of a home.
    required : bool
        Whether a token is needed even while there is none, so that nobody gets in. Otherwise one is needed from the
        moment the first one is seen, for as long as the server runs: revoking the last one opens nothing.
    local : bool
        Whether everybody is let in only because they are on this machine: what a web page from elsewhere asks is
        refused then. A page has no token, so where one is asked for that is enough.

    Examples
    --------
    >>> from lithify.deployment.http.message import Head
    >>> Guard(None, required=False).client(Head("GET", "/")) is None
    True
    """

    def __init__(self, tokens: Tokens | None, required: bool, local: bool = False) -> None:
        self._store = tokens
        self._local = local
        self._required = required and tokens is not None
        self._known: list[Token] = []
        self._silent = False
        if tokens is not None:
            self._take(tokens.all())

    @property
    def closed(self) -> bool:
        """Whether a token is asked for."""
        return self._required

    def admit(self, head: Head) -> None:
        """Raises ``Forbidden`` where a web page from elsewhere asks a server that is for this machine alone."""
        if self._local and not self._required:
            origin.check(head)

    def client(self, head: Head) -> Token | None:
        """The token that a request came with; None where none is asked for.

        Raises
        ------
        Unauthorized
            There is none, or it is not known. The answer must say ``WWW-Authenticate: Bearer``.
        """
        if not self._required:
            return None
        scheme, _, secret = head.headers.get("authorization", "").partition(" ")
        if scheme.lower() != _SCHEME or not secret:
            raise Unauthorized("This server asks for a token.", hint="Send the header `Authorization: Bearer TOKEN`.")
        token = match(self._known, secret.strip())
        if token is None:
            raise Unauthorized("The token is not known.", hint="Make one with `lithify token NAME --alias ALIAS`.")
        return token

    def allow(self, token: Token | None, alias: str) -> None:
        """Raises ``Forbidden`` unless a token is good for a canonical alias; None is good where none is asked for."""
        if token is None and not self._required:
            return
        if token is None or not token.allows(alias):
            raise Forbidden("The token is not for this model.", found=alias, hint="Ask for one with that alias.")

    def refresh(self) -> None:
        """Reads the tokens anew; never raises."""
        if self._store is None:
            return
        try:
            self._take(self._store.all())
        except LithifyError as error:
            if not self._silent:
                _log.error("The tokens cannot be read, those known stay. %s", error, extra={"code": error.code})
            self._silent = True

    def _take(self, tokens: list[Token]) -> None:
        self._known = tokens
        self._required = self._required or bool(tokens)
        self._silent = False
