"""Carrying an unfinished run to another machine: one file with its snapshot, recipe, engine and newest checkpoints."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lithify import canon
from lithify.data.snapshot import open_snapshot, read_layout, read_manifest
from lithify.errors import IntegrityError, MalformedContainer, NewerFormat, NotFound, UsageError, as_store_error
from lithify.store import blobs, container
from lithify.store.home import Home
from lithify.training.checkpoint import Checkpoints

FORMAT = 1
_NOTE = "run.json"
_MAX_NOTE = 16 << 20
_TEXTS = ("run", "snapshot", "layout")
_LISTS = ("blobs", "checkpoints")
_MAPPINGS = ("recipe", "engine")


def pack(home: Home, run: str, file: Path) -> Path:
    """Writes a run with all it needs to go on elsewhere: a plain tar, the note first, readable by its owner alone.

    Raises
    ------
    NotFound
        The run or its snapshot is not in this home.
    UsageError
        The run is finished.
    RunBusy
        A session holds it.
    StoreFull
        The file cannot be written.
    """
    row = home.catalog.run(run)
    if row.state == "finished":
        raise UsageError("A finished run is not packed.", hint="Copy its model, which is one file.")
    snapshot = open_snapshot(home, row.snapshot)
    layout = home.catalog.snapshot(row.snapshot).layout
    names = [row.snapshot, str(layout), snapshot.layout["index"], *snapshot.layout["shards"]]
    with home.lock(row.key):
        Checkpoints(home.run_folder(row.key), row.key).latest()
        checkpoints = sorted(home.run_folder(row.key).glob("*.checkpoint"))
        note = {
            "format": FORMAT,
            "run": row.key,
            "snapshot": row.snapshot,
            "layout": layout,
            "recipe": row.recipe,
            "engine": row.engine,
            "blobs": names,
            "checkpoints": [path.name for path in checkpoints],
        }
        members = [(f"blobs/{name[7:]}", home.blobs.verified(name)) for name in names]
        members += [(f"checkpoints/{path.name}", path) for path in checkpoints]
        _write(file, canon.dumps(note), members)
    return file


def unpack(home: Home, file: Path) -> str:
    """Takes in a packed run and returns its key; ``lithify train --resume KEY`` goes on with it.

    Every object is checked against its digest, every content against its key and every checkpoint against its seal,
    and nothing outside of the home is written. A checkpoint that is here already stays as it is.

    Raises ``NotFound``, ``MalformedContainer``, ``IntegrityError``, ``NewerFormat``, or ``RunBusy`` while a session
    holds the run.
    """
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    try:
        with tarfile.open(file, "r:") as archive:
            members = _members(archive)
            note = _note(next(members, None), file)
            for name in note["blobs"]:
                _take_blob(home, next(members, None), name)
            checkpoints = [_checkpoint(next(members, None), name, note["run"]) for name in note["checkpoints"]]
    except (tarfile.TarError, EOFError, OSError, ValueError, LookupError, ArithmeticError) as error:
        raise MalformedContainer(f"{file.name} is not a packed run, or it is cut short.", found=str(error)) from None
    _enter(home, note)
    folder = home.run_folder(note["run"])
    with home.lock(note["run"]):
        row = home.catalog.run(note["run"])
        if row.state != "finished":
            for name, data in checkpoints:
                if not (folder / name).exists():
                    blobs.write_atomic(folder / name, data)
            reached = max((int(name.removesuffix(".checkpoint")) for name, _ in checkpoints), default=0)
            home.catalog.update_run(row.key, step=max(row.step, reached))
    return str(note["run"])


# --- writing --------------------------------------------------------------------------------------------------------


def _write(file: Path, note: bytes, members: list[tuple[str, Path]]) -> None:
    """Beside its place first, so that the file is whole as soon as it has its name."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as stream:
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
                _add(archive, _NOTE, io.BytesIO(note), len(note))
                for name, path in members:
                    with open(path, "rb") as content:
                        _add(archive, name, content, path.stat().st_size)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
        blobs.sync_folder(file.absolute().parent)
    except OSError as error:
        raise as_store_error(error, f"writing {file.name}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, content: Any, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    archive.addfile(member, content)


# --- reading --------------------------------------------------------------------------------------------------------


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member; only plain files, none longer than the file says it is."""
    for member in archive:
        if not member.isreg() or member.issparse() or member.pax_headers:
            raise MalformedContainer("A packed run holds plain files only.", found=repr(member.name[:80]))
        if member.name == _NOTE and member.size > _MAX_NOTE:
            raise MalformedContainer("The note of the packed run is too long.", found=f"{member.size:,} bytes")
        stream = archive.extractfile(member)
        data = stream.read() if stream is not None else b""
        if len(data) != member.size:
            raise MalformedContainer("The packed run is cut short.")
        yield member.name, data


def _note(member: tuple[str, bytes] | None, file: Path) -> dict[str, Any]:
    if member is None or member[0] != _NOTE:
        raise MalformedContainer(f"{file.name} is not a packed run.", expected=f"{_NOTE} as its first member")
    note = canon.loads(member[1], "note of the packed run")
    if not isinstance(note, dict) or not isinstance(note.get("format"), int):
        raise MalformedContainer(f"The note of {file.name} has no format.")
    if note["format"] > FORMAT:
        raise NewerFormat(f"{file.name} was packed by a newer Lithify.", hint="Install a newer Lithify.")
    if not _fits(note):
        raise MalformedContainer(f"The note of {file.name} has the wrong fields.")
    key = canon.digest_of({name: note[name] for name in ("snapshot", "recipe", "engine")})
    if key != note["run"]:
        raise IntegrityError(f"{file.name} does not hold the run it names.", expected=note["run"], found=key)
    return note


def _fits(note: dict[str, Any]) -> bool:
    return (
        all(isinstance(note.get(name), str) and canon.is_digest(note[name]) for name in _TEXTS)
        and all(isinstance(note.get(name), dict) for name in _MAPPINGS)
        and all(isinstance(note.get(name), list) for name in _LISTS)
        and all(isinstance(name, str) for each in _LISTS for name in note[each])
        and all(canon.is_digest(name) for name in note["blobs"])
        and {note["snapshot"], note["layout"]} <= set(note["blobs"])
    )


def _take_blob(home: Home, member: tuple[str, bytes] | None, name: str) -> None:
    if member is None or member[0] != f"blobs/{name[7:]}":
        raise MalformedContainer("An object of the packed run is missing.", expected=name[:19])
    if canon.digest(member[1]) != name:
        raise IntegrityError("An object of the packed run is not the one it is called.", expected=name[:19])
    home.blobs.put(member[1])


def _checkpoint(member: tuple[str, bytes] | None, name: str, run: str) -> tuple[str, bytes]:
    """Name and content of a checkpoint of the run; raises ``IntegrityError`` for anything else."""
    digits = name.removesuffix(".checkpoint")
    if not name.endswith(".checkpoint") or not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise MalformedContainer("This is no name of a checkpoint.", found=repr(name[:40]))
    if member is None or member[0] != f"checkpoints/{name}":
        raise MalformedContainer("A checkpoint of the packed run is missing.", expected=name)
    opened = container.unpack(member[1], "checkpoint", name)
    if opened.meta.get("run") != run or opened.meta.get("step") != int(digits):
        raise IntegrityError("A checkpoint of the packed run belongs elsewhere.", found=name)
    return name, member[1]


def _enter(home: Home, note: dict[str, Any]) -> None:
    """Enters snapshot and run into the catalog once every byte of the snapshot was checked."""
    manifest = read_manifest(home.blobs.get(note["snapshot"]), note["snapshot"])
    layout = read_layout(home.blobs.get(note["layout"]))
    if not {layout["index"], *layout["shards"]} <= set(note["blobs"]):
        raise MalformedContainer("The packed run lacks a part of its snapshot.")
    with home.catalog.transaction():
        home.catalog.add_snapshot(
            note["snapshot"],
            manifest["kind"],
            manifest["rows"]["count"],
            parent=manifest["parent"],
            layout=note["layout"],
        )
        open_snapshot(home, note["snapshot"]).verify()
        home.catalog.add_run(note["run"], note["snapshot"], note["recipe"], note["engine"])
