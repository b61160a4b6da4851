"""The application behind the protocol: takes requests to their routes, and models to requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lithify.deployment.http import inference, openapi, page, plain
from lithify.deployment.http.desk import failure
from lithify.deployment.http.judging import Task, respond
from lithify.deployment.http.message import Head, Request, Response, refusal
from lithify.deployment.http.routes import Call
from lithify.deployment.http.ways import Pattern, Way, Ways
from lithify.deployment.limits import Limits
from lithify.deployment.service import Deployed, Service
from lithify.errors import Forbidden, LithifyError, MethodNotAllowed, NotFound, Unauthorized, UnsupportedMedia

if TYPE_CHECKING:
    from lithify.deployment.guard import Guard
    from lithify.deployment.http.instruments import Instruments
    from lithify.store.tokens import Token

SLOW = 32 << 10
"""Bodies from so many bytes on are answered beside the event loop."""
SLOW_ROWS = 2 << 10
"""The same where a body may hold many inputs: 2 KiB can be a thousand rows, and take 10 milliseconds."""
_LITTLE: Final = 64 << 10
"""Bytes of a body that nobody reads."""
_BEARER: Final = (("WWW-Authenticate", 'Bearer realm="lithify"'),)
_MANY: Final = ("multipart/", "text/csv", "text/tab", "application/x-ndjson", "application/ndjson", "application/jsonl")
_ONE: Final = ("message/", "text/plain")


@dataclass(slots=True)
class Asked(Call):
    """A request whose head was taken, and what answers it.

    Attributes
    ----------
    way : Way
    token : Token or None
        Of the client.
    method : str
        GET where HEAD was asked for.
    """

    way: Way = None  # type: ignore[assignment]  # always given; the fields before it have defaults
    token: Token | None = None
    method: str = "GET"


class App:
    """See :class:`lithify.deployment.http.routes.Application`.

    Parameters
    ----------
    service : Service
        What is served.
    guard : Guard
        Who may ask.
    limits : Limits
    instruments : Instruments
        Told of every response.
    """

    def __init__(self, service: Service, guard: Guard, limits: Limits, instruments: Instruments) -> None:
        self.service, self.guard, self.limits, self.instruments = service, guard, limits, instruments
        self._ways = Ways(_FIXED, _PATTERNS)

    def open(self, head: Head, /) -> Call | Response:
        """Where a request goes, by its head alone; a response refuses it before its body is read. Never raises."""
        plain_errors = head.path.startswith("/v2")
        try:
            return self._opened(head)
        except Unauthorized as error:
            return refusal(error, plain=plain_errors, headers=_BEARER)
        except LithifyError as error:
            return refusal(error, plain=plain_errors)
        except Exception as error:
            return failure(error, doing="opening a request")

    def _opened(self, head: Head) -> Call | Response:
        try:
            self.guard.admit(head)
            way = self._ways.find(head.path)
        except LithifyError:
            self.guard.client(head)  # what there is, only those learn who may know
            raise
        method = head.method
        if method == "OPTIONS":
            return Response(204, headers=(("Allow", way.allowed),))
        token = None if way.public else self.guard.client(head)
        slow = way.slow
        if way.alias:
            deployed = self._named(way.alias, token)
            slow = slow or deployed.model.kind == "image"
        if method == "HEAD":
            method = "GET"
        if method not in way.acts:
            error = MethodNotAllowed(f"{head.path[:100]} takes no {head.method[:20]}.", expected=way.allowed)
            return refusal(error, plain=way.plain, headers=(("Allow", way.allowed),))
        client = head.peer if token is None else token.name
        if method != "POST":
            return Asked(way.route, _LITTLE, client, slow=way.slow, plain=way.plain, way=way, token=token)
        slow = slow or _is_slow(head)
        return Asked(way.route, self.limits.body, client, slow, way.plain, way=way, token=token, method="POST")

    def _named(self, alias: str, token: Token | None) -> Deployed:
        """The model of a path that a client may use; who may not use all learns no name that they did not say."""
        try:
            deployed = self.service.get(alias)
        except NotFound as error:
            if len(self.visible(token)) < len(self.service.all()):
                raise NotFound(error.message, hint="See GET /v1 for what there is.") from None
            raise
        self.guard.allow(token, deployed.alias)
        return deployed

    def answer(self, requests: Sequence[tuple[Call, Request]], /) -> list[Response]:
        """Answers requests that came together, in their order. Never raises; may be called by several threads."""
        if not requests[0][0].slow:
            self.instruments.batch(len(requests))  # quick ones are all answered by one thread
        responses: list[Response | None] = []
        tasks: list[Task] = []
        waiting: list[int] = []
        for at, (call, request) in enumerate(requests):
            found = self._act(call, request)
            if isinstance(found, Task):
                tasks.append(found)
                waiting.append(at)
                responses.append(None)
            else:
                responses.append(found)
        if tasks:
            calls = {id(task): requests[at][0] for at, task in zip(waiting, tasks, strict=True)}
            found_ = respond(tasks, lambda task, error: _failed(calls[id(task)], error, task.deployed.alias))
            for at, response in zip(waiting, found_, strict=True):
                responses[at] = response
        return [response for response in responses if response is not None]

    def _act(self, call: Call, request: Request) -> Response | Task:
        assert isinstance(call, Asked)
        try:
            return call.way.acts[call.method](self, call, request)
        except Exception as error:
            return _failed(call, error, self._alias(call))

    def _alias(self, call: Asked) -> str:
        """The canonical alias of a request that failed; empty where it is not served."""
        try:
            return self.service.get(call.way.alias).alias if call.way.alias else ""
        except LithifyError:
            return ""

    def observe(self, call: Call | None, head: Head | None, response: Response, seconds: float, /) -> None:
        """Told of every response once it is sent, with the seconds since its first byte came: for metrics and logs."""
        self.instruments.observe(call, head, response, seconds)

    def close(self) -> None:
        """Ends what goes on beside the requests."""
        self.service.stop()
        self.instruments.close()

    # Routes

    def visible(self, token: Token | None) -> list[Deployed]:
        """What a client may use."""
        found = []
        for deployed in self.service.all():
            try:
                self.guard.allow(token, deployed.alias)
            except Forbidden:
                continue
            found.append(deployed)
        return found

    def known(self, head: Head) -> list[Deployed]:
        """What a client may use, on a way that takes no token: nothing without one, where one is asked for."""
        try:
            return self.visible(self.guard.client(head))
        except Unauthorized:
            return []

    def deployed(self, asked: Asked) -> Deployed:
        """The model that a path is about, as it is served now; of its version, where there is one in the path."""
        found = self.service.get(asked.way.alias)
        inference.check_version(found, asked.way.version)
        return found


def build(settings: dict[str, Any]) -> App:
    """The application of a server process.

    Parameters
    ----------
    settings : dict
        Those of :mod:`lithify.deployment.http.worker`: ``home``, ``things``, ``public``, ``auth``,
        ``require_signature``, ``log``, ``limits`` and ``shared``.
    """
    from lithify.deployment.guard import Guard
    from lithify.deployment.http.instruments import Instruments
    from lithify.store.home import open_home
    from lithify.store.tokens import Tokens

    home = open_home(settings["home"])
    folder, key = Path(settings["shared"]), settings["require_signature"]
    auth, public = settings["auth"], settings["public"]
    guard = Guard(Tokens(home.catalog) if auth else None, required=auth and public, local=auth and not public)
    instruments = Instruments(folder, settings["log"])
    service = Service(
        home, settings["things"], key=None if key is None else Path(key), folder=folder, tell=instruments.tell
    )
    instruments.models = service.all
    service.watch(also=guard.refresh)
    return App(service, guard, Limits(**settings["limits"]), instruments)


def _failed(call: Call, error: Exception, alias: str) -> Response:
    """The response for an error; what the protocol calls 400 is 400 there."""
    if not isinstance(error, LithifyError):
        return replace(failure(error, call), alias=alias)
    if alias and error.hint:
        error.hint = error.hint.replace("/v1/ALIAS", f"/v1/{alias.removesuffix('@production')}")
    response = refusal(error, plain=call.plain)
    response.alias = alias
    if call.plain and response.status == 422:
        response.status = 400
    return response


def _is_slow(head: Head) -> bool:
    """Whether a body is large, of unknown length, or of a type that holds many rows."""
    headers = head.headers
    if "content-encoding" in headers and headers["content-encoding"].strip().lower() not in ("", "identity"):
        raise UnsupportedMedia(
            "Bodies are read as they are.", expected="no Content-Encoding", hint="Do not compress it."
        )
    length = headers.get("content-length", "")
    if not length.isdecimal() or len(length) > 18:
        return True
    said = headers.get("content-type", "").lower()
    return said.startswith(_MANY) or int(length) > (SLOW if said.startswith(_ONE) else SLOW_ROWS)


def _metrics(app: App, asked: Asked, request: Request) -> Response:
    for deployed in app.service.all():  # they tell of all models together
        app.guard.allow(asked.token, deployed.alias)
    body, media = app.instruments.exposition()
    return Response(body=body, media=media)


def _openapi(app: App, asked: Asked, request: Request) -> Response:
    return openapi.response(app.known(request.head), app.guard.closed)


def _ready(app: App, asked: Asked, request: Request) -> Response:
    is_ready = app.service.ready()
    return Response(200 if is_ready else 503, plain.dump({"ready": is_ready}))


_FIXED: Final = {
    "/": Way("page", {"GET": lambda app, asked, request: page.index()}, public=True),
    "/page.js": Way("page", {"GET": lambda app, asked, request: page.script()}, public=True),
    "/page.css": Way("page", {"GET": lambda app, asked, request: page.style()}, public=True),
    "/favicon.ico": Way("page", {"GET": lambda app, asked, request: Response(204)}, public=True),
    "/openapi.json": Way("openapi", {"GET": _openapi}, public=True),
    "/metrics": Way("metrics", {"GET": _metrics}, slow=True),
    "/v1": Way("models", {"GET": lambda app, asked, request: plain.served(app.visible(asked.token))}),
    "/v2": Way("server", {"GET": lambda app, asked, request: inference.server()}, plain=True),
    "/v2/health/live": Way(
        "health",
        {"GET": lambda app, asked, request: Response(body=b'{"live":true}')},
        public=True,
        plain=True,
    ),
    "/v2/health/ready": Way("health", {"GET": _ready}, public=True, plain=True),
}


def _versioned(end: tuple[str, ...], route: str, acts: Any) -> tuple[Pattern, ...]:
    """A way of the protocol, with a version in the path and without."""
    start = ("v2", "models", "{alias}")
    return tuple(
        Pattern((*start, *middle, *end), route, acts, plain=True) for middle in ((), ("versions", "{version}"))
    )


_PATTERNS: Final = (
    Pattern(
        ("v1", "{alias}", "predict"),
        "predict",
        {"POST": lambda app, asked, request: plain.predict(app.deployed(asked), request, app.limits.rows)},
    ),
    Pattern(
        ("v1", "{alias}", "explain"),
        "explain",
        {"POST": lambda app, asked, request: plain.explain(app.deployed(asked), request)},
        slow=True,
    ),
    Pattern(("v1", "{alias}"), "model", {"GET": lambda app, asked, request: plain.described(app.deployed(asked))}),
    *_versioned(
        ("infer",),
        "infer",
        {"POST": lambda app, asked, request: inference.infer(app.deployed(asked), request, app.limits.rows)},
    ),
    *_versioned(("ready",), "model-ready", {"GET": lambda app, asked, request: inference.ready(app.deployed(asked))}),
    *_versioned((), "metadata", {"GET": lambda app, asked, request: inference.metadata(app.deployed(asked))}),
)
