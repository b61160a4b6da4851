"""From data of any shape to a snapshot: opened with what was asked, read as a model reads, frozen under a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithify.errors import UsageError
from lithify.parsing import field_kinds
from lithify.progress import Reporter, Update, silent
from lithify.things import find, find_snapshot

if TYPE_CHECKING:
    from lithify.data.schema import Field
    from lithify.data.snapshot import Snapshot
    from lithify.data.source import Source
    from lithify.model.model import Model
    from lithify.store.home import Home
    from lithify.things import Data


def find_or_make(home: Home, data: Data, *, report: Reporter = silent, **asked: Any) -> Snapshot:
    """A snapshot as it is, of data, or by digest or name; a path wins over a name."""
    like = {name: asked.pop(name) for name in ("like", "task") if name in asked} if "like" in asked else {}
    found = find(home, data, **asked)
    if found is not None:
        return found
    how: dict[str, Any] = {name: asked.pop(name, None) for name in ("name", "parent", "split")}
    strict = bool(asked.pop("strict", False))
    source = open_data(home, data, parent=how["parent"], split=how["split"], **(asked | like))
    return freeze(home, source, strict=strict, report=report, **how)


def freeze(
    home: Home,
    source: Source,
    *,
    name: str | None = None,
    parent: Data | None = None,
    split: str | None = None,
    strict: bool = False,
    report: Reporter = silent,
) -> Snapshot:
    """:func:`snapshot` of what was opened already."""
    from lithify.data import snapshotting

    rule = _rule(split)[0]
    older = None if parent is None else find_snapshot(home, parent)
    before = home.catalog.names().get(name) if name else None
    made = snapshotting.snapshot(source, home, name=name, parent=older, rule=rule, strict=strict, report=report)
    if before not in (None, made.digest):
        stood = f"The name {name} stood for the snapshot {str(before).removeprefix('sha256:')[:12]} before."
        report(Update("finished", note=stood))
    return made


def open_data(
    home: Home,
    data: Any,
    *,
    parent: Data | None = None,
    split: str | None = None,
    group: str | None = None,
    fields: Mapping[str, str] | Iterable[str] | None = None,
    like: tuple[Field, ...] = (),
    task: str | None = None,
    **asked: Any,
) -> Source:
    """What :func:`snapshot` reads from, with the options of that; says what was recognised before it is read.

    A table is read with the fields of the parent, or with ``like``, unless kinds are given; else they are inferred.
    """
    from lithify.data.inputs import as_columns
    from lithify.data.open import open_source

    if isinstance(data, (str, Path)) and str(data) == "-":
        raise UsageError("A snapshot needs a place, not standard input.", hint="Save it to a file, and give that.")
    rule, field = _rule(split)
    if rule == "group":
        if group not in (None, field):
            raise UsageError("--group and --split name two different fields.", found=f"{group} and {field}")
        group = field
    kinds = field_kinds(fields)
    if parent is not None and not kinds:
        older = find_snapshot(home, parent)
        like, task = older.fields, task or (older.task if older.fields else None)
    if like and not kinds:
        asked |= {"kind": asked.get("kind") or "table", "like": like}
    asked |= {"group": group, "side": field if rule == "given" else None, "fields": kinds, "task": task}
    return open_source(as_columns(data), **asked)


def read_as(model: Model) -> dict[str, Any]:
    """The options of :func:`open_data` that read a table as a model does; none for models of mail and text."""
    from lithify.data.schema import Field

    if model.kind != "table":
        return {}
    return {"like": tuple(Field(**field) for field in model.card["data"]["fields"]), "task": model.task}


def _rule(split: str | None) -> tuple[str, str]:
    """The rule of a split and the field it names, where it has to name one."""
    rule, _, field = (split or "auto").partition(":")
    if rule not in ("auto", "time", "hash", "group", "given"):
        raise UsageError("Unknown split.", expected="time, hash, group:FIELD or given:FIELD", found=rule)
    if bool(field) != (rule in ("group", "given")):
        raise UsageError(
            f"The split {rule!r} {'takes no' if field else 'needs a'} field.",
            expected=rule if field else f"{rule}:FIELD, such as {'group:List-Id' if rule == 'group' else 'given:side'}",
        )
    return rule, field
