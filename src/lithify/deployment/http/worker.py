"""`python -m lithify.deployment.http.worker`: one of the processes that answer.

The first line on its standard input holds the settings, a JSON object; then the input stays open for as long as the
supervisor lives. It writes one message to its standard output: ``{"ready": {"models", "things"}}`` once it accepts
connections, or ``{"error": {...}}``. SIGTERM has it finish what is under way and end, a second one end at once.

The settings, of which the last three come from the supervisor:

- ``home``: path, or null for the usual one
- ``things``: aliases, digests and paths of model files; an empty list stands for every alias of the home
- ``public``, ``auth``: whether others than this machine can reach the server, and whether tokens are asked for
- ``require_signature``: path of a public key, or null
- ``log``: path of the access log, ``-``, or null
- ``certificate``, ``private_key``: paths, or null
- ``limits``: the fields of :class:`lithify.deployment.limits.Limits`
- ``workers``: how many there are
- ``application``: what builds the application from the settings, as ``module:function``; usually not given
- ``sockets``: inherited descriptors that listen
- ``shared``: folder private to the workers of this server
- ``supervisor``: its process
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import logging
import os
import signal
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from lithify.caller import own_output
from lithify.deployment.http.asked import described, settled
from lithify.deployment.http.life import live_with
from lithify.deployment.limits import Limits
from lithify.errors import MissingExtra, UsageError
from lithify.training import messages

if TYPE_CHECKING:
    from lithify.deployment.http.routes import Application
    from lithify.deployment.http.server import Server

APPLICATION = "lithify.deployment.http.app:build"


def main() -> int:
    """Serves until told to stop; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the supervisor, which decides
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what clients send wrong is told to them, not logged
    out = own_output()
    settings = json.loads(sys.stdin.buffer.readline())
    live_with(settings["supervisor"], sys.stdin.buffer)
    try:
        return _serve(settings, out)
    except BaseException as error:
        with contextlib.suppress(BrokenPipeError):
            out.write(messages.failure(error))
        return 1


def build(settings: dict[str, Any]) -> Application:
    """The application that the settings name."""
    module, _, name = settings.get("application", APPLICATION).partition(":")
    return cast("Application", getattr(importlib.import_module(module), name)(settings))


def _serve(settings: dict[str, Any], out: BinaryIO) -> int:
    loops = _loops()
    context = secure(settings["certificate"], settings["private_key"])
    if "application" not in settings:
        settings = settled(settings)
    application = build(settings)
    gc.collect()
    gc.freeze()  # models stay; the collector need not look at them again
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(_until_told(application, settings, context, out))
    close = getattr(application, "close", None)
    if close is not None:
        close()
    return 0


async def _until_told(
    application: Application, settings: dict[str, Any], context: ssl.SSLContext | None, out: BinaryIO
) -> None:
    from lithify.deployment.http.server import Server

    loop = asyncio.get_running_loop()
    server = Server(application, Limits(**settings["limits"]), loop, context)
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, _on_term, told)
    _share(server, application)
    for descriptor in settings["sockets"]:
        server.listen(socket.socket(fileno=descriptor))
    closed = getattr(getattr(application, "guard", None), "closed", False)
    ready = {"models": described(application), "things": settings["things"], "closed": closed}
    out.write(messages.line(ready=ready))
    await told.wait()
    await server.drain()


def _on_term(told: asyncio.Event) -> None:
    if told.is_set():
        os._exit(1)
    told.set()


def _share(server: Server, application: Application) -> None:
    """Lets the application's numbers tell how many requests wait."""
    instruments = getattr(application, "instruments", None)
    if instruments is not None:
        instruments.waiting = lambda: server.desk.waiting


def _loops() -> Any:
    """The maker of event loops; ``MissingExtra`` where what serving needs is not installed."""
    try:
        import httptools  # noqa: F401
        import orjson  # noqa: F401
        import uvloop
    except ImportError as error:
        raise MissingExtra(
            "Serving over HTTP needs packages that are not installed.",
            found=f"no {error.name}",
            hint="Run: pip install 'lithify[serve]'",
        ) from None
    return uvloop.new_event_loop


def secure(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    """The context for HTTPS by a certificate (with those that vouch for it, PEM) and its private key; None without."""
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:  # an OSError too, so it goes first
        raise UsageError(
            "The certificate and the private key cannot be used.",
            expected="PEM files that belong together, the key without a password",
            found=error.reason or "neither",
        ) from None
    except OSError as error:
        raise UsageError(
            "The certificate or the private key cannot be read.", found=f"{error.strerror}: {certificate}, {key}"
        ) from None
    return context


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # the threads that wait for the supervisor or for a slow answer would hold the interpreter up
