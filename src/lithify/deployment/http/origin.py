"""Web pages of other places, which every browser lets ask a server on its own machine."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Final

from lithify.errors import Forbidden

if TYPE_CHECKING:
    from lithify.deployment.http.message import Head

_AUTHORITY: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:/@]+?)\.?)(?::\d{1,5})?")
_HINT: Final = "Make a token (`lithify token`), or serve with --no-auth if this is meant, as behind a proxy."


def check(head: Head) -> None:
    """Raises ``Forbidden`` for what a page from elsewhere had a browser ask.

    A server that asks for no token because only its own machine can reach it is still reached by every page that a
    browser of that machine shows: under a name that the page's owner pointed to 127.0.0.1 (DNS rebinding), which
    ``Host`` tells, or from the page's own address, which ``Origin`` tells (RFC 6454, 7). Programs send no ``Origin``.

    >>> from lithify.deployment.http.message import Head
    >>> check(Head("GET", "/", headers={"host": "localhost:8000"}))
    >>> check(Head("POST", "/", headers={"host": "127.0.0.1:8000", "origin": "https://elsewhere.example"}))
    Traceback (most recent call last):
    lithify.errors.Forbidden: A web page from elsewhere may not use this server. Found: https://elsewhere.example. ...
    """
    host, origin = head.headers.get("host"), head.headers.get("origin")
    if host is not None and not here(host):
        raise Forbidden(
            "This server answers under the names of its own machine only.",
            expected="localhost or a loopback address as Host", found=host[:100], hint=_HINT,
        )  # fmt: skip
    if origin is not None and not here(origin.partition("://")[2]):
        raise Forbidden("A web page from elsewhere may not use this server.", found=origin[:100], hint=_HINT)


@functools.lru_cache(maxsize=256)  # clients name the same few over and over
def here(authority: str) -> bool:
    """Whether a host, with or without a port, can only be this machine.

    >>> [here(each) for each in ("localhost:80", "127.0.0.2", "[::1]:8000", "localhost.example", "8.8.8.8", "null", "")]
    [True, True, True, False, False, False, False]
    """
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        return False
    name = (found["six"] or found["name"]).lower()
    if name == "localhost" or name.endswith(".localhost") or name == socket.gethostname().lower():
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
