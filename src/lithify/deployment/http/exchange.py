"""One request with its response, from its first byte to the last of its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lithify.deployment.http.message import Head, Response
from lithify.deployment.http.routes import Call

if TYPE_CHECKING:
    from lithify.deployment.http.protocol import Connection


@dataclass(slots=True, eq=False)
class Exchange:
    """What a connection and the desk know of one request.

    Attributes
    ----------
    connection : Connection
        Where it came from.
    began : float
        When its first byte came, by the monotonic clock.
    head : Head or None
        None while, or where, there is none that can be read.
    call : Call or None
        Where it goes; None when it was refused by its head.
    keep : bool
        Whether the client lets the connection stay open.
    old : bool
        Whether the client speaks HTTP/1.0.
    body : bytes
    held : int
        Bytes of the body that count as buffered.
    arrived : float
        When it was whole.
    counted : bool
        Whether it counts as waiting.
    response : Response or None
        None until it is answered.
    """

    connection: Connection
    began: float
    head: Head | None = None
    call: Call | None = None
    keep: bool = False
    old: bool = False
    body: bytes = b""
    held: int = 0
    arrived: float = 0.0
    counted: bool = False
    response: Response | None = None
