"""What the protocol asks of an application, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lithify.deployment.http.message import Head, Request, Response


@dataclass(slots=True)
class Call:
    """A request whose head was taken: where it goes.

    Attributes
    ----------
    route : str
        Name of the route, for logs and metrics; one of a fixed set.
    limit : int
        Bytes that its body may have.
    client : str
        Who asks: the name of the token, else the address.
    slow : bool
        Whether answering may take longer than some milliseconds, so that it is done beside the event loop.
    plain : bool
        Whether errors are told as the Open Inference Protocol has it.
    """

    route: str
    limit: int
    client: str
    slow: bool = False
    plain: bool = False


class Application(Protocol):
    """Answers requests."""

    def open(self, head: Head, /) -> Call | Response:
        """Where a request goes, by its head alone; a response refuses it before its body is read. Never raises."""

    def answer(self, requests: Sequence[tuple[Call, Request]], /) -> list[Response]:
        """Answers requests that came together, in their order. Never raises; may be called by several threads."""

    def observe(self, call: Call | None, head: Head | None, response: Response, seconds: float, /) -> None:
        """Told of every response once it is sent, with the seconds since its first byte came: for metrics and logs."""
