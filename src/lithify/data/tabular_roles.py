"""Which column of a table is what, as far as its names tell; and what is wrong with that, said to a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lithify.data.columns import TEXT_NAMES, Asked, named
from lithify.data.fields import LABEL_NAMES
from lithify.data.layout import listed
from lithify.data.schema import Field
from lithify.data.streams import shown
from lithify.errors import UsageError


def find_label(names: Sequence[str], asked: Asked) -> str | None:
    """The only column with a plain name of labels; raises ``UsageError`` when rows need one and it cannot be told."""
    taken = {asked.time, asked.group, asked.weight, asked.side}
    plain = [name for name in names if name.strip().casefold() in LABEL_NAMES and name not in taken]
    if len(plain) == 1 or not asked.labelled:
        return plain[0] if len(plain) == 1 else None
    several = f"{listed(map(repr, plain))} could each be it; " if plain else ""
    raise UsageError(
        "Cannot tell which column is the label.",
        expected=f"one column called {', '.join(LABEL_NAMES[:-1])} or {LABEL_NAMES[-1]}",
        found=several + _listed(names),
        hint="Name it with --label; if the first line is a row already, put the names of the columns above it.",
    )


def check(asked: Asked, names: Sequence[str]) -> None:
    """Raises ``UsageError`` when a column that was asked for is not there, or was asked for twice."""
    roles = {role: getattr(asked, role) for role in ("label", "time", "group", "weight", "side")}
    for role, name in roles.items():
        if name is not None and name not in names and (role != "label" or asked.labelled):
            raise no_column(name, role, names)
    for name, _ in asked.kinds:
        if name not in names:
            raise no_column(name, "field", names)
    counted = Counter(name for name in roles.values() if name is not None)
    if counted and (most := counted.most_common(1)[0])[1] > 1:
        twice = " and ".join(role for role, name in roles.items() if name == most[0])
        raise UsageError(
            f"The column {most[0]!r} cannot be {twice} at once.", hint="Name a column of its own for each."
        )


def no_column(name: str | None, role: str, names: Sequence[str]) -> UsageError:
    """The error for a column that was named for a role and is not there."""
    near = None if name is None else named(names, [name.casefold()])
    return UsageError(
        f"There is no column {name!r}." if name is not None else "There is no column with the labels.",
        found=_listed(names),
        hint=f"Did you mean {near!r}?" if near else f"Check what --{role} names.",
    )


def _listed(names: Sequence[str]) -> str:
    return f"the columns {listed([repr(shown(name)[:40]) for name in names], 30)}"


def differences(names: Sequence[str], like: Sequence[Field], taken: set[str | None]) -> list[str]:
    """What is to be said of columns that are not there, or that are too many."""
    inputs = [field.name for field in like if field.role == "input"]
    lacking = [name for name in inputs if name not in names]
    if names and lacking and len(lacking) == len(inputs):
        raise UsageError(
            "None of the fields is there.",
            expected=f"columns such as {listed([repr(name) for name in inputs], 8)}",
            found=_listed(names),
            hint="Give a table with the columns that were learned from.",
        )
    known = {field.name for field in like} | taken
    extra = [name for name in names if name not in known]
    missing = [f"Not there, and missing in every row: {_named(lacking)}."] if lacking else []
    return missing + unknown_columns(extra)


def unknown_columns(names: Sequence[str]) -> list[str]:
    """What is to be said of columns that are none of a model's."""
    return [f"Left out, since unknown: {_named(names)}."] if names else []


def _named(names: Sequence[str]) -> str:
    return listed([repr(shown(name)) for name in names], 8)


def text_note(fields: Sequence[Field]) -> list[str]:
    """How to learn from texts alone, where a column bears a plain name of texts."""
    texts = [field.name for field in fields if field.kind == "text" and field.role == "input"]
    name = named(texts, TEXT_NAMES)
    return [f"To learn from the texts in {name!r} alone, name that column with --text."] if name else []


def nothing_left(fields: Sequence[Field]) -> UsageError:
    """The error for a table none of whose columns is an input."""
    out = [f"{shown(field.name)!r} ({field.why})" for field in fields if field.role == "left out"]
    return UsageError(
        "No column is left to learn from.",
        expected="a column besides the label that tells rows apart",
        found=f"left out: {listed(out)}" if out else "only columns with a role of their own",
        hint="If one is worth learning from, say what it holds with --field NAME=KIND.",
    )
