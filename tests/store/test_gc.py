"""Collecting: what is needed stays, what is young stays, the rest goes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lithify import canon
from lithify.errors import IntegrityError
from lithify.store import blobs
from lithify.store.container import pack
from lithify.store.gc import collect, mark
from lithify.store.home import Home, open_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


def snapshot(home: Home, text: str, parent: str | None = None) -> tuple[str, set[str]]:
    """A snapshot in the shape of a real one; its digest and all objects of its own."""
    shards = [home.blobs.put(f"shard {index} of {text}".encode()) for index in range(2)]
    index, listed = home.blobs.put(f"index of {text}".encode()), home.blobs.put(canon.dumps([text, "empty"]))
    layout = home.blobs.put(canon.dumps({"shards": shards, "index": index}))
    digest = home.blobs.put(canon.dumps({"kind": "snapshot", "text": text, "parent": parent}))
    home.catalog.add_snapshot(digest, "mail", 10, parent=parent, layout=layout, quarantine=listed)
    return digest, {digest, layout, index, listed, *shards}


def age(home: Home, seconds: float = 10_000_000) -> None:
    then = time.time() - seconds
    for path in sorted(home.path.rglob("*"), reverse=True):
        os.utime(path, (then, then))


def test_what_is_needed_stays_and_the_rest_goes(home: Home) -> None:
    parent, of_parent = snapshot(home, "parent")
    named, of_named = snapshot(home, "named", parent)
    trained, of_trained = snapshot(home, "trained")
    unfinished, of_unfinished = snapshot(home, "unfinished")
    loose, of_loose = snapshot(home, "loose")
    over, of_over = snapshot(home, "over")
    home.catalog.name("inbox", named)
    model = home.blobs.put(pack("model", {"snapshot": loose}, {}))
    home.catalog.add_model(model, snapshot=trained)
    home.catalog.add_run(canon.digest(b"r"), unfinished, {}, {})
    home.catalog.add_run(canon.digest(b"o"), over, {}, {})
    home.catalog.update_run(canon.digest(b"o"), state="failed")
    stray = home.blobs.put(b"stray")
    age(home)
    needed = {model} | of_parent | of_named | of_trained | of_unfinished
    gone = {stray} | of_loose | of_over
    assert mark(home) == needed

    said = collect(home, dry_run=True)
    assert set(home.blobs) == needed | gone
    assert not home.catalog.snapshot(loose).erased
    done = collect(home)
    assert set(home.blobs) == needed
    assert [each.path for each in said.removed] == [each.path for each in done.removed]
    assert {"sha256:" + each.path.removeprefix("blobs/").replace("/", "") for each in done.removed} == gone
    assert done.bytes == said.bytes > 0
    assert done.kept == len(needed)
    assert [row.digest for row in home.catalog.snapshots() if row.erased] == [loose, over]
    assert collect(home).removed == []


def test_what_is_young_stays(home: Home) -> None:
    stray = home.blobs.put(b"stray")
    collect(home)
    assert home.blobs.has(stray)
    age(home, 7200)
    assert collect(home, grace=10_000).removed == []
    home.blobs.put(b"stray")
    assert collect(home).removed == []
    age(home, 7200)
    assert len(collect(home).removed) == 1


def test_an_erased_snapshot_no_longer_keeps_anything_but_what_others_share(home: Home) -> None:
    old, of_old = snapshot(home, "old")
    shared = min(of_old - {old})
    child = home.blobs.put(canon.dumps({"parent": old, "shards": [{"digest": shared}]}))
    home.catalog.add_snapshot(child, "mail", 9, parent=old)
    home.catalog.name("inbox", child)
    home.catalog.add_model(home.blobs.put(b"model"), snapshot=old)
    home.catalog.erase_snapshot(old)
    age(home)
    collect(home)
    assert home.blobs.has(child)
    assert home.blobs.has(shared)
    assert not any(home.blobs.has(digest) for digest in of_old - {shared})


def test_a_damaged_manifest_stops_it_before_anything_is_lost(home: Home) -> None:
    named, own = snapshot(home, "named")
    home.catalog.name("inbox", named)
    path = home.blobs.path(named)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    age(home)
    with pytest.raises(IntegrityError):
        collect(home)
    assert set(home.blobs) == own


HOLD = "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, 2); print(flush=True); sys.stdin.read()"


def test_runs_work_and_cache(home: Home) -> None:
    snap, _ = snapshot(home, "s")
    keys = [canon.digest(bytes([number])) for number in range(4)]
    for key in keys:
        home.catalog.add_run(key, snap, {}, {})
        (home.run_folder(key) / "checkpoint").write_bytes(b"state")
    for key, state in zip(keys, ("finished", "failed", "interrupted", "finished"), strict=True):
        home.catalog.update_run(key, state=state)  # type: ignore[arg-type]
    for folder in (home.work, home.cache):
        (folder / "thing" / "deep").mkdir(parents=True)
        (folder / "thing" / "deep" / "part").write_bytes(b"12345")
        (folder / "file").write_bytes(b"1")
    busy = home.work / "busy" / "lock"
    with home.lock(keys[3]):
        busy.parent.mkdir()
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(busy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert holder.stdout is not None
        holder.stdout.readline()
        age(home)
        removed = collect(home)
        holder.kill()
        holder.communicate()
    paths = {each.path: each.bytes for each in removed.removed}
    assert {path for path in paths if path.startswith("runs")} == {f"runs/{key[7:]}" for key in keys[:2]}
    assert paths["work/thing"] == 5
    assert {path for path in paths if not path.startswith("runs")} == {
        "work/thing", "work/file", "cache/thing", "cache/file",
    }  # fmt: skip
    assert busy.parent.exists()
    age(home, 7200)
    (home.cache / "read").write_bytes(b"1")
    os.utime(home.cache / "read", (time.time() - 7200, time.time() - 10_000_000))
    assert "cache/read" not in {each.path for each in collect(home).removed}


def test_runs_of_the_dead_are_no_longer_said_to_run(home: Home) -> None:
    snap, _ = snapshot(home, "s")
    for text in (b"a", b"b"):
        home.catalog.add_run(canon.digest(text), snap, {}, {})
        home.catalog.open_session(canon.digest(text))
    with home.lock(canon.digest(b"a")):
        collect(home)
        assert [run.state for run in home.catalog.runs()] == ["running", "interrupted"]


def test_temporary_files_of_the_dead_go(home: Home) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    digest = home.blobs.put(b"x")
    for folder in (home.path, home.blobs.path(digest).parent, home.work):
        (folder / f".x.{dead.pid}-1.tmp").touch()
    collect(home)
    assert not list(home.path.rglob(".*.tmp"))


def test_an_object_that_is_stored_again_while_it_is_removed_is_there_afterwards(home: Home) -> None:
    digest = home.blobs.put(b"wanted")
    age(home)

    def store_again(point: str) -> None:
        if point == "set-aside":
            blobs.fault = None
            home.blobs.put(b"wanted")

    blobs.fault = store_again
    try:
        collect(home)
    finally:
        blobs.fault = None
    assert home.blobs.get(digest) == b"wanted"
