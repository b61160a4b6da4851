"""The command `retrain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lithify.cli import options as o
from lithify.cli.kernels import tell_compiling
from lithify.cli.output import Terminal, command_line, count, plain, short, shown_path
from lithify.cli.parser import Argument, Option
from lithify.cli.progress import Progress

if TYPE_CHECKING:
    from lithify.workflow.retrained import Retrained

_SHOWN = 24
"""Values of a recipe that changed which are shown; of more only how many there are."""


def retrain(
    model: Annotated[str, Argument(metavar="ALIAS|MODEL", help="What is to be replaced: an alias, or a model.")],
    data: Annotated[str, Argument(metavar="DATA|SNAP", help="New rows; those known already are skipped.")],
    replace: Annotated[
        bool, Option("--replace", help="The data stands alone, in the place of all rows so far; it is split anew.")
    ] = False,
    recipe: Annotated[
        Path | None, Option("--recipe", metavar="FILE", help="A recipe in TOML, in the place of the model's.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="One value, in the place of the model's; may be repeated."),
    ] = None,
    gates: Annotated[
        Path | None, Option("--gates", metavar="FILE", help="What the new model has to pass, in TOML.")
    ] = None,
    session: Annotated[
        str | None, Option("--session", metavar="TIME", help="Stop cleanly after that time, with status 75.")
    ] = None,
    checkpoint_every: Annotated[
        int | None, Option("--checkpoint-every", metavar="N", help="Steps between checkpoints, instead of by time.")
    ] = None,
    threads: o.Threads = None,
    processes: Annotated[
        int | None,
        Option("--processes", metavar="N", help="Processes that share the work; one if not given."),
    ] = None,
    cache_limit: Annotated[
        str | None,
        Option("--cache-limit", metavar="SIZE", help="What decoded images may take on disk, such as 5G."),
    ] = None,
    new: Annotated[bool, Option("--new", help="Leave an unfinished run that differs, and start another.")] = False,
    out: Annotated[Path | None, Option("--out", metavar="FILE", help="Write the new model to a file too.")] = None,
    page: Annotated[
        Path | None, Option("--report", metavar="FILE.html", help="Write the comparison as one page.")
    ] = None,
    label: o.Label = None,
    text: o.Text = None,
    time: o.Time = None,
    group: o.Group = None,
    weight: o.Weight = None,
    field: o.Fields = None,
    task: o.Task = None,
    query: o.Query = None,
    sheet: o.Sheet = None,
    kind: o.Kind = None,
    name: o.Name = None,
    parent: Annotated[
        str | None,
        Option("--parent", metavar="SNAP", help="Join this snapshot, in the place of the one the model is from."),
    ] = None,
    split: Annotated[
        str | None,
        Option("--split", metavar="RULE", help="How new rows are split: time, hash, group:F or given:F."),
    ] = None,
    strict: o.Strict = False,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Train a model anew with more rows, and compare the two.

    The rows that the model was trained on keep their sides, and new ones become a generation. The recipe is the
    model's. Both models are compared on the newest generation's test rows, which neither has seen. What is served
    stays: the command that promotes the new model is printed.

    It may be stopped at any time, and the same command goes on.

    Example: lithify retrain spam mail/ --report compared.html
    """
    from lithify import parsing, things, writing
    from lithify.workflow.retraining import find_champion
    from lithify.workflow.retraining import retrain as again

    terminal = Terminal(as_json=as_json, quiet=quiet)
    for place in (out, page):
        if place is not None:
            writing.check_out(place)
    opened = things.open_home(home, create=Path(model).expanduser().is_file())
    champion, _ = find_champion(opened, model)
    tell_compiling(terminal, champion.kind, str(champion.card["recipe"]["learner"]))
    asked: dict[str, Any] = {"kind": kind, "label": label, "text": text, "time": time, "group": group}
    asked |= {"weight": weight, "fields": parsing.field_kinds(field), "task": task, "query": query, "sheet": sheet}
    asked |= {"split": None if split == "auto" else split}
    how: dict[str, Any] = {"session": session, "checkpoint_every": checkpoint_every, "threads": threads}
    how |= {"processes": processes, "cache_limit": cache_limit, "new": new}
    with Progress(quiet=quiet, width=terminal.width) as report:
        found = again(
            model, data, replace=replace, parent=parent, recipe=recipe, set=set_ or (), name=name, strict=strict,
            gates=gates, out=out, home=opened, report=report, **how, **asked,
        )  # fmt: skip
    written: dict[str, str | None] = {}
    if out is not None:
        written["path"] = None if found.model is None else str(writing.check_out(out))
    if page is not None:
        written["report"] = None if found.comparison is None else str(writing.check_out(page))
        if found.comparison is not None:
            found.comparison.report(page)
    terminal.document(found.to_json() | written)
    if not terminal.as_json:
        _show(terminal, found, home, written)
        _missing(terminal, {"path": out, "report": page}, written)


def _missing(terminal: Terminal, asked: Mapping[str, Path | None], written: Mapping[str, str | None]) -> None:
    """Which files that were asked for were not written, and why."""
    why = {"path": "there is no new model", "report": "there is no comparison"}
    for what, path in asked.items():
        if path is not None and written[what] is None:
            terminal.paragraph(f"{shown_path(path)} was not written: {why[what]}.")


def _show(terminal: Terminal, found: Retrained, home: Path | None, written: Mapping[str, str | None]) -> None:
    """What came of it: the data, the recipe, the models beside each other, and what to do."""
    called = found.alias or f"model {short(found.champion.digest)}"
    now = f"  serves {short(found.champion.digest)} now" if found.alias else ""
    terminal.say(terminal.style(f"Retraining {called}", "bold") + now)
    recipe = count(len(found.changes), "value") + " changed" if found.changes else "the same, value by value"
    terminal.facts([*_facts(found), ("recipe", recipe)])
    for note in found.notes:
        terminal.paragraph(note, "  ")
    _recipe(terminal, found)
    if found.outcome is None:
        terminal.say()
        return terminal.paragraph(f"{found.reasons[0]} {called} stays as it is.")
    model = found.outcome.model
    how = count(found.outcome.sessions, "session")
    terminal.title(f"Model {short(model.digest)}")
    terminal.say(f"  sealed, run {short(found.outcome.run)}, {how}; nothing was promoted")
    for what, path in written.items():
        if path is None:
            continue
        terminal.say(f"  {'comparison' if what == 'report' else 'file'}: {shown_path(Path(path))}")
    _compared(terminal, found)
    _next(terminal, found, home)


def _facts(found: Retrained) -> list[tuple[str, str]]:
    snapshot, growth = found.snapshot, found.growth
    generations = count(len(snapshot.manifest["generations"]), "generation")
    facts = [("snapshot", f"{short(snapshot.digest)}, {count(len(snapshot), 'row')} in {generations}")]
    if growth is None:
        return [*facts, ("replaces", f"{short(found.parent)}, which is not in this home: what differs is not known")]
    facts.append(("replaces" if found.replaced else "parent", short(found.parent)))
    facts += [("added", count(growth.added, "row")), ("known already", count(growth.known, "row"))]
    gone = count(growth.removed, "row")
    if found.replaced:
        facts.append(("removed", f"{gone} of what it replaces not in the data; gone" if growth.removed else "none"))
    elif growth.removed:
        facts.append(("kept", f"{gone} of the parent not in the data: they stay"))
    facts.append(("relabelled", count(growth.relabelled, "row")))
    facts += [("moved", f"{count(growth.moved, 'row')} to another side")] if growth.moved else []
    facts.append(("excluded", f"{growth.excluded:,} later copies of rows on an earlier side"))
    facts += [("copies", f"{growth.copies:,} counted once")] if growth.copies else []
    quarantined = ", ".join(f"{rows:,} {reason}" for reason, rows in growth.quarantined.items())
    return [*facts, ("quarantined", quarantined or "none")]


def _recipe(terminal: Terminal, found: Retrained) -> None:
    """What differs from the recipe of the champion, a line for each value."""
    if found.changes:
        terminal.title("The recipe, before and now")
    rows = [[f"  {key}", _value(both, "from"), "->", _value(both, "to")] for key, both in found.changes.items()]
    terminal.table(rows[:_SHOWN])
    if len(rows) > _SHOWN:
        terminal.say(f"  and {len(rows) - _SHOWN:,} more; --json lists all")


def _value(both: Mapping[str, Any], side: str) -> str:
    """One side of a change, in few words."""
    text = plain(str(both.get(side, "absent")))
    return text if len(text) <= 32 else text[:31] + "…"


def _compared(terminal: Terminal, found: Retrained) -> None:
    """The verdict with the models beside each other, and one line for every older generation."""
    from lithify.cli.comparing import show
    from lithify.evaluation import words

    terminal.title(f"Compared on the test rows of generation {found.generation}")
    if found.comparison is not None:
        show(terminal, found.comparison)
    else:
        terminal.say(terminal.style(found.verdict, "bold", "yellow"))
        for reason in found.reasons:
            terminal.bullet(reason)
    if found.older:
        terminal.title("On the test rows of older generations, which decide nothing")
    for number, made in found.older.items():
        figure = made.metrics[made.findings.deciding]
        before, after = (words.figure(value, figure.unit) for value in (figure.champion, figure.challenger))
        told = f"{figure.title} {before} -> {after}, {made.verdict}"
        terminal.say(f"  generation {number}, {count(made.rows, 'row')}: {told}")
        if not made.passes:
            terminal.paragraph(made.reasons[0], "      ")


def _next(terminal: Terminal, found: Retrained, home: Path | None) -> None:
    """What follows from the verdict."""
    terminal.title("Next")
    for words, why in _advice(found):
        terminal.say(f"  {command_line(*words, home=home)}")
        terminal.paragraph(why, "      ")


def _advice(found: Retrained) -> list[tuple[Sequence[str], str]]:
    """Commands, each with its reason."""
    assert found.model is not None
    if found.next:
        return [(found.next, "serve the new model")]
    served, new = found.alias or short(found.champion.digest), short(found.model.digest)
    look = ("compare", served.removesuffix("@production"), new, "--report", "compared.html")
    force = (*found.promotion, "--force", "REASON")
    wrong = "look at the rows that it gets wrong, then change the data or the recipe, and retrain"
    few = "see how little decides it; then collect more rows, and retrain with all that came since"
    looked = [] if found.comparison is None else [(look, few if found.verdict == "undecided" else wrong)]
    return [*looked, (force, "serve it all the same; the reason is written down")]
