"""Serve: models over HTTP, in as many processes as asked for, until a signal.

This file and all it loads stay light, for they live in the process that watches the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lithify.deployment.http import address
from lithify.deployment.http.supervisor import Supervisor
from lithify.deployment.limits import Limits
from lithify.errors import NotFound, UsageError
from lithify.store.place import check_there, choose

HTTP = "127.0.0.1:8000"


@dataclass(frozen=True)
class Serving:
    """A server that is ready.

    Attributes
    ----------
    url : str
        Where it is, with a slash at the end.
    models : list of dict
        ``alias``, ``name``, ``digest``, ``kind``, ``labels`` and ``url`` of each.
    workers : int
        Processes that answer.
    pid : int
        The process to send signals to.
    everywhere : bool
        Whether it listens on every interface.
    tokens : bool
        Whether it asks for tokens.
    """

    url: str
    models: list[dict[str, Any]]
    workers: int
    pid: int
    everywhere: bool = False
    tokens: bool = False

    def to_json(self) -> dict[str, Any]:
        """The document that ``lithify serve --json`` prints."""
        return asdict(self)


def serve(
    *things: str | Path,
    http: str = HTTP,
    workers: int | None = None,
    auth: bool = True,
    require_signature: Path | str | None = None,
    log: str | None = None,
    certificate: Path | str | None = None,
    private_key: Path | str | None = None,
    limits: Limits | None = None,
    home: Path | str | None = None,
    ready: Callable[[Serving], None] = lambda serving: None,
    application: str | None = None,
) -> int:
    """Serves models over HTTP until SIGTERM or SIGINT; to be called in the main thread.

    Parameters
    ----------
    *things : str or path
        Aliases, digests or model files; every alias of the home when none is given.
    http : str
        Where to listen: ``HOST:PORT``, ``:PORT`` for every interface, ``[IPV6]:PORT``; port 0 takes a free one.
    workers : int, optional
        Processes; as many as cores if not given.
    auth : bool
        Whether tokens are asked for, once the home has one. An address that others can reach needs one.
    require_signature : path, optional
        A public key that must have signed every model.
    log : str, optional
        File of the access log; ``-`` for stderr.
    certificate, private_key : path, optional
        PEM files, for HTTPS.
    limits : Limits, optional
        What is taken from clients, at most.
    home : path, optional
    ready : callable
        Told once all workers serve.
    application : str, optional
        Dotted path, ``module:function``, of what makes the application; for tests.

    Returns
    -------
    int
        0; 128 and the number of the signal where a second one cut requests short.

    Raises
    ------
    UsageError
        The address cannot be listened on, is open to others without tokens, or there is nothing to serve.
    NotFound
        There is no home to look an alias up in, or no folder for the log.
    LithifyError
        A model cannot be served.
    """
    count = workers if workers is not None else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if count < 1:
        raise UsageError("There must be at least one worker.", found=str(count))
    if (certificate is None) != (private_key is None):
        raise UsageError("HTTPS takes a certificate and its private key.", hint="Give both files, or neither.")
    _check_log(log)
    files = [str(thing).endswith(".lith") or Path(thing).expanduser().is_file() for thing in things]
    if application is None and not (files and all(files)):
        check_there(choose(home))
    listener = address.bind(address.parse(http))
    with listener:
        url = address.url_of(listener, secure=certificate is not None)
        settings = {
            "home": _path(home or os.environ.get("LITHIFY_HOME")),
            "things": [str(thing) for thing in things],
            "public": not address.loopback(listener),
            "auth": auth,
            "require_signature": _path(require_signature),
            "log": log,
            "certificate": _path(certificate),
            "private_key": _path(private_key),
            "limits": asdict(limits or Limits()),
            "workers": count,
        }
        if application is not None:
            settings["application"] = application

        def tell(said: dict[str, Any]) -> None:
            models = [model | {"url": f"{url}v1/{model['name']}/predict"} for model in said["models"]]
            everywhere = not address.parse(http).host
            ready(Serving(url, models, count, os.getpid(), everywhere, bool(said.get("closed"))))

        return Supervisor([listener], settings, count).run(tell)


def _check_log(log: str | None) -> None:
    folder = None if log in (None, "-") else Path(str(log)).expanduser().absolute().parent
    if folder is not None and not folder.is_dir():
        raise NotFound(f"There is no folder {folder} for the log.", hint="Make it first.")


def _path(given: Path | str | None) -> str | None:
    return None if given is None else str(Path(given).expanduser().absolute())
