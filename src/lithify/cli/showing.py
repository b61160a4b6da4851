"""A model's card and a snapshot as pages a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lithify import canon
from lithify.cli.data import SIDES, describe, snapshot_document
from lithify.cli.fields import show_fields
from lithify.cli.figures import conformal, cutoffs, figures, limits, novelty
from lithify.cli.output import Terminal, count, moment, plain, short, size

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.model.model import Model
    from lithify.store.history import Entry
    from lithify.store.home import Home

FIELDS = 10
"""Fields whose importance is shown to people."""
LISTED = 20
"""Quarantined rows that are shown to people."""
NAMED = 24
"""Labels that are named one by one."""
_OF = {"table": "a table", "image": "images"}


def show_model(terminal: Terminal, model: Model, served: Sequence[Entry] | None = None) -> None:
    """The card, and what made aliases serve the model; None when it was not looked for in a home."""
    from lithify.cli.deploying import alias_document, since
    from lithify.data.schema import Field

    card, importances = model.card, model.draft.importances()
    terminal.document(
        {
            "model": model.digest,
            "path": str(model.path),
            "kind": model.kind,
            "task": model.task,
            "labels": list(model.labels),
            "fields": card["data"]["fields"],
            "importances": dict(importances or []),
            "conformal": model.conformal,
            "cutoffs": model.cutoffs,
            "card": card,
        }
        | ({} if served is None else {"aliases": [alias_document(entry) for entry in served]})
    )
    if terminal.as_json:
        return
    terminal.say(terminal.style(f"Model {short(model.digest)}", "bold") + f"  {model.kind}, {size(len(model.data))}")
    learned = ("labels", _labels(model.labels)) if model.labels else ("predicts", _target(card["data"]))
    serves = [("serves as", since(entry)) for entry in served or ()]
    terminal.facts([("digest", model.digest), ("task", model.task), learned, *serves])
    figures(terminal, model, card["test"]["metrics"])
    conformal(terminal, model)
    cutoffs(terminal, model)
    novelty(terminal, model)
    _show_importances(terminal, importances or [])
    terminal.title("Trained on")
    terminal.facts(_data(card["data"]))
    show_fields(terminal, tuple(Field(**field) for field in card["data"]["fields"]), every=True)
    terminal.title("Recipe")
    from lithify import recipe as recipes

    for line in recipes.to_toml(card["recipe"]).splitlines():
        terminal.say(f"  {line}" if line else "")
    terminal.title("Engine")
    terminal.paragraph(", ".join(f"{name} {value}" for name, value in card["engine"].items()), "  ")
    limits(terminal, model)


def _show_importances(terminal: Terminal, importances: list[tuple[str, float]]) -> None:
    if not importances:
        return
    terminal.title("What counts most")
    largest = max(share for _, share in importances) or 1.0
    for name, share in importances[:FIELDS]:
        bar = "█" * round(20 * share / largest)
        terminal.say(f"  {100 * share:5.1f} %  {terminal.style(bar.ljust(20), 'blue')}  {plain(name)}")
    if len(importances) > FIELDS:
        terminal.say(f"  and {count(len(importances) - FIELDS, 'field')} that count less; --json lists all")


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


def _counts(found: dict[str, int]) -> str:
    """Rows of each label; of many labels all together."""
    if len(found) > NAMED:
        return f"{sum(found.values()):,} rows of {sum(1 for n in found.values() if n):,} labels"
    return ", ".join(f"{n:,} {plain(label)}" for label, n in found.items())


def _labels(labels: tuple[str, ...]) -> str:
    """All of few labels, the first of many."""
    named = ", ".join(map(plain, labels[:NAMED]))
    return named if len(labels) <= NAMED else f"{len(labels):,}: {named} and {len(labels) - NAMED:,} more"


def _target(data: dict[str, Any]) -> str:
    return plain(next((field["name"] for field in data["fields"] if field["role"] == "label"), "values"))


def _data(data: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("snapshot", data["snapshot"]),
        ("rows", f"{data['rows']:,} of {_OF.get(data['kind'], data['kind'])}"),
        ("split", f"by {data['split']['rule']}: {data['split']['reason']}"),
    ]
    if data["period"]:
        facts.append(("period", f"{moment(data['period'][0])[:10]} to {moment(data['period'][1])[:10]}"))
    sides = data["split"]["counts"]
    facts += [
        (side, _counts(found))
        for side, found in ((title, sides.get(name, {})) for name, title in SIDES.items())
        if found and (side != SIDES["excluded"] or any(found.values()))
    ]
    reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in data["quarantine"].items())
    return [*facts, ("quarantine", reasons or "none")]


def show_comparison(terminal: Terminal, document: dict[str, Any]) -> None:
    """The verdict of a comparison that was kept, why, under which gates, and the figures side by side."""
    from lithify.cli.deploying import gates_said
    from lithify.evaluation.comparison.paired import Difference
    from lithify.evaluation.comparison.summary import SAID
    from lithify.evaluation.comparison.verdict import span
    from lithify.evaluation.words import figure

    terminal.document(document)
    if terminal.as_json:
        return
    terminal.say(terminal.style(SAID[document["verdict"]], "bold"))
    for reason in document["reasons"]:
        terminal.bullet(plain(reason))
    terminal.say()
    found = [Difference(**each) for each in document["metrics"].values()]
    terminal.table(
        [[plain(d.title), figure(d.champion, d.unit), figure(d.challenger, d.unit), span(d)] for d in found],
        right=[1, 2, 3],
        head=["figure", "champion", "challenger", "difference, 95 %"],
    )
    terminal.say()
    terminal.facts(
        [
            ("champion", document["champion"]),
            ("challenger", document["challenger"]),
            ("rows", f"{document['rows']:,} of the split {document['split']} of {document['snapshot']}"),
            ("gates", gates_said(document["gates"])),
        ],
        indent="",
    )
