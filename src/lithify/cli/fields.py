"""The fields of a table in a terminal: what each is, what it is for, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lithify.cli.output import Terminal, count, plain, wrap

if TYPE_CHECKING:
    from lithify.data.schema import Field

SHOWN = 30
"""Fields that are listed unless all are asked for."""
NAME = 32
"""Letters of a name that are shown."""
_WITH_ROLES = ("label", "time", "group", "weight", "side")


def show_fields(terminal: Terminal, fields: Sequence[Field], every: bool = False) -> None:
    """One line for each field: those with a role of their own first, then the inputs, then what was left out."""
    ordered = sorted(fields, key=lambda field: (_order(field.role), field.name))
    if not ordered:
        return
    inputs = sum(field.role == "input" for field in ordered)
    out = sum(field.role == "left out" for field in ordered)
    terminal.title(f"Fields: {count(inputs, 'input')}" + (f", {out:,} left out" if out else ""))
    shown = ordered if every else ordered[:SHOWN]
    names, kinds = (max(map(len, some)) for some in zip(*((_short(f.name), f.kind) for f in shown), strict=True))
    for field in shown:
        first, *rest = wrap(_why(field), max(20, terminal.width - names - kinds - 6)).splitlines() or [""]
        terminal.say(f"  {_short(field.name):<{names}}  {field.kind:<{kinds}}  {first}".rstrip())
        for line in rest:
            terminal.say(" " * (names + kinds + 6) + line)
    if len(shown) < len(ordered):
        terminal.say(f"  and {len(ordered) - len(shown):,} more; lithify show lists all")


def _why(field: Field) -> str:
    """Its role where that is not to be learned from, and how that was found out."""
    role = "" if field.role == "input" else field.role
    return ": ".join(part for part in (role, plain(field.why)) if part)


def _order(role: str) -> int:
    return _WITH_ROLES.index(role) if role in _WITH_ROLES else len(_WITH_ROLES) + (role == "left out")


def _short(name: str) -> str:
    shown = plain(name)
    return shown if len(shown) <= NAME else shown[: NAME - 1] + "…"
