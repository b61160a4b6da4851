"""Which kind each column of a table is and what it is for: simple rules, each decision with its reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from lithify.data.kinds import counted, different, form_told, kind_of, order_of, share, useless
from lithify.data.looks import Look
from lithify.data.schema import Field, FieldKind, Form, Role, Task
from lithify.errors import TooFewRows, UsageError

LABEL_NAMES: Final = ("target", "label", "class", "y")
CLASSES: Final = 20
"""Whole numbers that take at most so many values are labels; more are learned as numbers."""


@dataclass(frozen=True)
class Asked:
    """What a caller says of the columns; None where it is to be found out.

    Attributes
    ----------
    label, time, group, weight, side : str or None
        Names of columns.
    kinds : mapping of str to str
        Kinds of columns by their names.
    task : "classification", "regression" or None
    """

    label: str | None = None
    time: str | None = None
    group: str | None = None
    weight: str | None = None
    side: str | None = None
    kinds: Mapping[str, FieldKind] = field(default_factory=dict)
    task: Task | None = None


@dataclass(frozen=True)
class Inferred:
    """What was found out.

    Attributes
    ----------
    fields : tuple of Field
        Every column, sorted by name.
    task : "classification" or "regression"
    notes : tuple of str
        What a person should be told: columns left out, orders of dates that are a guess, cells that count as missing.
    """

    fields: tuple[Field, ...]
    task: Task
    notes: tuple[str, ...]


def infer(names: Iterable[str], batches: Iterable[Any], asked: Asked) -> Inferred:
    """The fields of a table, by one pass over its rows.

    Parameters
    ----------
    names : iterable of str
        Of all columns.
    batches : iterable of pyarrow.RecordBatch
        Columns of strings or of any plain type.

    Raises
    ------
    UsageError
        No plain name for the label, a name that is no column, or a task that the label cannot give.
    TooFewRows
        No rows, or no label in any.

    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"age": ["39", "50", "?"], "y": ["no", "yes", "no"]})
    >>> for one in infer(["age", "y"], [batch], Asked()).fields:
    ...     print(one.name, one.kind, one.role, "-", one.why)
    age number input - 2 cells are numbers, all that are not missing ("?" and the like count as missing)
    y category label - 2 different values
    """
    columns = tuple(names)
    roles = choose(columns, asked)
    looks = {name: Look() for name in columns}
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        for name in columns:
            at = batch.schema.get_field_index(name)
            if at >= 0:
                looks[name].add(batch.column(at))
    if not rows:
        raise TooFewRows("The table has no rows.")
    for look in looks.values():
        look.rows = rows
    fields = [_field(name, looks[name], roles.get(name), asked) for name in sorted(columns)]
    label = next(one for one in fields if one.role == "label")
    task, why = _task(label, looks[label.name], asked.task)
    fields = [_label(one, looks[one.name], task, why) if one.role == "label" else one for one in fields]
    return Inferred(tuple(fields), task, tuple(_notes(fields, looks)))


def choose(columns: tuple[str, ...], asked: Asked) -> dict[str, Role]:
    """The roles by column, of what was asked for and of plain names; ``UsageError`` where that cannot be.

    >>> choose(("a", "Target"), Asked())
    {'Target': 'label'}
    """
    roles: dict[str, Role] = {}
    label = asked.label if asked.label is not None else _plain_label(columns)
    given: tuple[tuple[Role, str | None], ...] = (
        ("label", label), ("time", asked.time), ("group", asked.group), ("weight", asked.weight), ("side", asked.side),
    )  # fmt: skip
    for role, name in given:
        if name is None:
            continue
        if name not in columns:
            raise _missing(f"The table has no column {name!r} to be the {role}.", name, columns)
        if name in roles:
            raise UsageError(f"Column {name!r} cannot be both the {roles[name]} and the {role}.")
        roles[name] = role
    for name, kind in asked.kinds.items():
        if name not in columns:
            raise _missing(f"The table has no column {name!r} whose kind could be set.", name, columns)
        if kind not in get_args(FieldKind):
            raise UsageError(f"Column {name!r} has no such kind.", expected=", ".join(get_args(FieldKind)), found=kind)
    return roles


def _plain_label(columns: tuple[str, ...]) -> str:
    plain = [name for name in columns if name.strip().casefold() in LABEL_NAMES]
    if len(plain) == 1:
        return plain[0]
    message = "Cannot tell which column is the label." if not plain else "Several columns could be the label."
    raise _missing(message, "", columns if not plain else tuple(plain))


def _missing(message: str, name: str, columns: tuple[str, ...]) -> UsageError:
    near = difflib.get_close_matches(name, columns, 1)
    shown = ", ".join(repr(column[:40]) for column in columns[:40] if column.isprintable())
    more = f" and {len(columns) - 40} more" if len(columns) > 40 else ""
    hint = f"Did you mean {near[0]!r}?" if near else "Name it with --label." if not name else "Check its spelling."
    return UsageError(message, found=f"the columns {shown}{more}" if shown else "no columns", hint=hint)


def _field(name: str, look: Look, role: Role | None, asked: Asked) -> Field:
    """A column's field; the label's reason is completed later."""
    form = form_told(look)
    if role == "time":
        return _timed(name, look, form)
    if role == "weight" and look.numbers < look.known:
        raise UsageError(f"Column {name!r} cannot be the weight.", expected="numbers", found=counted(look))
    if name in asked.kinds:
        kind, why = asked.kinds[name], "as asked for"
        if role is None and (kind == "identifier" or not look.cells):
            return Field(name, kind, "left out", why if look.cells else "all cells are missing")
        return _made(name, kind, role or "input", why, form)
    kind, why = kind_of(name, look, role)
    if role is not None:
        return _made(name, "category" if kind == "identifier" else kind, role, why, form)
    reason = useless(look)
    if reason or kind == "identifier":
        return Field(name, kind, "left out", reason or why)
    return _made(name, kind, "input", why, form)


def _made(name: str, kind: FieldKind, role: Role, why: str, form: Form) -> Field:
    """A field that says how its cells are written where its kind leaves that open."""
    fits = (kind == "time" and form == "m/d/y") or (kind == "number" and form == "1.234,5")
    return Field(name, kind, role, why, form if fits else "")


def _timed(name: str, look: Look, form: Form) -> Field:
    found = look.numbers if look.types <= {"number", "time"} else look.numbers + look.times
    if not look.known or found < 0.5 * look.known:
        raise UsageError(f"Column {name!r} cannot be the time.", expected="dates, times or epochs", found=counted(look))
    what = "times" if look.times or look.types == {"time"} else "numbers, read as seconds since 1970"
    return _made(name, "time", "time", share(found, look, what) + order_of(look), form)


def _task(label: Field, look: Look, asked: Task | None) -> tuple[Task, str]:
    """What is to be learned, and why."""
    if not look.cells:
        raise TooFewRows(f"The label column {label.name!r} has no cell that is not missing.")
    if asked == "regression" and label.kind != "number":
        raise UsageError(f"Column {label.name!r} cannot be learned as a number.", expected="numbers", found=label.why)
    if asked is not None:
        return asked, f"{label.why}; {asked} as asked for"
    if label.kind != "number":
        return "classification", label.why
    few = look.whole and len(look.distinct) <= CLASSES
    if few:
        return "classification", f"{label.why}; {different(look)}, at most {CLASSES} whole numbers are labels"
    many = "not all whole" if not look.whole else f"{different(look)}, more than {CLASSES}"
    return "regression", f"{label.why}; {many}, so the number itself is learned"


def _label(one: Field, look: Look, task: Task, why: str) -> Field:
    """Labels stay as they are written, be they yes and no or dates."""
    kind: FieldKind = one.kind
    if task == "classification" and kind != "number" and look.types != {"boolean"}:
        kind, why = "category", different(look)
    return _made(one.name, kind, "label", why, one.form)


def _notes(fields: list[Field], looks: Mapping[str, Look]) -> Iterable[str]:
    for one in fields:
        if one.role == "left out":
            yield f"{one.name} is left out: {one.why}"
        elif "guess" in one.why:
            yield f"{one.name}: {one.why}"
        elif one.kind in ("number", "time", "boolean") and looks[one.name].words:
            yield f"{one.name}: {looks[one.name].words:,} cells such as NA or ? count as missing"
