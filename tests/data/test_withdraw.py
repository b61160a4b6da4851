"""Rows that are taken out, and erased."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lithify import canon
from lithify.data import shards
from lithify.data.snapshot import diff, open_snapshot
from lithify.data.snapshotting import snapshot
from lithify.data.withdraw import withdraw
from lithify.errors import AmbiguousName, NotFound, RunBusy, TooFewRows, UsageError
from lithify.store import blobs
from lithify.store.lock import Lock

CANARY = b"xyzzy-withdrawn-9876"


@pytest.fixture
def marked(rows):
    """Rows of which the sixth holds the canary."""
    some = rows(60)
    some[5] = replace(some[5], content=some[5].content + CANARY + b"\n")
    return some


def holding(home) -> list[str]:
    """Every file in the home that holds the canary, the catalog's journal included."""
    home.catalog.names()
    files = (path for path in home.path.rglob("*") if path.is_file())
    return [str(path.relative_to(home.path)) for path in files if CANARY in path.read_bytes()]


def test_the_names_move_to_a_snapshot_without_the_rows(home, marked, source_of):
    old = snapshot(source_of(marked), home, name="inbox", rule="hash")
    done = withdraw(home, old, [marked[5].key.hex()[:12], "SHA256:" + marked[6].key.hex()])
    new = done.snapshot
    assert home.catalog.names() == {"inbox": new.digest}
    assert sorted(done.keys) == sorted(row.key.hex() for row in marked[5:7])
    assert (len(new), new.manifest["withdrawn"], done.erased) == (58, 2, [])
    assert diff(old, new).to_json()["moved"]["rows"] == 0
    assert diff(old, new).removed == sorted(done.keys)
    assert new.layout["shards"] == old.layout["shards"]
    assert done.to_json()["snapshot"] == new.digest
    new.verify()
    open_snapshot(home, old.digest).verify()
    again = withdraw(home, new, [marked[7].key.hex()]).snapshot
    assert (len(again), again.manifest["withdrawn"]) == (57, 3)


def test_models_that_were_trained_on_the_rows_are_listed(home, marked, source_of):
    old = snapshot(source_of(marked), home)
    other = snapshot(source_of([*marked[:5], *marked[6:]]), home)
    held, free = canon.digest(b"a"), canon.digest(b"b")
    home.catalog.add_model(held, snapshot=old.digest)
    home.catalog.add_model(free, snapshot=other.digest)
    assert withdraw(home, old, [marked[5].key.hex()]).models == [held]
    assert withdraw(home, old, [marked[9].key.hex()]).models == sorted([held, free])


def test_erased_content_is_nowhere(home, marked, source_of, rows, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 6000)
    old = snapshot(source_of(marked), home, name="inbox", rule="hash")
    child = snapshot(source_of(rows(20, first=100)), home, parent=old, name="child", rule="hash")
    earlier = withdraw(home, child, [marked[5].key.hex()]).snapshot
    home.catalog.name("kept", earlier.digest)
    with pytest.raises(TooFewRows):
        snapshot(source_of([replace(marked[5]), marked[7]]), home)
    (home.cache / "blocks-1").mkdir()
    (home.cache / "blocks-1" / "x.block").write_bytes(CANARY)
    (home.cache / "loose").write_bytes(CANARY)
    left = home.blobs.path(old.layout["shards"][0]).parent / ".left.999999999-0.tmp"
    left.write_bytes(CANARY)
    assert len(holding(home)) >= 5
    done = withdraw(home, open_snapshot(home, "inbox"), [marked[5].key.hex()], erase=True)
    assert holding(home) == []
    assert sorted(done.erased) == sorted([old.digest, child.digest])
    for digest in done.erased:
        with pytest.raises(NotFound, match="erased"):
            open_snapshot(home, digest)
    names = home.catalog.names()
    assert names["inbox"] == done.snapshot.digest
    assert names["child"] == names["kept"] == earlier.digest
    for name in ("inbox", "child"):
        open_snapshot(home, name).verify()
    assert (len(open_snapshot(home, "inbox")), len(open_snapshot(home, "child"))) == (59, 79)


def test_snapshots_that_shared_a_shard_still_open_with_all_they_held(home, marked, source_of):
    old = snapshot(source_of(marked), home, rule="hash")
    sharing = withdraw(home, old, [marked[5].key.hex(), marked[6].key.hex()]).snapshot
    before = dict(zip([k.tobytes() for k in sharing.table.key], sharing.content(np.arange(58)), strict=True))
    withdraw(home, old, [marked[5].key.hex()], erase=True)
    again = open_snapshot(home, sharing.digest)
    again.verify()
    assert dict(zip([k.tobytes() for k in again.table.key], again.content(np.arange(58)), strict=True)) == before
    assert again.layout != sharing.layout
    assert holding(home) == []


def test_a_shard_that_no_snapshot_uses_is_erased_too(home, marked, source_of):
    old = snapshot(source_of(marked), home, rule="hash", name="inbox")
    other = snapshot(source_of(marked[:40]), home, rule="hash")
    home.catalog.erase_snapshot(other.digest)
    assert len(holding(home)) == 2
    withdraw(home, old, [marked[5].key.hex()], erase=True)
    assert holding(home) == []


def test_an_erasing_that_was_killed_is_finished_by_calling_again(home, marked, source_of, monkeypatch):
    class Killed(BaseException):
        pass

    old = snapshot(source_of(marked), home, rule="hash", name="inbox")
    expected = withdraw(home, old, [marked[5].key.hex()]).snapshot.digest
    home.catalog.name("inbox", old.digest, move=True)
    points = 0
    while True:
        points += 1
        left = points

        def fault(point: str) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Killed

        monkeypatch.setattr(blobs, "fault", fault)
        try:
            done = withdraw(home, open_snapshot(home, "inbox"), [marked[5].key.hex()], erase=True)
        except Killed:
            monkeypatch.setattr(blobs, "fault", None)
            continue
        except NotFound:
            # the kill came after all was done
            monkeypatch.setattr(blobs, "fault", None)
            break
        monkeypatch.setattr(blobs, "fault", None)
        assert done.snapshot.digest == expected
        break
    assert points > 5
    assert home.catalog.names() == {"inbox": expected}
    open_snapshot(home, "inbox").verify()
    assert holding(home) == []


def test_nothing_is_erased_while_a_snapshot_is_being_made(home, marked, source_of):
    old = snapshot(source_of(marked), home)
    with Lock(home.work / "snapshot-x" / "lock"), pytest.raises(RunBusy, match="Another process"):
        withdraw(home, old, [marked[5].key.hex()], erase=True)
    open_snapshot(home, old.digest).verify()
    withdraw(home, old, [marked[5].key.hex()], erase=True)
    assert list(home.work.iterdir()) == []


def test_what_cannot_be_withdrawn(home, marked, source_of, monkeypatch):
    old = snapshot(source_of(marked), home)
    for text in ("12345678", "1234567", "", "zz" * 10, "0" * 64, "f" * 64):
        with pytest.raises(NotFound, match="no such row"):
            withdraw(home, old, [text])
    with pytest.raises(UsageError, match="Which rows"):
        withdraw(home, old, [])
    with pytest.raises(TooFewRows, match="'ham'"):
        withdraw(home, old, [row.key.hex() for row in marked if row.label == "ham"])
    key = old.table.key.copy()
    key[7, :6] = key[8, :6]
    twins = replace(old, table=replace(old.table, key=key))
    with pytest.raises(AmbiguousName, match="several rows"):
        withdraw(home, twins, [key[8].tobytes().hex()[:12]])
    assert len(home.catalog.snapshots()) == 1
