"""Carrying an unfinished run to another machine: one file with its snapshot, recipe, engine and newest checkpoint."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from lithify import canon
from lithify.data.snapshot import open_snapshot
from lithify.errors import IntegrityError, MalformedContainer, NewerFormat, NotFound
from lithify.store import blobs
from lithify.store.home import Home
from lithify.training.checkpoint import Checkpoints

FORMAT = 1
_NOTE = "run.json"
_MAX_NOTE = 16 << 20


def pack(home: Home, run: str, file: Path) -> Path:
    """Writes a run with all it needs to go on elsewhere; plain tar, the note first.

    Raises ``NotFound`` for a run or snapshot that is not in this home, ``RunBusy`` while a session holds it.
    """
    row = home.catalog.run(run)
    snapshot = open_snapshot(home, row.snapshot)
    layout = home.catalog.snapshot(row.snapshot).layout
    assert layout is not None
    names = [row.snapshot, layout, snapshot.layout["index"], *snapshot.layout["shards"]]
    with home.lock(row.key):
        Checkpoints(home.run_folder(row.key), row.key).latest()
        checkpoints = sorted(home.run_folder(row.key).glob("*.checkpoint"))
        note = {
            "format": FORMAT,
            "run": row.key,
            "snapshot": row.snapshot,
            "layout": layout,
            "kind": snapshot.kind,
            "rows": len(snapshot),
            "parent": snapshot.manifest["parent"],
            "recipe": row.recipe,
            "engine": row.engine,
            "blobs": names,
            "checkpoints": [path.name for path in checkpoints],
        }
        temporary = file.with_name(f".{file.name}.part")
        try:
            with tarfile.open(temporary, "w") as archive:
                _add(archive, _NOTE, canon.dumps(note))
                for name in names:
                    archive.add(home.blobs.verified(name), arcname=f"blobs/{name[7:]}", filter=_anonymous)
                for path in checkpoints:
                    archive.add(path, arcname=f"checkpoints/{path.name}", filter=_anonymous)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    return file


def unpack(home: Home, file: Path) -> str:
    """Takes in a packed run and returns its key; ``lithify train --resume KEY`` goes on with it.

    Every object is checked against its digest and every checkpoint against its seal; nothing outside of the home is
    written. Raises ``NotFound``, ``MalformedContainer``, ``IntegrityError`` or ``NewerFormat``.
    """
    if not file.exists():
        raise NotFound(f"There is no file {file}.")
    try:
        with tarfile.open(file, "r:") as archive:
            members = iter(archive)
            note = _note(archive, next(members, None), file)
            for name in note["blobs"]:
                _take_blob(home, archive, next(members, None), name)
            folder = home.run_folder(note["run"])
            with home.lock(note["run"]):
                for name in note["checkpoints"]:
                    _take_checkpoint(archive, next(members, None), folder, name)
                Checkpoints(folder, note["run"]).latest()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise MalformedContainer(f"{file.name} is not a packed run, or it is cut short.", found=str(error)) from None
    key = canon.digest_of({name: note[name] for name in ("snapshot", "recipe", "engine")})
    if key != note["run"]:
        raise IntegrityError(f"{file.name} does not hold the run it names.", expected=note["run"], found=key)
    with home.catalog.transaction():
        home.catalog.add_snapshot(
            note["snapshot"], note["kind"], note["rows"], parent=note["parent"], layout=note["layout"]
        )
        home.catalog.add_run(note["run"], note["snapshot"], note["recipe"], note["engine"])
    return str(note["run"])


def _note(archive: tarfile.TarFile, member: tarfile.TarInfo | None, file: Path) -> dict[str, Any]:
    if member is None or member.name != _NOTE or not 0 < member.size <= _MAX_NOTE:
        raise MalformedContainer(f"{file.name} is not a packed run.", expected=f"{_NOTE} as its first member")
    note = canon.loads(_read(archive, member), "note of the packed run")
    if not isinstance(note, dict) or not isinstance(note.get("format"), int):
        raise MalformedContainer(f"The note of {file.name} has no format.")
    if note["format"] > FORMAT:
        raise NewerFormat(f"{file.name} was packed by a newer Lithify.", hint="Install a newer Lithify.")
    texts, lists = ("run", "snapshot", "layout", "kind"), ("blobs", "checkpoints")
    fits = all(isinstance(note.get(k), str) for k in texts) and all(
        isinstance(note.get(k), list) and all(isinstance(item, str) for item in note[k]) for k in lists
    )
    if not fits or not canon.is_digest(note["run"]) or not all(canon.is_digest(name) for name in note["blobs"]):
        raise MalformedContainer(f"The note of {file.name} has the wrong fields.")
    return note


def _take_blob(home: Home, archive: tarfile.TarFile, member: tarfile.TarInfo | None, name: str) -> None:
    if member is None or member.name != f"blobs/{name[7:]}" or not member.isfile():
        raise MalformedContainer("An object of the packed run is missing.", expected=name[:19])
    if not home.blobs.has(name) and home.blobs.put(_read(archive, member)) != name:
        raise IntegrityError("An object of the packed run is not the one it is called.", expected=name[:19])


def _take_checkpoint(archive: tarfile.TarFile, member: tarfile.TarInfo | None, folder: Path, name: str) -> None:
    plain = name.removesuffix(".checkpoint").isdigit() and name.endswith(".checkpoint")
    if not plain or member is None or member.name != f"checkpoints/{name}" or not member.isfile():
        raise MalformedContainer("A checkpoint of the packed run is missing.", expected=name[:40])
    blobs.write_atomic(folder / name, _read(archive, member))


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    assert stream is not None
    data = stream.read()
    if len(data) != member.size:
        raise MalformedContainer("The packed run is cut short.")
    return data


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member
