"""Commands that say what an alias serves: promote, rollback, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lithify.cli import options as o
from lithify.cli.output import Terminal, columns, command_line, count, moment, plain, short
from lithify.cli.parser import Argument, Option

if TYPE_CHECKING:
    from lithify.store.history import Entry
    from lithify.store.home import Home

Alias = Annotated[str, Argument(metavar="ALIAS", help="NAME or NAME@STAGE; spam means spam@production.")]
Why = Annotated[str, Option("--why", metavar="TEXT", help="Why, for the history.")]
By = Annotated[str | None, Option("--by", metavar="WHO", help="Who, for the history; user@host if not given.")]

_DONE = {"promote": "promoted", "rollback": "rolled back"}
_WIDEST = 24
"""Columns that a name of somebody may take in a table."""


def promote(
    model: Annotated[str, Argument(metavar="MODEL", help="A model file, or a digest or an alias in the home.")],
    alias: Alias,
    expect: Annotated[
        str | None,
        Option("--expect", metavar="DIGEST", help="Only if this is served now; none stands for nothing yet."),
    ] = None,
    force: Annotated[
        str | None, Option("--force", metavar="REASON", help="Do it without a passing comparison; written down.")
    ] = None,
    why: Why = "",
    by: By = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Serve a model under an alias, in place of what it serves now.

    The model must have been compared with what is served now, and found better or not worse; the first model of an
    alias need not. Who, when, why and on what evidence goes into the history of the alias.

    Example: lithify promote spam.lith spam --why mail-of-May
    """
    from lithify import things
    from lithify.workflow import promoting

    terminal = Terminal(as_json=as_json, quiet=quiet)
    before = things.open_home(home).aliases.last(alias)
    entry = promoting.promote(model, alias, expect=expect, force=force, why=why, by=by, home=home)
    _say_moved(terminal, entry, before, home)


def rollback(
    alias: Alias,
    to: Annotated[str | None, Option("--to", metavar="DIGEST", help="A model that it served earlier.")] = None,
    why: Why = "",
    by: By = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Serve what an alias served before.

    It is the same model, byte for byte. Rolling back twice goes two promotions back; to go forward, promote again or
    name the model with --to.

    Example: lithify rollback spam --why too-strict
    """
    from lithify import things
    from lithify.workflow import promoting

    terminal = Terminal(as_json=as_json, quiet=quiet)
    before = things.open_home(home, create=False).aliases.last(alias)
    _say_moved(terminal, promoting.rollback(alias, to=to, why=why, by=by, home=home), before, home)


def history(
    alias: Alias,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Show every move of an alias, and check that none was changed or taken out.

    Every entry holds the digest of the one before it. Exit status 65 when they do not hang together. To find even a
    history that was made up whole, keep the digest of the last entry elsewhere.

    Example: lithify history spam
    """
    from lithify.workflow import promoting

    terminal = Terminal(as_json=as_json, quiet=quiet)
    entries = promoting.history(alias, home=home)
    head = entries[-1]
    listed = [entry.to_json() for entry in entries]
    terminal.document(
        {"alias": head.alias, "model": head.model, "verified": True, "head": head.digest, "entries": listed}
    )
    _show_entries(terminal, entries)
    terminal.say()
    good = terminal.style("ok", "green")
    terminal.say(f"{good}  the chain of {count(len(entries), 'entry', 'entries')} is whole, up to {head.digest}")


def aliases_of(home: Home, model: str) -> list[Entry]:
    """The entries that made aliases serve a model."""
    return [entry for entry in home.aliases.standing().values() if entry.model == model]


def alias_document(entry: Entry) -> dict[str, object]:
    """What an alias serves, since when and by whom."""
    return {
        "alias": entry.alias,
        "model": entry.model,
        "since": entry.at,
        "by": entry.who,
        "action": entry.action,
        "why": entry.why,
        "forced": entry.forced,
        "entries": entry.number,
    }


def since(entry: Entry) -> str:
    """One line on what made an alias serve what it does."""
    why = f": {plain(entry.why)}" if entry.why else ""
    forced = " by force" if entry.forced else ""
    return f"{entry.alias}, {_DONE[entry.action]}{forced} {moment(entry.at)} by {plain(entry.who)}{why}"


def show_aliases(terminal: Terminal, standing: Mapping[str, Entry]) -> None:
    """A table of all aliases."""
    terminal.table(
        [[name, short(e.model), moment(e.at), _who(e), _grounds(e), plain(e.why)] for name, e in standing.items()],
        head=["alias", "model", "since", "by", "on", "why"],
    )


def _say_moved(terminal: Terminal, entry: Entry, before: Entry | None, home: Path | None) -> None:
    changed = before is None or entry.digest != before.digest
    terminal.document(entry.to_json() | {"changed": changed})
    if not changed:
        return terminal.say(f"{entry.alias} serves {short(entry.model)} already; nothing was changed.")
    instead = f" instead of {short(entry.previous)}" if entry.previous else ""
    good = terminal.style("ok", "green")
    terminal.say(f"{good}  {entry.alias} serves {short(entry.model)}{instead}, by {plain(entry.who)}")
    if entry.forced:
        terminal.paragraph("Forced: without a passing comparison. The history says so.", "    ")
    name = entry.alias.removesuffix("@production")
    terminal.say(f"    {entry.model}")
    if entry.evidence.get("comparison"):
        terminal.paragraph(f"On: {_grounds(entry)}{_gates_of(entry, ' ({})')}", "    ")
    if entry.action == "promote" and entry.previous:
        terminal.say(f"    To undo: {command_line('rollback', name, home=home)}")


def _show_entries(terminal: Terminal, entries: Sequence[Entry]) -> None:
    """A line for each, and under it the whole of its reason."""
    if terminal.as_json:
        return
    rows = [[str(e.number), moment(e.at), _who(e), e.action, short(e.model), _grounds(e)] for e in entries]
    head, *lines = columns(rows, [0], ["#", "when", "who", "action", "model", "on"], terminal.width)
    terminal.say(terminal.style(head, "dim"))
    for entry, line in zip(entries, lines, strict=True):
        terminal.say(line)
        for words in filter(None, (_gates_of(entry), plain(entry.why))):
            terminal.paragraph(words, " " * (len(rows[-1][0]) + 2))


def _gates_of(entry: Entry, form: str = "{}") -> str:
    """The gates that were not the default ones; empty where all were."""
    found = entry.evidence.get("gates")
    return form.format(f"gates: {gates_said(found)}") if found else ""


def gates_said(gates: Mapping[str, Any]) -> str:
    """Gates in a few words.

    >>> gates_said({"flips": None, "slices": False, "margin": 0.02, "metrics": {"log_loss": 0.1}})
    'flips off, slices off, margin 0.02, log_loss 0.1'
    """
    flat = {name: gate for name, gate in gates.items() if name != "metrics"} | gates.get("metrics", {})
    return ", ".join(plain(f"{name} {'off' if gate in (None, False) else gate}") for name, gate in flat.items())


def _who(entry: Entry) -> str:
    who = plain(entry.who)
    return who if len(who) <= _WIDEST else who[: _WIDEST - 1] + "…"


def _grounds(entry: Entry) -> str:
    """What an entry rests on, in a word or two."""
    verdict, comparison = entry.evidence.get("verdict"), entry.evidence.get("comparison")
    said = f"{verdict} {short(comparison)[:8]}" if comparison else str(verdict or "")
    return f"forced {said}".strip() if entry.forced else said
