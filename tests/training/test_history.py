"""The learning curve of an unfinished run, in its checkpoint and on the screen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lithify.cli import main
from lithify.cli.curves import curve
from lithify.errors import SessionEnded
from lithify.store.home import Home
from lithify.training.checkpoint import Checkpoint, Checkpoints
from lithify.training.history import Point, history
from lithify.training.run import Settings

ROWS = np.array([[0, 2.0, 0.25, 7.0], [50, 1.0, 0.5, 7.0], [100, 0.5, np.nan, 7.0]], dtype=np.float32)


def _save(home: Home, run: str, step: int, arrays: dict) -> None:
    with Checkpoints(home.run_folder(run), run) as checkpoints:
        checkpoints.save_now(Checkpoint(step, {}, arrays))


@pytest.fixture
def run(tiny_train, home) -> str:
    """An unfinished one, of a learner that keeps no curve."""
    with pytest.raises(SessionEnded) as ended:
        tiny_train(Settings(threads=1, session=1e-9))
    return ended.value.run


def test_the_curve_of_the_newest_whole_checkpoint(home, run) -> None:
    folder = home.run_folder(run)
    assert history(folder, run) == []
    _save(home, run, 50, {"current/history": ROWS[:2]})
    _save(home, run, 100, {"current/history": ROWS})
    (folder / "half.tmp").write_bytes(b"of somebody who writes now")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert history(folder, run) == [Point(0, 2.0, 0.25), Point(50, 1.0, 0.5), Point(100, 0.5, None)]
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    max(folder.glob("*.checkpoint")).write_bytes(b"damaged")
    assert [point.step for point in history(folder, run)] == [0, 50]
    assert history(folder, "sha256:" + "0" * 64) == []


def test_a_model_that_is_finished_before_its_folds_keeps_its_curve(home, run) -> None:
    _save(home, run, 9, {"finished/model/history": ROWS, "current/trial": np.zeros(3)})
    assert len(history(home.run_folder(run), run)) == 3


@pytest.mark.parametrize("wrong", [np.zeros(3, np.float32), np.zeros((3, 2), np.float32), np.zeros((3, 3), np.int64)])
def test_what_is_no_curve_is_none(home, run, wrong) -> None:
    _save(home, run, 9, {"current/history": wrong})
    assert history(home.run_folder(run), run) == []


def test_points_that_were_not_reached_are_left_out(home, run) -> None:
    tally = np.array([[1.5, 2.0, 0.25, 2.0], [3.0, 1.0, 0.5, 1.0], [0.0, 0.0, 0.0, 0.0]])
    _save(home, run, 3, {"current/history": tally})
    assert history(home.run_folder(run), run) == [Point(1, 2.0, 0.25), Point(3, 1.0, 0.5)]


def test_the_step_of_a_killed_session_is_that_of_its_checkpoint(home, run, capsys) -> None:
    assert home.catalog.run(run).step < 70
    _save(home, run, 70, {})
    for arguments in (["runs"], ["runs", run[7:19]]):
        assert main([*arguments, "--home", str(home.path), "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["runs"][0] if "runs" in document else document)["step"] == 70


def test_runs_shows_it(home, run, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _save(home, run, 100, {"current/history": ROWS})
    assert main(["runs", run[7:19], "--home", str(home.path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["state"] == "interrupted"
    assert document["history"][1] == {"step": 50, "loss": 1.0, "accuracy": 0.5}
    assert document["history"][2]["accuracy"] is None
    assert main(["runs", run[7:19], "--home", str(home.path)]) == 0
    shown = capsys.readouterr().out
    assert "Loss: 0.5 at step 100" in shown
    assert "Accuracy: 50.0 % at step 50" in shown
    assert shown.count("┤") == 12
    assert max(len(line) for line in shown.splitlines() if "┤" in line or "└" in line) <= 80


def test_a_curve_goes_through_its_points() -> None:
    lines = curve([0, 10], [1.0, 0.0], width=10, height=5)
    assert lines[0].startswith("1 ┤⠑")
    assert lines[4].startswith("0 ┤        ⠑⢄"[:3])
    assert [line[3:].rstrip().count(" ") for line in lines[:5]] == [0, 2, 4, 6, 8]
    assert lines[5:] == ["  └" + "─" * 10, "   0       10"]
    assert curve([3], [0.5])[0] == "0.5 ┤⠁"
    assert len(curve(range(5000), [0.1] * 5000, width=20, height=4)[0]) == len("0.1 ┤") + 20
