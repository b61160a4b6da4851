"""A kill at any point of snapshotting costs nothing but the piece it was at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lithify.data import chunks, shards, snapshotting
from lithify.data.open import open_source
from lithify.data.snapshot import open_snapshot
from lithify.data.snapshotting import snapshot
from lithify.store.home import open_home

ROWS = 16

PROGRAM = """
import sys
from lithify.data import chunks, shards, snapshotting
from lithify.data.open import open_source
from lithify.store.home import open_home
chunks.CHUNK_ROWS["mail"], shards.SHARD_BYTES = 8, 4000
print(snapshotting.snapshot(open_source(sys.argv[1]), open_home(sys.argv[2]), name="inbox").digest)
"""


@pytest.fixture
def folder(tmp_path: Path, message) -> Path:
    for number in range(ROWS):
        path = tmp_path / "mail" / ("ham" if number % 2 else "spam") / f"{number}.eml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(message(number))
    return tmp_path / "mail"


class Killed(BaseException):
    """Stands for a kill: nothing but ``finally`` runs after it."""


def interrupted(monkeypatch, at: int, action) -> bool:
    """Runs ``action`` and ends it at the ``at``-th point where a crash must do no harm; whether it came so far."""
    left = at

    def fault(point: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("lithify.store.blobs.fault", fault)
        try:
            action()
        except Killed:
            return True
    return False


def small(monkeypatch) -> None:
    monkeypatch.setitem(chunks.CHUNK_ROWS, "mail", 8)
    monkeypatch.setattr(shards, "SHARD_BYTES", 4000)


def test_a_stop_at_every_point_ends_in_the_same_snapshot(tmp_path, folder, monkeypatch):
    small(monkeypatch)
    expected = snapshot(open_source(folder), open_home(tmp_path / "whole"))
    assert len(expected.layout["shards"]) == 2
    at = 1
    while True:
        home = open_home(tmp_path / f"home{at}")
        stopped = interrupted(monkeypatch, at, lambda: snapshot(open_source(folder), home, name="inbox"))  # noqa: B023
        assert snapshot(open_source(folder), home, name="inbox").digest == expected.digest
        open_snapshot(home, "inbox").verify()
        assert list(home.work.iterdir()) == []
        if not stopped:
            break
        at += 1
    assert at > 25


def test_finished_pieces_are_not_made_again(tmp_path, folder, monkeypatch):
    small(monkeypatch)
    home = open_home(tmp_path / "home")
    made: list[str] = []
    texts, put = chunks.shown_text, shards.put_shard
    monkeypatch.setattr(chunks, "shown_text", lambda *a: made.append("row") or texts(*a))
    monkeypatch.setattr(shards, "put_shard", lambda *a: made.append("shard") or put(*a))
    at = 0
    while interrupted(monkeypatch, at := at + 3, lambda: snapshot(open_source(folder), home)):
        pass
    # every stop costs at most the chunk of 8 rows, or the shard, that was being made
    stops = at // 3 - 1
    assert stops > 4
    assert ROWS <= made.count("row") <= ROWS + 8 * stops
    assert 2 <= made.count("shard") <= 2 + stops
    made.clear()
    home = open_home(tmp_path / "second")
    monkeypatch.setattr(snapshotting, "merge", lambda found: interrupt())

    def interrupt() -> None:
        raise Killed

    with pytest.raises(Killed):
        snapshot(open_source(folder), home)
    assert made == ["row"] * ROWS
    monkeypatch.undo()
    small(monkeypatch)
    monkeypatch.setattr(chunks, "shown_text", lambda *a: made.append("again") or texts(*a))
    snapshot(open_source(folder), home)
    assert made == ["row"] * ROWS


def test_a_source_that_changed_is_read_anew(tmp_path, folder, message, monkeypatch):
    small(monkeypatch)
    home = open_home(tmp_path / "home")
    assert interrupted(monkeypatch, 20, lambda: snapshot(open_source(folder), home))
    (folder / "ham" / "0.eml").write_bytes(message(99))
    snap = snapshot(open_source(folder), home)
    assert snap.digest == snapshot(open_source(folder), open_home(tmp_path / "other")).digest
    assert len(snap) == ROWS + 1


def test_a_damaged_chunk_is_made_again(tmp_path, folder, monkeypatch):
    small(monkeypatch)
    expected = snapshot(open_source(folder), open_home(tmp_path / "whole")).digest
    home = open_home(tmp_path / "home")
    assert interrupted(monkeypatch, 20, lambda: snapshot(open_source(folder), home))
    (first, *_) = sorted(home.work.glob("*/*.arrow"))
    first.write_bytes(first.read_bytes()[:-50])
    assert snapshot(open_source(folder), home).digest == expected


def test_kills_of_the_process(tmp_path, folder, monkeypatch):
    small(monkeypatch)
    expected = snapshot(open_source(folder), open_home(tmp_path / "whole")).digest
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    home = tmp_path / "home"
    ends = []
    for at in (13, 24, 0):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder), str(home)],
            env={**environment, "LITHIFY_FAULT_KILL": str(at)},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        ends.append(done.returncode)
    assert ends == [-signal.SIGKILL] * 2 + [0]
    assert done.stdout.strip() == expected
    assert not list(home.rglob("*.tmp"))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_kills_of_the_process_at_every_point(tmp_path, folder, monkeypatch):
    small(monkeypatch)
    expected = snapshot(open_source(folder), open_home(tmp_path / "whole")).digest
    at, done = 0, None
    while done is None or done.returncode:
        at += 1
        home = tmp_path / f"home{at}"
        for kill in (at, 0):
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LITHIFY_FAULT_KILL": str(kill)}
            run = subprocess.run(
                [sys.executable, "-c", PROGRAM, str(folder), str(home)],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            done = run if kill else done
            assert kill or run.stdout.strip() == expected
    assert at > 25
