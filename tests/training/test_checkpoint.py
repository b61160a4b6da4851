"""Checkpoints that are damaged, foreign, hostile, or cannot be written."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import numpy as np
import pytest

from lithify.errors import IntegrityError, MalformedContainer, SessionEnded, StoreFull
from lithify.store import blobs, container
from lithify.training import checkpoint as module
from lithify.training.checkpoint import MAX_MISSES, Checkpoint, Checkpoints
from lithify.training.run import Settings

RUN, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def _checkpoint(step: int, facts: dict | None = None) -> Checkpoint:
    return Checkpoint(step, facts or {}, {"current/weights": np.full(10, float(step))})


def _saved(folder: Path, *steps: int) -> list[Path]:
    with Checkpoints(folder, RUN) as kept:
        for step in steps:
            kept.save_now(_checkpoint(step))
    return sorted(folder.glob("*.checkpoint"))


def _full(*points: str):
    def fault(point: str) -> None:
        if point in points:
            raise OSError(errno.ENOSPC, "No space left on device")

    return fault


def test_two_are_kept_and_the_newest_is_used(tmp_path) -> None:
    files = _saved(tmp_path, 3, 7, 12)
    assert [path.name for path in files] == ["000000000007.checkpoint", "000000000012.checkpoint"]
    with Checkpoints(tmp_path, RUN) as kept:
        found, complaints = kept.latest()
        assert (found.step, complaints, kept.written) == (12, [], 12)
        assert found.arrays["current/weights"].tolist() == [12.0] * 10
        kept.clear()
        assert kept.latest() == (None, [])


def test_a_damaged_newest_gives_way_to_the_older_one(tmp_path) -> None:
    newest = _saved(tmp_path, 7, 12)[-1]
    whole = newest.read_bytes()
    for at in range(0, len(whole), 41):
        newest.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with Checkpoints(tmp_path, RUN) as kept:
            found, complaints = kept.latest()
        assert found.step == 7
        assert len(complaints) == 1
        assert newest.name in complaints[0]


def test_two_damaged_ones_are_an_error_and_stay(tmp_path) -> None:
    files = _saved(tmp_path, 7, 12)
    for path in files:
        path.write_bytes(path.read_bytes()[:-3])
    with Checkpoints(tmp_path, RUN) as kept, pytest.raises(IntegrityError, match="Every checkpoint") as damaged:
        kept.latest()
    assert files[0].name in str(damaged.value)
    assert files[1].name in str(damaged.value)
    assert all(path.exists() for path in files)


def test_one_of_another_run_is_refused(tmp_path) -> None:
    _saved(tmp_path, 7)
    with Checkpoints(tmp_path, OTHER) as kept, pytest.raises(IntegrityError, match="belongs to another run"):
        kept.latest()


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"run": RUN, "step": "7", "facts": {}},
        {"run": RUN, "step": -1, "facts": {}},
        {"run": RUN, "step": True, "facts": {}},
        {"run": RUN, "step": 7, "facts": []},
        {"run": [RUN], "step": 7, "facts": {}},
    ],
)
def test_a_hostile_one_is_refused(tmp_path, meta) -> None:
    (tmp_path / "000000000007.checkpoint").write_bytes(container.pack("checkpoint", meta, {}))
    with Checkpoints(tmp_path, RUN) as kept, pytest.raises(IntegrityError):
        kept.latest()


def test_what_a_killed_writer_left_is_swept(tmp_path) -> None:
    _saved(tmp_path, 7)
    (tmp_path / ".000000000009.checkpoint.999999999-1.tmp").write_bytes(b"half")
    with Checkpoints(tmp_path, RUN) as kept:
        kept.latest()
    assert [path.name for path in tmp_path.iterdir()] == ["000000000007.checkpoint"]


def test_every_few_steps(tmp_path) -> None:
    with Checkpoints(tmp_path, RUN, every=5) as kept:
        assert [step for step in range(1, 21) if kept.due(step)] == [5, 10, 15, 20]


def test_by_time_and_cost(tmp_path, monkeypatch) -> None:
    """At most so much is lost, and writing takes at most its share of the time."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with Checkpoints(tmp_path, RUN) as kept:
        assert not kept.due(1)
        now[0] = 1.0
        assert kept.due(2)
        monkeypatch.setattr(kept, "_write", lambda checkpoint: 0.1)  # seconds it is said to take
        kept.save(_checkpoint(2))
        kept._pending.result()
        now[0] = 5.9
        assert not kept.due(3)
        now[0] = 6.1  # 0.1 s in 5 s are 2 %
        assert kept.due(4)
        monkeypatch.setattr(kept, "_write", lambda checkpoint: 10.0)
        kept.save(_checkpoint(4))
        kept._pending.result()
        now[0] = 36.0
        assert not kept.due(5)
        now[0] = 36.2  # the bound on lost work wins
        assert kept.due(6)


def test_nothing_is_due_while_the_writer_writes(tmp_path, monkeypatch) -> None:
    leave = threading.Event()
    with Checkpoints(tmp_path, RUN) as kept:
        monkeypatch.setattr(kept, "_write", lambda checkpoint: float(leave.wait(30)))
        kept.save(_checkpoint(1))
        monkeypatch.setattr(module.time, "monotonic", lambda: 1e9)
        assert not kept.due(2)
        leave.set()


def test_a_full_disk_is_tolerated_for_a_while_and_then_said(tmp_path, monkeypatch) -> None:
    notes: list[str] = []
    _saved(tmp_path, 1, 2)
    with Checkpoints(tmp_path, RUN, 1, lambda update: notes.append(update.note)) as kept:
        monkeypatch.setattr(blobs, "fault", _full("write"))
        for step in range(3, 3 + MAX_MISSES):
            kept.save(_checkpoint(step))
        assert len(notes) == MAX_MISSES - 1
        assert "could not be written (1 of 3 times): No space left on the disk" in notes[0]
        with pytest.raises(StoreFull, match="No space left"):
            kept.save(_checkpoint(9))
    monkeypatch.setattr(blobs, "fault", None)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["000000000001.checkpoint", "000000000002.checkpoint"]
    with Checkpoints(tmp_path, RUN) as kept:
        assert kept.latest()[0].step == 2


def test_a_disk_that_recovers(tmp_path, monkeypatch) -> None:
    with Checkpoints(tmp_path, RUN, 1) as kept:
        for step in range(1, 10):
            monkeypatch.setattr(blobs, "fault", _full("sync") if step % 3 else None)
            kept.save(_checkpoint(step))
            kept._settle(final=False)
        assert kept.written == 9


# In a run


@pytest.mark.parametrize(
    ("point", "error"),
    [
        *((point, errno.ENOSPC) for point in ("create", "write", "sync", "rename", "sync-folder")),
        *(("write", error) for error in (errno.EROFS, errno.EDQUOT, errno.EIO)),
    ],
)
def test_a_home_that_cannot_be_written_loses_nothing(tiny_train, home, digest, monkeypatch, point, error) -> None:
    """Checkpoints fail from the fourth step on: the run ends loudly, and goes on from the third."""
    steps = []

    def fault(reached: str) -> None:
        if reached == point and len(steps) >= 3:
            raise OSError(error, "cannot")

    def report(update) -> None:
        if update.stage == "training" and not update.note:
            steps.append(update.done)

    monkeypatch.setattr("lithify.training.stages._Clock.tell", lambda self, stage, progress, before: steps.append(1))
    monkeypatch.setattr(blobs, "fault", fault)
    with pytest.raises(module.StoreError) as failed:
        tiny_train(Settings(threads=1, checkpoint_every=1))
    assert failed.value.hint or error == errno.EIO
    monkeypatch.setattr(blobs, "fault", None)
    (row,) = home.catalog.runs()
    assert row.state == "interrupted"
    outcome = tiny_train()
    assert (outcome.model.digest, outcome.resumed) == (digest, True)


def test_a_disk_that_is_full_at_sealing(tiny_train, home, digest, monkeypatch) -> None:
    put = blobs.Blobs.put

    def put_on_a_full_disk(self: blobs.Blobs, data: bytes) -> str:
        blobs.fault = _full("sync")
        return put(self, data)

    monkeypatch.setattr(blobs, "fault", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blobs.Blobs, "put", put_on_a_full_disk)
        with pytest.raises(StoreFull, match="nothing was lost"):
            tiny_train(Settings(threads=1, checkpoint_every=1))
    blobs.fault = None
    (row,) = home.catalog.runs()
    assert (row.state, row.step, row.model) == ("interrupted", 18, None)
    assert home.catalog.models() == []
    outcome = tiny_train()
    assert (outcome.model.digest, outcome.resumed) == (digest, True)


def test_a_damaged_checkpoint_of_a_run(tiny_train, home, digest) -> None:
    for _ in range(3):
        with pytest.raises(SessionEnded) as ended:
            tiny_train(Settings(threads=1, session=1e-9))
    newest = max(home.run_folder(ended.value.run).glob("*.checkpoint"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"\1")
    notes: list[str] = []
    with pytest.raises(SessionEnded, match="after step 3"):
        tiny_train(Settings(threads=1, session=1e-9), report=lambda update: notes.append(update.note))
    assert any(newest.name in note for note in notes)
    assert "Going on after step 2." in notes
    for path in home.run_folder(ended.value.run).glob("*.checkpoint"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(IntegrityError, match="Every checkpoint"):
        tiny_train()
    assert home.catalog.run(ended.value.run).state == "interrupted"
    for path in home.run_folder(ended.value.run).glob("*.checkpoint"):
        path.unlink()
    assert tiny_train().model.digest == digest


@pytest.mark.parametrize(
    "spoil",
    [
        lambda facts, arrays: arrays.update({"current/weights": arrays["current/weights"][:-5]}),
        lambda facts, arrays: arrays.update({"current/trial": arrays["current/trial"].astype(np.float32)}),
        lambda facts, arrays: arrays.update({"current/moved/0": np.zeros(3)}),
        lambda facts, arrays: arrays.pop("current/trial"),
        lambda facts, arrays: facts.update(stage=99),
        lambda facts, arrays: facts.update(stage=-1),
        lambda facts, arrays: facts.update(stage="1"),
        lambda facts, arrays: facts.update(finished={"stranger": {}}),
        lambda facts, arrays: facts.update(current=None, stage=3),
        lambda facts, arrays: facts.pop("current"),
        lambda facts, arrays: facts["current"].pop("pairs"),
        lambda facts, arrays: facts["current"].update(pairs=5),
        lambda facts, arrays: facts["current"].update(pairs="0"),
        lambda facts, arrays: facts["current"].update(pairs=0.5),
        lambda facts, arrays: facts["current"].update(loss=[]),
        lambda facts, arrays: facts["current"].update(stranger=1),
        lambda facts, arrays: facts["current"].pop("loss"),
        lambda facts, arrays: arrays.pop("current/gradient"),
    ],
)
def test_a_whole_checkpoint_that_lies(tiny_train, home, spoil) -> None:
    """Its seal fits and its run is right: still nothing of it reaches a kernel that checks no bounds."""
    with pytest.raises(SessionEnded) as ended:
        tiny_train(Settings(threads=1, session=1e-9))
    (path,) = home.run_folder(ended.value.run).glob("*.checkpoint")
    opened = container.unpack(path.read_bytes())
    facts, arrays = opened.meta["facts"], dict(opened.tensors)
    spoil(facts, arrays)
    for step in (opened.meta["step"], 0):
        path.write_bytes(container.pack("checkpoint", {**opened.meta, "step": step, "facts": facts}, arrays))
        with pytest.raises(MalformedContainer):
            tiny_train()
