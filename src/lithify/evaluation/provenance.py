"""Where a model comes from, as an in-toto statement with SLSA provenance that other tools can read and check.

A run is a build: snapshot and recipe go in, a model comes out, and what its bits also depend on is known. The statement
holds digests, parameters, counts and times; no row, no path, no name of a person or a machine.

Sources: in-toto attestation framework, Statement v1; SLSA v1.0, Provenance. docs/signatures.md tells what stands where.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lithify import canon
from lithify.errors import NotFound
from lithify.evaluation.bill import bill
from lithify.evaluation.libraries import Library, libraries
from lithify.model.model import Model
from lithify.store.comparisons import Comparisons
from lithify.store.home import Home
from lithify.store.rows import ModelRow

__all__ = ["BUILD_TYPE", "bill", "statement"]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:lithify:train:v1"
"""How a model is made: ``train(snapshot, recipe)``."""
BUILDER = "urn:lithify:builder:local"
"""Who made it: Lithify, on whatever machine it was asked to; nobody vouches for that but who signs the model."""


def statement(home: Home, model: Model) -> dict[str, Any]:
    """What is known of how a model was made.

    Parameters
    ----------
    home : Home
        Knows the run, its sessions, evaluations and comparisons, where the model was trained there.
    model : Model

    Returns
    -------
    dict
        JSON; the same for the same home. What the home does not know is left out.
    """
    row = _row(home, model.digest)
    run = None if row is None else row.run
    resolved = model.card["recipe"]
    definition = {
        "buildType": BUILD_TYPE,
        "externalParameters": {
            "snapshot": model.card["data"]["snapshot"],
            "recipe": (None if run is None else _asked(home, run)) or resolved,
        },
        "internalParameters": {"recipe": resolved, "engine": model.card["engine"]},
        "resolvedDependencies": [*_data(home, model), *map(_of_library, libraries(model.card["engine"]))],
    }
    details: dict[str, Any] = {"builder": {"id": BUILDER, "version": {"lithify": _version()}}}
    if run is not None:
        details["metadata"] = {"invocationId": run} | _times(home, run)
    if byproducts := list(_byproducts(home, model.digest)):
        details["byproducts"] = byproducts
    return {
        "_type": STATEMENT_TYPE,
        "subject": [_resource(f"{model.digest[7:19]}.lith", model.digest)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"buildDefinition": definition, "runDetails": details},
    }


def _row(home: Home, digest: str) -> ModelRow | None:
    try:
        return home.catalog.model(digest)
    except NotFound:
        return None


def _asked(home: Home, run: str) -> Mapping[str, Any] | None:
    """The recipe as it was asked for; remembered where a budget had to be turned into steps."""
    rows = home.catalog.database.read("SELECT request FROM requests WHERE run = ? ORDER BY id", run)
    asked = [found["asked"] for row in rows if "asked" in (found := json.loads(row["request"]))]
    return asked[0] if asked else None


def _data(home: Home, model: Model) -> Iterator[dict[str, Any]]:
    """The snapshot, its parent, and so on."""
    parents = {row.digest: row.parent for row in home.catalog.snapshots()}
    digest: str | None = model.card["data"]["snapshot"]
    name = "snapshot"
    while digest is not None:
        yield _resource(name, digest)
        digest, name = parents.pop(digest, None), "parent"


def _times(home: Home, run: str) -> dict[str, str]:
    sessions = home.catalog.sessions(run)
    started = [each.started for each in sessions]
    finished = [each.ended for each in sessions if each.how == "finished" and each.ended is not None]
    times = {"startedOn": started[:1], "finishedOn": finished[-1:]}
    return {name: _moment(found[0]) for name, found in times.items() if found}


def _byproducts(home: Home, digest: str) -> Iterator[dict[str, Any]]:
    """Evaluations of the model and comparisons with it, oldest first, each once."""
    for row in {row.digest: row for row in home.catalog.evaluations(digest)}.values():
        yield _resource("evaluation", row.digest, snapshot=row.snapshot, split=row.split)
    for found in {row.digest: row for row in Comparisons(home.catalog).all()}.values():
        if digest in (found.champion, found.challenger):
            parts = {"champion": found.champion, "challenger": found.challenger, "verdict": found.verdict}
            yield _resource("comparison", found.digest, **parts)


def _of_library(library: Library) -> dict[str, Any]:
    return {"name": library.name, "uri": library.purl}


def _resource(name: str, digest: str, **annotations: str) -> dict[str, Any]:
    """An in-toto resource descriptor."""
    found: dict[str, Any] = {"name": name, "digest": {"sha256": digest.removeprefix(canon.DIGEST_PREFIX)}}
    return found | ({"annotations": annotations} if annotations else {})


def _moment(seconds: int) -> str:
    """A time of the catalog after RFC 3339.

    >>> _moment(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _version() -> str:
    try:
        return version("lithify")
    except PackageNotFoundError:
        return "0+unknown"
