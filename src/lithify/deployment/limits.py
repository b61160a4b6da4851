"""What a server takes from its clients, at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of one server process.

    Attributes
    ----------
    header : int
        Bytes of a request line and its headers together; beyond it 431.
    body : int
        Bytes of a body; beyond it 413, before the body is read where its length is said.
    rows : int
        Rows of one request; beyond it 413.
    arrival : float
        Seconds in which a request must have arrived whole; else 408.
    idle : float
        Seconds for which a connection may stay open without a request.
    answer : float
        Seconds in which a request must be answered; else 503.
    connections : int
        Open connections; for a further one the client with the most idle ones loses one. Where there is none it gets
        503 and is closed.
    waiting : int
        Requests that wait for an answer; a further one gets 503.
    per_client : int
        Requests of one client (by token, else by address) that wait for an answer; a further one gets 429.
    buffered : int
        Bytes of bodies that are held at a time, of all requests together; beyond it 503. As much of answers may be
        untaken.
    grace : float
        Seconds that requests get to finish once the server stops.
    """

    header: int = 16 << 10
    body: int = 64 << 20
    rows: int = 10_000
    arrival: float = 30.0
    idle: float = 75.0
    answer: float = 30.0
    connections: int = 1000
    waiting: int = 1000
    per_client: int = 256
    buffered: int = 256 << 20
    grace: float = 20.0
