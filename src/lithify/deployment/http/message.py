"""Requests and responses, as the protocol hands them to the routes and takes them back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from lithify.errors import LithifyError


@dataclass(slots=True)
class Head:
    """A request before its body.

    Attributes
    ----------
    method : str
        In upper case.
    path : str
        Percent-decoded, without the query.
    query : str
        As it came, without the question mark; empty where there is none.
    headers : dict of str to str
        By name in lower case; a header that came several times is joined by a comma and a space.
    peer : str
        Address of the client, without its port.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""


@dataclass(slots=True)
class Request:
    """A request that arrived whole."""

    head: Head
    body: bytes = b""


@dataclass(slots=True)
class Response:
    """An answer.

    Attributes
    ----------
    status : int
    body : bytes
    media : str
        The type of the body.
    headers : tuple of (name, value)
        Beside content type and length, which follow from the rest.
    alias, model : str
        Who answered; empty where no model did. The digest is sent as ``Lithify-Model``.
    rows : int
        Rows that were judged.
    decisions : dict of str to int
        How many of them got which verdict, or label where there are no verdicts.
    code : str
        Of the error, for logs and metrics; empty where there is none.
    """

    status: int = 200
    body: bytes = b""
    media: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    alias: str = ""
    model: str = ""
    rows: int = 0
    decisions: Mapping[str, int] = field(default_factory=dict)
    code: str = ""


def refusal(error: LithifyError, *, plain: bool = False, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """The response for an error: its HTTP status, and a body that says what to do.

    ``plain`` gives ``{"error": text}``, as the Open Inference Protocol has it, instead of an object.

    >>> from lithify.errors import NotFound
    >>> refusal(NotFound("There is no alias x.")).body
    b'{"error": {"code": "not-found", "message": "There is no alias x."}}'
    """
    said = str(error) if plain else error.to_json()
    body = json.dumps({"error": said}).encode()
    return Response(error.http_status, body, headers=headers, code=error.code)
