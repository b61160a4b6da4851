"""Runs that end early, twice, at the same time or not at all."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace

import pytest

from lithify.data import snapshot as snapshots
from lithify.data.snapshot import open_snapshot
from lithify.errors import EngineMismatch, LithifyError, NewerFormat, NotFound, RunBusy, RunChanged, SessionEnded
from lithify.learners.linear.linear import Linear
from lithify.model.model import open_model
from lithify.progress import Update
from lithify.recipe import parse
from lithify.store.home import open_home
from lithify.training import run as runs
from lithify.training.run import Settings, rebuild, resolved, resume

ONE_STEP = Settings(threads=2, session=1e-9, checkpoint_every=1)


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_threads_do_not_change_a_bit(tiny_train, digest, threads) -> None:
    assert tiny_train(Settings(threads=threads)).model.digest == digest


def test_a_finished_run_is_found_at_once(tiny_train, home, digest, monkeypatch) -> None:
    first = tiny_train()
    assert (first.model.digest, first.sessions, first.resumed) == (digest, 1, False)
    assert first.model.path.is_relative_to(home.path)
    row = home.catalog.run(first.run)
    assert (row.state, row.step, row.steps, row.model) == ("finished", 18, 18, digest)
    monkeypatch.setattr(snapshots.Snapshot, "content", lambda *_: pytest.fail("it read the data"))
    again = tiny_train()
    assert (again.model.digest, again.sessions, again.resumed) == (digest, 1, True)
    assert resume(home, first.run[7:19]).model.digest == digest
    assert not list(home.run_folder(first.run).glob("*.checkpoint"))


def test_a_lost_model_is_trained_again_and_that_is_said(tiny_train, home, digest) -> None:
    path = tiny_train().model.path
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    notes: list[str] = []
    outcome = tiny_train(report=lambda update: notes.append(update.note))
    assert outcome.model.digest == digest
    assert any("trained again" in note for note in notes)


def test_sessions_of_a_single_step_come_to_the_end(tiny_train, home, digest) -> None:
    """However short the sessions are, the run ends, with the same bits."""
    for step in range(1, 19):
        with pytest.raises(SessionEnded, match=f"after step {step}; the checkpoint is safe") as ended:
            tiny_train(replace(ONE_STEP, threads=1 + step % 3))
        assert ended.value.exit_status == 75
        row = home.catalog.run(ended.value.run)
        assert (row.state, row.step) == ("interrupted", step)
    outcome = tiny_train()
    assert (outcome.model.digest, outcome.sessions, outcome.resumed) == (digest, 19, True)
    assert [s.how for s in home.catalog.sessions(outcome.run)] == ["interrupted"] * 18 + ["finished"]
    assert [s.first_step for s in home.catalog.sessions(outcome.run)] == list(range(19))


def test_two_sessions_at_once(tiny_train, home, digest) -> None:
    inside, leave = threading.Event(), threading.Event()

    def wait(update: Update) -> None:
        if update.stage == "extracting":
            inside.set()
            assert leave.wait(60)

    results = []
    first = threading.Thread(target=lambda: results.append(tiny_train(report=wait)))
    first.start()
    assert inside.wait(60)
    with pytest.raises(RunBusy, match="Another session holds this run"):
        tiny_train()
    leave.set()
    first.join()
    assert results[0].model.digest == digest


def test_a_change_under_an_unfinished_run_is_said(tiny_train, home, digest, monkeypatch) -> None:
    with pytest.raises(SessionEnded) as ended:
        tiny_train(ONE_STEP)
    old = ended.value.run
    with pytest.raises(RunChanged, match=r"recipe\.seed: 0 -> 5") as changed:
        tiny_train(seed=5)
    assert old[7:19] in str(changed.value)
    assert "--new" in str(changed.value)
    text = open_snapshot(home, "text")
    with pytest.raises(RunChanged, match="snapshot: sha256:"):
        runs.train(home, text, parse({}), source="mail")
    monkeypatch.setattr(Linear, "engine", {"learner.linear": 99})
    with pytest.raises(RunChanged, match=r"engine\.learner\.linear: \d+ -> 99"):
        tiny_train()
    with pytest.raises(EngineMismatch, match=r"learner\.linear: \d+ -> 99"):
        resume(home, old)
    monkeypatch.undo()
    assert resume(home, old).model.digest == digest


def test_new_leaves_the_unfinished_run(tiny_train, home, digest) -> None:
    with pytest.raises(SessionEnded) as ended:
        tiny_train(ONE_STEP)
    other = tiny_train(seed=5, new=True)
    assert other.run != ended.value.run
    assert tiny_train(seed=5).resumed  # the run left behind is in nobody's way
    assert resume(home, ended.value.run).model.digest == digest


def test_an_unknown_run(home) -> None:
    with pytest.raises(NotFound):
        resume(home, "0" * 12)


def test_a_budget_is_decided_once(home, monkeypatch) -> None:
    snap = open_snapshot(home, "mail")
    asked = []
    monkeypatch.setattr(runs, "_seconds_per_step", lambda *_: asked.append(1) or 1e9)
    recipe = parse({"folds": 1, "budget": 60.0, "features": {"body_bits": 8, "shape_bits": 8, "header_bits": 8}})
    assert resolved(home, snap, recipe)["params"]["steps"] == 1
    monkeypatch.setattr(runs, "_seconds_per_step", lambda *_: pytest.fail("it was decided already"))
    first = runs.train(home, snap, recipe, source="mail")
    assert runs.train(home, snap, recipe, source="mail").run == first.run
    assert first.model.card["recipe"]["params"]["steps"] == 1
    assert "budget" not in first.model.card["recipe"]
    assert asked == [1]


def test_a_budget_is_timed_and_its_run_resumes(home) -> None:
    snap = open_snapshot(home, "mail")
    recipe = parse({"folds": 1, "budget": 3600.0, "linear": {"steps": 6}, "features": {"body_bits": 8}})
    with pytest.raises(SessionEnded) as ended:
        runs.train(home, snap, recipe, source="mail", settings=ONE_STEP)
    assert home.catalog.run(ended.value.run).recipe["params"]["steps"] == 6
    outcome = runs.train(home, snap, recipe, source="mail")
    assert (outcome.run, outcome.resumed) == (ended.value.run, True)


def test_two_that_decide_a_budget_at_the_same_time_agree(home, monkeypatch) -> None:
    snap, recipe = open_snapshot(home, "mail"), parse({"budget": 100.0})

    def slow(*_: object) -> float:
        monkeypatch.setattr(runs, "_seconds_per_step", lambda *_: 50.0)
        assert resolved(home, snap, recipe)["params"]["steps"] == 1
        return 1e-6

    monkeypatch.setattr(runs, "_seconds_per_step", slow)
    assert resolved(home, snap, recipe)["params"]["steps"] == 1


def test_rebuilding_gives_the_same_bytes_and_leaves_nothing(tiny_train, home) -> None:
    model = tiny_train().model
    before = sorted(home.path.rglob("*"))
    assert rebuild(home, model, settings=Settings(threads=3)) == bytes(model.data)
    with pytest.raises(SessionEnded):
        rebuild(home, model, settings=ONE_STEP)
    assert sorted(home.path.rglob("*")) == before


def test_rebuilding_elsewhere_is_refused(tiny_train, home, monkeypatch) -> None:
    model = open_model(bytes(tiny_train().model.data))
    home.catalog._db.write("DELETE FROM names WHERE name = 'mail'")
    monkeypatch.setattr(Linear, "engine", {"learner.linear": 99})
    with pytest.raises(EngineMismatch):
        rebuild(home, model)
    monkeypatch.undo()
    model.card["data"]["snapshot"] = "sha256:" + "0" * 64
    with pytest.raises(NotFound, match="cannot be rebuilt here"):
        rebuild(home, model)


def test_the_clock_may_go_backwards(tiny_train, home, digest, monkeypatch) -> None:
    now = iter(range(2_000_000_000, 0, -100_000))
    monkeypatch.setattr("lithify.store.catalog.Catalog._now", lambda self: next(now))
    for _ in range(5):
        with pytest.raises(SessionEnded):
            tiny_train(ONE_STEP)
    assert tiny_train().model.digest == digest


def test_a_home_of_a_newer_version_is_left_alone(tiny_train, home, digest) -> None:
    with pytest.raises(SessionEnded):
        tiny_train(ONE_STEP)
    version = home.path / "version"
    version.write_text("2\n")
    with pytest.raises(NewerFormat, match="newer Lithify"):
        open_home(home.path)
    version.write_text("1\n")
    assert open_home(home.path).catalog.runs()[0].step == 1
    assert tiny_train().model.digest == digest


@pytest.mark.parametrize(
    "recipe", [{}, {"learner": "linear", "grains": 10**9}, {"learner": "os.system"}, {"learner": []}]
)
def test_a_card_with_a_hostile_recipe_is_not_rebuilt(tiny_train, home, recipe) -> None:
    model = tiny_train().model
    model.card["recipe"] = recipe
    with pytest.raises(LithifyError):
        rebuild(home, model)


@pytest.mark.parametrize("where", ["before", "inside"])
def test_a_signal_while_sealing_keeps_all_steps(tiny_train, home, digest, monkeypatch, where) -> None:
    def report(update: Update) -> None:
        if update.stage == "sealing" and where == "before":
            os.kill(os.getpid(), signal.SIGTERM)

    def finish(*_: object) -> bytes:
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("it went on")

    with monkeypatch.context() as patch:
        patch.setattr("lithify.training.sealing.finish", finish)
        with pytest.raises(SessionEnded, match="Stopped by SIGTERM after step 18; the checkpoint is safe"):
            tiny_train(report=report)
    (row,) = home.catalog.runs()
    assert (row.state, row.step, row.model) == ("interrupted", 18, None)
    monkeypatch.setattr("lithify.training.executor.Threads.step", lambda *_: pytest.fail("it trained again"))
    assert tiny_train().model.digest == digest
