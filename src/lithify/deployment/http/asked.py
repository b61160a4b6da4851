"""What a server was asked to serve, looked up in its home; and what it serves, told to people and programs.

A worker does this, and not the supervisor, since it takes what the supervisor must not load.
"""

from __future__ import annotations

from typing import Any

from lithify.errors import UsageError
from lithify.store.home import open_home
from lithify.store.tokens import Tokens


def settled(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with what they leave open filled in, checked against the home.

    Parameters
    ----------
    settings : dict
        ``home`` (path or null), ``things`` (list; empty for every alias of the home), ``public`` (whether others than
        this machine can reach the server), ``auth`` (whether tokens are asked for).

    Raises
    ------
    UsageError
        There is nothing to serve, or everybody could reach a server that asks for no token.
    """
    home = open_home(settings["home"])
    if settings["public"] and settings["auth"] and not Tokens(home.catalog).all():
        raise UsageError(
            "Others than this machine could use this server, and it asks for no token.",
            hint="Make a token first with `lithify token NAME --alias ALIAS`, or let everybody in with --no-auth.",
        )
    things = settings["things"] or list(home.aliases.all())
    if not things:
        raise UsageError(
            "There is nothing to serve: this home has no alias.",
            hint="Give a model a name first with `lithify promote MODEL ALIAS`, or serve a model file by its path.",
        )
    return settings | {"things": things}


def described(application: Any) -> list[dict[str, Any]]:
    """What an application serves: ``alias``, ``name``, ``digest``, ``kind`` and ``labels`` of each model."""
    if hasattr(application, "models"):
        return list(application.models())
    return [
        {
            "alias": deployed.alias,
            "name": deployed.name,
            "digest": deployed.digest,
            "kind": deployed.model.kind,
            "labels": list(deployed.model.labels),
        }
        for deployed in application.service.all()
    ]
