"""From what was asked to the key of a run: key = H(snapshot, resolved recipe, engine)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lithify import calibration, canon, conformal, novelty
from lithify import recipe as recipes
from lithify.data import params as parameters
from lithify.data.snapshot import Snapshot
from lithify.errors import EngineMismatch, RunChanged
from lithify.features.registry import chosen, features
from lithify.learners.registry import learner
from lithify.model import golden
from lithify.recipe import Recipe
from lithify.store.home import Home

CODES = {
    "calibration": calibration.REVISION,
    "conformal": conformal.REVISION,
    "golden": golden.REVISION,
    "metrics": 3,
    "plan": 2,
}
"""Codes outside of learner and features that the bits of a model depend on, and their revisions."""


@dataclass(frozen=True)
class Request:
    """One run, named.

    Attributes
    ----------
    key : str
        Digest of the snapshot's name, the resolved recipe and the engine.
    snapshot : str
    recipe : dict
        Resolved.
    engine : dict
        What the bits also depend on.
    """

    key: str
    snapshot: str
    recipe: dict[str, Any]
    engine: dict[str, Any]


def request(snapshot: Snapshot, recipe: dict[str, Any]) -> Request:
    """The run of a resolved recipe on a snapshot, on this machine."""
    engine = engine_of(snapshot.kind, recipe["learner"], recipe["params"])
    key = canon.digest_of({"snapshot": snapshot.digest, "recipe": recipe, "engine": engine})
    return Request(key, snapshot.digest, recipe, engine)


def engine_of(kind: str, learner_name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """What the bits of a run depend on besides data and recipe.

    Parameters
    ----------
    kind : str
        Of the rows.
    learner_name : str
    params : mapping
        Its resolved parameters; ``RecipeError`` where they are none.
    """
    learns = learner(learner_name)
    prints = learns.fingerprint(recipes.params_of(learns.Params, params, learner_name))
    reads = features(chosen(kind, learns.reads))
    told = {"novelty": novelty.REVISION} if kind == "image" else {}
    parts = (CODES, told, reads.engine, reads.fingerprint(), learns.engine, prints)
    return dict(sorted({name: value for part in parts for name, value in part.items()}.items()))


def resolve(
    home: Home, snapshot: Snapshot, recipe: Recipe, seconds_per_step: Callable[[dict[str, Any]], float]
) -> dict[str, Any]:
    """Resolves a recipe; with a budget, once for all: the number of steps is remembered with the request.

    Parameters
    ----------
    seconds_per_step : callable
        Times a few steps of a resolved recipe, whose work is thrown away.
    """
    resolved = recipes.resolve(recipe, recipes.subject(snapshot))
    if not recipe.budget:
        return resolved
    engine = engine_of(snapshot.kind, resolved["learner"], resolved["params"])
    asked = {"snapshot": snapshot.digest, "asked": asdict(recipe), "engine": engine}
    known = home.catalog.request(asked)
    if known is not None:
        return dict(known.recipe)
    began = time.monotonic()
    per_step = seconds_per_step(resolved)
    left = max(0.0, recipe.budget - (time.monotonic() - began))
    learns = learner(resolved["learner"])
    params = recipes.params_of(learns.Params, resolved["params"], resolved["learner"])
    resolved["params"] = parameters.plain(learns.within(params, left, per_step))
    with home.catalog.transaction():  # of two that decide at the same time the first one's word counts
        known = home.catalog.request(asked)
        if known is None:
            _remember(home, asked, request(snapshot, resolved))
    return resolved if known is None else dict(known.recipe)


def remember(home: Home, source: str, wanted: Request) -> None:
    """Records that a run answers a source, before its first step."""
    with home.catalog.transaction():
        _remember(home, {"source": source}, wanted)


def check_unchanged(home: Home, source: str, wanted: Request) -> None:
    """Stops when the latest run of the same source is unfinished and would not be the one to resume.

    Raises
    ------
    RunChanged
        With what differs, and how to go on.
    """
    latest = home.catalog.request({"source": source})
    unfinished = None if latest is None else home.catalog.run(latest.run)
    if unfinished is None or unfinished.key == wanted.key or unfinished.state not in ("running", "interrupted"):
        return
    old = {"snapshot": unfinished.snapshot[:19], "recipe": unfinished.recipe, "engine": unfinished.engine}
    new = {"snapshot": wanted.snapshot[:19], "recipe": wanted.recipe, "engine": wanted.engine}
    raise RunChanged(
        f"An unfinished run of {source} was started with something else.",
        found="; ".join(recipes.difference(old, new)),
        hint=f"Go on with it by --resume {unfinished.key[7:19]}, or leave it and start a new one by --new.",
    )


def check_engine(what: str, recorded: dict[str, Any], here: dict[str, Any]) -> None:
    """``EngineMismatch`` unless this machine computes the bits that a run began with or a model was made with."""
    if recorded != here:
        raise EngineMismatch(
            f"{what} was made by other numeric code than this.",
            found="; ".join(recipes.difference(recorded, here)),
            hint="Use the Lithify version it was made with, or train anew with --new.",
        )


def _remember(home: Home, asked: dict[str, Any], wanted: Request) -> None:
    home.catalog.add_run(wanted.key, wanted.snapshot, wanted.recipe, wanted.engine)
    home.catalog.remember_request(asked, "", wanted.key, wanted.recipe)
