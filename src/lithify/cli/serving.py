"""The command serve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lithify.cli import options as o
from lithify.cli.output import Terminal, count, plain, short
from lithify.cli.parser import Argument, Option

if TYPE_CHECKING:
    from lithify.deployment.limits import Limits
    from lithify.workflow.serving import Serving

_TRY = {
    "mail": "-H 'Content-Type: message/rfc822' --data-binary @message.eml",
    "text": "-H 'Content-Type: text/plain' --data-binary 'some words'",
    "table": "-H 'Content-Type: text/csv' --data-binary @rows.csv",
    "image": "-H 'Content-Type: image/jpeg' --data-binary @photo.jpg",
}


def serve(
    things: Annotated[
        list[str] | None,
        Argument(metavar="ALIAS...", help="Aliases, or model files or digests to try out; every alias if not given."),
    ] = None,
    http: Annotated[
        str, Option("--http", metavar="HOST:PORT", help="Where to listen; :PORT is every interface, port 0 a free one.")
    ] = "127.0.0.1:8000",
    workers: Annotated[
        int | None, Option("--workers", metavar="N", help="Processes that answer; as many as cores if not given.")
    ] = None,
    no_auth: Annotated[bool, Option("--no-auth", help="Ask for no token, even where others can reach it.")] = False,
    require_signature: Annotated[
        Path | None, Option("--require-signature", metavar="PUB", help="Serve only what this key signed.")
    ] = None,
    log: Annotated[str | None, Option("--log", metavar="FILE|-", help="Access log, without contents.")] = None,
    certificate: Annotated[Path | None, Option("--certificate", metavar="FILE", help="For HTTPS, PEM.")] = None,
    private_key: Annotated[Path | None, Option("--private-key", metavar="FILE", help="For HTTPS, PEM.")] = None,
    max_body: Annotated[str | None, Option("--max-body", metavar="SIZE", help="Of a request; 64MiB.")] = None,
    max_rows: Annotated[int | None, Option("--max-rows", metavar="N", help="Of a request; 10000.")] = None,
    max_connections: Annotated[
        int | None, Option("--max-connections", metavar="N", help="Open at a time in one process; 1000.")
    ] = None,
    max_waiting: Annotated[
        int | None, Option("--max-waiting", metavar="N", help="Requests that wait in one process; 1000.")
    ] = None,
    timeout: Annotated[str | None, Option("--timeout", metavar="TIME", help="For an answer; 30s.")] = None,
    grace: Annotated[str | None, Option("--grace", metavar="TIME", help="To finish when it stops; 20s.")] = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> int:
    """Serve models over HTTP.

    By the Open Inference Protocol below /v2, by plain routes to curl below /v1, and with a page to try them at /. When
    an alias moves, the new model takes over without a failed request. SIGTERM or Ctrl-C finishes what is under way;
    SIGHUP replaces the processes one by one.

    An address that others can reach needs tokens (`lithify token`) or --no-auth. --json prints one document once all
    processes are ready.

    Example: lithify serve spam --http 127.0.0.1:8000
    """
    from lithify.workflow.serving import serve as run

    terminal = Terminal(as_json=as_json, quiet=quiet, lines=True)
    limits = _limits(
        body=_size(max_body), rows=max_rows, connections=max_connections, waiting=max_waiting,
        answer=_seconds(timeout), grace=_seconds(grace),
    )  # fmt: skip
    return run(
        *(things or ()),
        http=http,
        workers=workers,
        auth=not no_auth,
        require_signature=require_signature,
        log=log,
        certificate=certificate,
        private_key=private_key,
        limits=limits,
        home=home,
        ready=lambda serving: _tell(terminal, serving),
    )


def _limits(**asked: Any) -> Limits:
    from lithify.deployment.limits import Limits
    from lithify.errors import UsageError

    given = {name: value for name, value in asked.items() if value is not None}
    if wrong := [name for name, value in given.items() if value <= 0]:
        raise UsageError("A limit must be above zero.", found=f"{wrong[0]} {given[wrong[0]]}")
    return Limits(**given)


def _size(text: str | None) -> int | None:
    from lithify.parsing import size

    return size(text)


def _seconds(text: str | None) -> float | None:
    from lithify.parsing import duration

    return duration(text)


def _tell(terminal: Terminal, serving: Serving) -> None:
    terminal.document(serving.to_json())
    rows = [
        [plain(model["name"]), short(model["digest"]), model["kind"], _some(model["labels"])]
        for model in serving.models
    ]
    terminal.table(rows, head=["name", "model", "kind", "labels"])
    terminal.say()
    where = f"{serving.url}, on every interface," if serving.everywhere else serving.url
    terminal.say(f"Serving at {where} with {count(serving.workers, 'process', 'processes')}. Try:")
    token = "-H 'Authorization: Bearer TOKEN' " if serving.tokens else ""
    for kind in dict.fromkeys(model["kind"] for model in serving.models):
        first = next(model for model in serving.models if model["kind"] == kind)
        terminal.say(f"  curl {token}{_TRY.get(kind, '')} {plain(first['url'])}")
    terminal.note("Ctrl-C stops it.")
    sys.stdout.flush()


def _some(labels: list[str]) -> str:
    """The first labels."""
    shown = ", ".join(plain(label) for label in labels[:3])
    return shown if len(labels) <= 3 else f"{shown} and {len(labels) - 3:,} more"
