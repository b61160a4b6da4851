"""What a THING stands for: an existing path, a digest or at least 8 hex digits of one, or a name; and in which home."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lithify.errors import NotFound, StoreError, UsageError

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.store.home import Home

    Place: TypeAlias = Home | Path | str | None
    Data: TypeAlias = Snapshot | Path | str | Any


def open_home(home: Place = None, *, create: bool = True) -> Home:
    """A home that is open already, or the one in that folder; without one, ``LITHIFY_HOME`` or the platform's.

    One that is not there is made, or ``NotFound`` where ``create`` is false.
    """
    from lithify.store import home as homes

    return home if isinstance(home, homes.Home) else homes.open_home(home, create)


def home_if_there(home: Place = None) -> Home | None:
    """The home, where there is one that can be used: files are signed and checked without it, too."""
    try:
        return open_home(home, create=False)
    except (NotFound, StoreError):
        return None


def find(home: Home, data: Data, **asked: Any) -> Snapshot | None:
    """A snapshot as it is, or by digest or name; None for data, be it a path or an object.

    Raises ``NotFound`` where there is neither, and ``UsageError`` for options that a snapshot cannot take.
    """
    from lithify.data.snapshot import Snapshot

    if isinstance(data, Snapshot):
        return data
    if not isinstance(data, str) or data == "-" or Path(data).expanduser().exists():
        return None
    try:
        found = find_snapshot(home, data)
    except NotFound as error:
        raise NotFound(f"There is no path and no snapshot {data!r}.", hint=_near(data) or error.hint) from None
    if given := sorted(name for name, value in asked.items() if value):
        raise UsageError(
            f"{data} is a snapshot: how it was read and split is settled.",
            found=", ".join("--field" if name == "fields" else f"--{name}" for name in given),
            hint="Leave these options out, or give the data itself.",
        )
    return found


def find_snapshot(home: Home, thing: Data) -> Snapshot:
    """A snapshot as it is, or by digest or name."""
    from lithify.data import snapshot as snapshots

    return thing if isinstance(thing, snapshots.Snapshot) else snapshots.open_snapshot(home, str(thing))


def is_snapshot(thing: str, home: Place = None) -> bool:
    """Whether a THING is a snapshot of the home; a path that exists never is, and what is unknown is not."""
    if Path(thing).exists():
        return False
    try:
        return open_home(home, create=False).catalog.find(thing, "model", "snapshot").kind == "snapshot"
    except NotFound:
        return False


def source_name(home: Home, data: Data) -> str:
    """What an unfinished run is remembered by: the place of the data, the name or the digest of the snapshot."""
    from lithify.data.snapshot import Snapshot

    if isinstance(data, Snapshot):
        return data.digest
    if isinstance(data, Path) or Path(data).expanduser().exists():
        return str(Path(data).expanduser().resolve())
    return data if data in home.catalog.names() else home.catalog.resolve(data, "snapshot")


def _near(data: str) -> str | None:
    """What lies beside a path that is not there under nearly the same name."""
    from lithify.data.open import open_source

    if "/" in data or "." in data:
        with contextlib.suppress(UsageError):
            try:
                open_source(data)
            except NotFound as error:
                return error.hint
    return None
