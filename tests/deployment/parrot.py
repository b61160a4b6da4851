"""An application without a model: it says what it was asked, so that the transport can be tested alone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

from lithify.deployment.http.message import Head, Request, Response, refusal
from lithify.deployment.http.routes import Call
from lithify.errors import NotFound, UsageError


class Parrot:
    """Answers by path: ``/fast`` and ``/slow`` (sleeps ``?seconds``), ``/raise``, ``/big?bytes``, ``/mixed?n`` ..."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.limit = limit
        self.batches: list[int] = []
        self.seen: list[tuple[str, int]] = []

    def open(self, head: Head, /) -> Call | Response:
        if head.path == "/none":
            return refusal(NotFound("There is nothing."))
        if head.path == "/broken":
            raise ValueError("secret of open")
        client = head.headers.get("x-client", head.peer)
        slow = head.path.startswith("/slow")
        return Call("parrot", self.limit, client, slow=slow, plain=head.path.startswith("/v2"))

    def answer(self, requests: Sequence[tuple[Call, Request]], /) -> list[Response]:
        self.batches.append(len(requests))
        return [self._one(request) for _, request in requests]

    def observe(self, call: Call | None, head: Head | None, response: Response, seconds: float, /) -> None:
        self.seen.append(("" if head is None else head.path, response.status))
        assert 0 <= seconds < 100

    def models(self) -> list[dict[str, Any]]:
        return [{"alias": "parrot@production", "name": "parrot", "digest": "sha256:" + "0" * 64, "kind": "text",
                 "labels": ["a", "b"]}]  # fmt: skip

    def _one(self, request: Request) -> Response:
        head = request.head
        if head.path.endswith("/raise"):
            raise ValueError("secret of answer")
        if head.path.endswith("/sleep"):
            time.sleep(float(head.query))
        if head.path == "/big":
            return Response(200, b"x" * int(head.query), "text/plain")
        if head.path == "/none-inside":
            return Response(204)
        said = {"method": head.method, "path": head.path, "query": head.query, "headers": dict(head.headers)}
        body = request.body.decode("latin-1")
        document = said | {"body": body, "length": len(body), "pid": os.getpid(), "peer": head.peer}
        return Response(200, json.dumps(document).encode())


def build(settings: dict[str, Any]) -> Parrot:
    """What a worker calls. ``PARROT_FAILS`` makes it fail in some way; a file of that name, only while it is there."""
    fail = os.environ.get("PARROT_FAILS", "")
    if "/" in fail:
        fail = "error" if os.path.exists(fail) else ""
    if fail == "error":
        raise UsageError("No parrot.", hint="Feed it.")
    if fail == "crash":
        raise ValueError("secret of build")
    if fail == "exit":
        os._exit(3)
    return Parrot(settings.get("limit", 1 << 20))
