"""A run in a process of its own: same bits, same errors, and never an orphan."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.training.conftest import TINY, tiny

from lithify.errors import DataError, LithifyError, RunBusy, RunError, SessionEnded, StoreFull, TooFewRows
from lithify.learners.linear.linear import Linear
from lithify.progress import Update
from lithify.store.home import Home, open_home
from lithify.store.lock import held
from lithify.training import messages, run, supervisor
from lithify.training.run import Settings, rebuild, resume

WORKER = Settings(threads=2, checkpoint_every=1, worker=True)

CALLER = """
import json, os, signal, sys
from pathlib import Path
from lithify.data.snapshot import open_snapshot
from lithify.errors import SessionEnded
from lithify.recipe import parse
from lithify.store.home import open_home
from lithify.training.run import Settings, train

def report(update):
    if update.stage == "training" or update.note.startswith("Turning"):
        print(update.stage, update.done, flush=True)

home = open_home(Path(sys.argv[1]))
try:
    train(home, open_snapshot(home, "mail"), parse(json.loads(sys.argv[2])), source="mail",
          settings=Settings(threads=1, checkpoint_every=1, worker=sys.argv[3] == "worker"), report=report)
except SessionEnded as error:
    print("ended", error, flush=True)
    sys.exit(error.exit_status)
"""
LONG = TINY | {"linear": {"steps": 100000, "tolerance": 0.0}}


def _caller(home: Home, recipe: dict, where: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CALLER, str(home.path), json.dumps(recipe), where], stdout=subprocess.PIPE, text=True
    )


def _wait_for(caller: subprocess.Popen[str], word: str) -> None:
    for line in caller.stdout:
        if line.startswith(word):
            return
    pytest.fail(f"it never said {word}")


def _wait_until(done) -> None:
    for _ in range(1000):
        if done():
            return
        time.sleep(0.02)
    pytest.fail("it never came to that")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("seed", ["0", "12345"])
def test_a_worker_gives_the_same_bits(tiny_train, digest, monkeypatch, seed) -> None:
    """In a process of its own, however Python's hashes are seeded there."""
    monkeypatch.setenv("PYTHONHASHSEED", seed)
    updates: list[Update] = []
    outcome = tiny_train(WORKER, report=updates.append)
    assert (outcome.model.digest, outcome.sessions, outcome.resumed) == (digest, 1, False)
    assert {update.stage for update in updates} >= {"extracting", "sealing"}


def test_a_model_is_rebuilt_in_a_worker(tiny_train, home) -> None:
    model = tiny_train().model
    assert rebuild(home, model, settings=WORKER) == bytes(model.data)


def test_pins_that_are_not_in_force_need_a_worker(tiny_train, digest, monkeypatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(Linear, "pins", {"OMP_NUM_THREADS": "1"})
    seen = []
    start = subprocess.Popen

    def watched(*args, **given):
        seen.append(given["env"].get("OMP_NUM_THREADS"))
        return start(*args, **given)

    monkeypatch.setattr(supervisor.subprocess, "Popen", watched)
    assert tiny_train(Settings(threads=2)).model.digest == digest
    assert seen == ["1"]


def test_pins_that_are_in_force_need_none(tiny_train, digest, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(Linear, "pins", {"OMP_NUM_THREADS": "1"})
    monkeypatch.setattr(supervisor, "_worker", lambda *_: pytest.fail("a worker was started"))
    assert tiny_train(Settings(threads=2)).model.digest == digest


def test_errors_arrive_as_what_they_are(tiny_train, home, digest) -> None:
    with pytest.raises(SessionEnded, match="after step 1; the checkpoint is safe") as ended:
        tiny_train(Settings(threads=1, session=1e-9))
    assert ended.value.run == home.catalog.runs()[0].key
    (path,) = home.run_folder(ended.value.run).glob("*.checkpoint")
    path.write_bytes(b"damaged")
    with pytest.raises(LithifyError, match="Every checkpoint of this run is damaged") as damaged:
        tiny_train(WORKER)
    assert damaged.value.code == "integrity"


def test_a_budget_is_timed_in_a_worker(home) -> None:
    from lithify.data.snapshot import open_snapshot
    from lithify.recipe import parse

    found = run.resolved(home, open_snapshot(home, "mail"), parse(TINY | {"budget": 3600.0}), WORKER)
    assert found["params"]["steps"] == 6


@pytest.mark.parametrize(
    "error", [StoreFull("a", hint="h"), TooFewRows("b", found="f"), SessionEnded("run", "c"), DataError("d")]
)
def test_an_error_comes_through_the_pipe_as_it_went(error) -> None:
    again = messages.error_of(json.loads(messages.failure(error))["error"])
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)


def test_the_text_of_a_foreign_error_stays_inside() -> None:
    try:
        raise KeyError("a line of somebody's mail")
    except KeyError as error:
        line = messages.failure(error)
    assert b"somebody" not in line
    again = messages.error_of(json.loads(line)["error"])
    assert type(again) is RunError
    assert "KeyError at test_worker.py:" in str(again)


def test_an_update_comes_through_the_pipe_as_it_went() -> None:
    update = Update("training", 3, 9, {"rate": 1.5, "part": "model"}, "a note")
    assert messages.update_of(json.loads(messages.progress(update))["update"]) == update


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_caller_that_is_killed_leaves_no_orphan(home, made, tmp_path) -> None:
    """The worker goes with it, the lock is free, and the run goes on to the same bits."""
    recipe = TINY | {"linear": {"steps": 150, "tolerance": 0.0}}
    with _caller(home, recipe, "worker") as caller:
        _wait_for(caller, "training")
        (worker,) = _children(caller.pid)
        (row,) = home.catalog.runs("running")
        assert home.catalog.sessions(row.key)[0].pid == worker
        with pytest.raises(RunBusy):
            resume(home, row.key)
        _wait_until(lambda: len(list(home.run_folder(row.key).glob("*.checkpoint"))) == 2)
        caller.kill()
        _wait_until(lambda: not _alive(worker))
        _wait_until(lambda: not held(home.lock(row.key).path))
    outcome = resume(home, row.key)
    assert outcome.resumed
    shutil.copytree(made, tmp_path / "other")
    assert tiny(open_home(tmp_path / "other"), **recipe).model.digest == outcome.model.digest


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("where", "number"), [("worker", signal.SIGINT), ("here", signal.SIGTERM)])
def test_a_signal_ends_the_session_with_a_checkpoint(home, number, where) -> None:
    with _caller(home, LONG, where) as caller:
        _wait_for(caller, "training")
        workers = _children(caller.pid)
        began = time.monotonic()
        caller.send_signal(number)
        said = caller.stdout.read()
        assert caller.wait(30) == 75
        took = time.monotonic() - began
    assert f"Stopped by {signal.Signals(number).name} after step" in said
    assert took < 20  # two seconds, where nothing else runs
    assert not any(_alive(worker) for worker in workers)
    (row,) = home.catalog.runs()
    assert row.state == "interrupted"
    newest = max(int(path.name.split(".")[0]) for path in home.run_folder(row.key).glob("*.checkpoint"))
    assert newest == row.step > 0


@pytest.mark.parametrize("where", ["worker", "here"])
def test_a_signal_before_the_first_step(home, where, digest) -> None:
    with _caller(home, TINY | {"linear": {"steps": 100000, "tolerance": 0.0}}, where) as caller:
        _wait_for(caller, "extracting")
        caller.terminate()
        said = caller.stdout.read()
        assert caller.wait(30) == 75
    assert "Stopped by SIGTERM" in said


def test_a_caller_that_gives_up_takes_its_worker_with_it(tiny_train, home) -> None:
    """Whatever the caller's reporter raises ends the worker too."""
    pids = []

    def report(update: Update) -> None:
        pids.extend(int(entry) for entry in os.listdir("/proc") if entry.isdigit() and _is_worker_of(int(entry)))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tiny_train(WORKER, report=report)
    assert pids
    assert not any(_alive(pid) for pid in pids)
    (row,) = home.catalog.runs()
    assert not held(home.lock(row.key).path)


def _is_worker_of(pid: int) -> bool:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]) == os.getpid()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_worker_that_dies_is_said(tiny_train, digest, monkeypatch) -> None:
    monkeypatch.setenv("LITHIFY_FAULT_KILL", "30")
    with pytest.raises(RunError, match=r"The worker of this run is gone\. Found: status -9"):
        tiny_train(WORKER)
    monkeypatch.delenv("LITHIFY_FAULT_KILL")
    outcome = tiny_train()
    assert (outcome.model.digest, outcome.resumed) == (digest, True)
