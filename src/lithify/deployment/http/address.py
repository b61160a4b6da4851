"""Addresses to listen on: what a person writes, and the socket it becomes."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from typing import NamedTuple

from lithify.errors import UsageError

BACKLOG = 1024
"""Connections that the system keeps until they are accepted."""
_ADDRESS = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})")


class Address(NamedTuple):
    """A host, empty for every interface, and a port, 0 for any that is free."""

    host: str
    port: int


def parse(text: str) -> Address:
    """The address that a person wrote.

    >>> parse("localhost:8000"), parse(":80"), parse("[::1]:0")
    (Address(host='localhost', port=8000), Address(host='', port=80), Address(host='::1', port=0))

    Raises ``UsageError`` for anything else.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > 65535:
        raise UsageError(
            "Not an address to listen on.",
            expected="HOST:PORT, :PORT for every interface, or [IPV6]:PORT",
            found=repr(text[:80]),
        )
    return Address(found["six"] or found["host"] or "", int(found["port"]))


def bind(address: Address) -> socket.socket:
    """A socket that listens; ``UsageError`` says why it cannot.

    An empty host listens on every interface, by IPv6 and IPv4 where the system has both.
    """
    listener = None
    try:
        family, place = _resolve(address)
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(address.host)))
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise _refused(address, error) from None
    return listener


def loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach a socket."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def url_of(listener: socket.socket, *, secure: bool = False) -> str:
    """Where to find a socket, from this machine if it listens on every interface."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]" if not _dual(listener) else "127.0.0.1"}.get(host)
    return f"{'https' if secure else 'http'}://{shown or (f'[{host}]' if ':' in host else host)}:{port}/"


def _resolve(address: Address) -> tuple[int, tuple[str, int]]:
    """The family and the place; IPv4 goes first where a name has both, as most clients try it."""
    if not address.host:
        if socket.has_dualstack_ipv6():
            return socket.AF_INET6, ("::", address.port)
        return socket.AF_INET, ("0.0.0.0", address.port)
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, place = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, place  # type: ignore[return-value]


def _dual(listener: socket.socket) -> bool:
    return listener.family == socket.AF_INET6 and not listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


def _refused(address: Address, error: OSError) -> UsageError:
    shown = f"[{address.host}]" if ":" in address.host else address.host
    where, another = f"{shown}:{address.port}", "Choose another address with --http HOST:PORT."
    if error.errno == errno.EADDRINUSE:
        hint = "Stop what listens there, or choose another with --http HOST:PORT; port 0 takes any that is free."
        return UsageError("The port is in use.", found=where, hint=hint)
    if error.errno in (errno.EACCES, errno.EPERM):
        return UsageError(
            "This port may not be listened on.", found=where, hint="Ports below 1024 need rights; take 8000."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return UsageError("The address is not one of this machine.", found=where, hint=another)
    if isinstance(error, socket.gaierror):
        return UsageError("The host is not known.", found=where, hint=another)
    return UsageError("The address cannot be listened on.", found=f"{where}, {error.strerror}", hint=another)
