"""A model's card and a snapshot as pages a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lithify import canon
from lithify.cli.data import SIDES, describe, snapshot_document
from lithify.cli.figures import cutoffs, figures, limits
from lithify.cli.output import Terminal, count, moment, plain, short, size

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.model.model import Model
    from lithify.store.home import Home

LISTED = 20
"""Quarantined rows that are shown to people."""


def show_model(terminal: Terminal, model: Model) -> None:
    """The card."""
    card = model.card
    terminal.document(
        {
            "model": model.digest,
            "path": str(model.path),
            "kind": model.kind,
            "labels": list(model.labels),
            "cutoffs": model.cutoffs,
            "card": card,
        }
    )
    if terminal.as_json:
        return
    terminal.say(terminal.style(f"Model {short(model.digest)}", "bold") + f"  {model.kind}, {size(len(model.data))}")
    terminal.facts([("digest", model.digest), ("labels", ", ".join(map(plain, model.labels)))])
    figures(terminal, model, card["test"]["metrics"])
    cutoffs(terminal, model)
    terminal.title("Trained on")
    terminal.facts(_data(card["data"]))
    terminal.title("Recipe")
    from lithify import recipe as recipes

    for line in recipes.to_toml(card["recipe"]).splitlines():
        terminal.say(f"  {line}" if line else "")
    terminal.title("Engine")
    terminal.paragraph(", ".join(f"{name} {value}" for name, value in card["engine"].items()), "  ")
    limits(terminal, model)


def show_snapshot(terminal: Terminal, home: Home, snapshot: Snapshot) -> None:
    """The manifest and the quarantine list."""
    row = home.catalog.snapshot(snapshot.digest)
    listed = canon.loads(home.blobs.get(row.quarantine)) if row.quarantine else []
    models = [model.digest for model in home.catalog.models_of_snapshot(snapshot.digest)]
    looks = {side: home.catalog.looks(snapshot.digest, side) for side in ("train", "validation", "test")}
    terminal.document(snapshot_document(snapshot) | {"quarantine": listed, "models": models, "looks": looks})
    if terminal.as_json:
        return
    times = {0: "never", 1: "once", 2: "twice"}.get(looks["test"], f"{looks['test']:,} times")
    extra = [
        ("made", moment(row.created)),
        ("models", ", ".join(map(short, models)) or "none yet"),
        (
            "looks",
            "the test rows were never looked at" if times == "never" else f"the test rows were looked at {times}",
        ),
    ]
    describe(terminal, snapshot, extra, listed=True)
    if listed:
        terminal.title(f"Quarantine: {count(len(listed), 'row')}")
        reasons = [_reason(item) for item in listed[:LISTED]]
        room = terminal.width - max(map(len, reasons)) - 4
        origins = [plain(item["origin"] or item["key"][:16]) for item in listed[:LISTED]]
        terminal.table([[f"  {why}", _end(origin, room)] for why, origin in zip(reasons, origins, strict=True)])
        if len(listed) > LISTED:
            terminal.say(f"  and {len(listed) - LISTED:,} more; --json lists all")


def _reason(item: dict[str, Any]) -> str:
    return plain(item["reason"] + (f" ({item['detail']})" if item["detail"] else ""))


def _end(text: str, room: int) -> str:
    """The end of a path says more than its beginning."""
    return text if len(text) <= room else "…" + text[-max(1, room - 1) :]


def _data(data: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("snapshot", data["snapshot"]),
        ("rows", f"{data['rows']:,} of {data['kind']}"),
        ("split", f"by {data['split']['rule']}: {data['split']['reason']}"),
    ]
    if data["period"]:
        facts.append(("period", f"{moment(data['period'][0])[:10]} to {moment(data['period'][1])[:10]}"))
    sides = data["split"]["counts"]
    facts += [
        (side, ", ".join(f"{n:,} {plain(label)}" for label, n in found.items()))
        for side, found in ((title, sides.get(name, {})) for name, title in SIDES.items())
        if found
    ]
    reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in data["quarantine"].items())
    return [*facts, ("quarantine", reasons or "none")]
