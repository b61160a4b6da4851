"""The data of a retraining: which snapshot new rows join, and the snapshot with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lithify import freezing, things
from lithify.data.growth import Growth, between
from lithify.errors import NotFound, UsageError
from lithify.progress import Reporter

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.model.model import Model
    from lithify.store.home import Home


def parent_of(home: Home, champion: Model, asked: things.Data | None, replace: bool) -> Snapshot | None:
    """The snapshot that new rows join, or that is replaced; None only where the latter is not in this home."""
    if asked is not None:
        if replace:
            raise UsageError("Data that stands alone joins no parent.", hint="Leave out either replace or parent.")
        return things.find_snapshot(home, asked)
    digest = champion.card["data"]["snapshot"]
    try:
        return things.find_snapshot(home, digest)
    except NotFound as error:
        if replace:
            return None
        raise NotFound(
            f"The rows that model {champion.digest[7:19]} was trained on are not in this home, "
            "so nothing can join them.",
            expected=f"snapshot {digest[7:19]}",
            found=error.message,
            hint="Use the home it was trained in; or freeze the same data in the same way with `lithify snapshot`, "
            "which gives the same snapshot; or join another one with --parent SNAP; or give a dataset that stands "
            "alone with --replace.",
        ) from None


def grown(
    home: Home,
    data: Any,
    champion: Model,
    parent: Snapshot | None,
    replace: bool,
    asked: Mapping[str, Any],
    *,
    name: str | None,
    strict: bool,
    report: Reporter,
) -> tuple[Snapshot, Growth | None]:
    """The snapshot to train on, and how it differs from the parent."""
    from lithify.data.snapshotting import grow

    joined = None if replace else parent
    found = things.find(home, data, name=name, strict=strict, **asked)
    if found is not None:
        if joined is not None and joined.digest not in _line(home, found.digest):
            raise UsageError(
                f"The snapshot {found.digest[7:19]} is no generation of what the model was trained on.",
                expected=f"a child of {joined.digest[7:19]}, or data itself",
                hint="Make one with --parent, or say with --replace that it stands alone.",
            )
        return found, None if parent is None else between(parent, found)
    how = dict(asked)
    split = how.pop("split", None) or (None if joined is None else _split(joined))
    how["kind"] = how.get("kind") or (None if joined is None or joined.kind == "table" else joined.kind)
    if replace and not how.get("fields"):
        how |= _read_as(champion, how)
    source = freezing.open_data(home, data, parent=joined, split=split, **how)
    rule = (split or "auto").partition(":")[0]
    made, growth = grow(source, home, name=name, parent=joined, rule=rule, strict=strict, report=report)
    if joined is not None:
        return made, growth
    return made, None if parent is None else between(parent, made)


def _read_as(champion: Model, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the champion, so that it can be measured on data that stands alone."""
    like = freezing.read_as(champion)
    return like | ({"task": asked["task"]} if like and asked.get("task") else {})


def _line(home: Home, digest: str) -> set[str]:
    """A snapshot with all that it descends from."""
    line: set[str] = set()
    at: str | None = digest
    while at is not None:
        line.add(at)
        try:
            at = home.catalog.snapshot(at).parent
        except NotFound:
            break
    return line


def _split(parent: Snapshot) -> str | None:
    """How a parent was split where somebody asked for that; None to go by the new rows."""
    rule, reason = parent.manifest["split"]["rule"], parent.manifest["split"]["reason"]
    if not reason.startswith("as asked"):
        return None
    if rule in ("time", "hash"):
        return str(rule)
    role = {"group": "group", "given": "side"}[rule]
    field = next((field.name for field in parent.fields if field.role == role), None)
    if field is None:
        raise UsageError(
            f"The parent was split by a field that {'says the side' if rule == 'given' else 'groups rows'}, "
            "and does not say by which.",
            expected=f"--split {rule}:FIELD",
            hint=f"Name the field again with --split {rule}:FIELD, or choose another split such as --split hash.",
        )
    return f"{rule}:{field}"
