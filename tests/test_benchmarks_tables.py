"""The benchmarks on tables run and measure what they say, on data made here; no figure of theirs is looked at."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import __main__ as command
from benchmarks import tables_data, tables_figures, tables_large_data, tables_report, tables_results
from benchmarks.tables_spent import Watch, watched


def _write(folder: Path, name: str = "toy", rows: int = 300, classes: int = 2) -> Path:
    draw = np.random.default_rng(3)
    number = draw.standard_normal(rows)
    word = draw.choice(["red", "green", "blue"], rows)
    target = (np.digitize(number + (word == "red"), np.arange(classes - 1))) if classes else 1000 * number
    frame = pd.DataFrame({"number": number, "word": word, "target": target})
    path = folder / f"{name}.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(("classes", "task"), [(2, "binary"), (4, "classes"), (0, "regression")])
def test_a_table_is_read_and_cut_in_five_by_seed_and_target(tmp_path: Path, classes: int, task: str) -> None:
    data = tables_data.read(_write(tmp_path, classes=classes))
    assert (data.task, len(data.classes)) == (task, classes)
    test = tables_data.is_test(data, 0)
    np.testing.assert_array_equal(test, tables_data.is_test(data, 0))
    assert not np.array_equal(test, tables_data.is_test(data, 1))
    if classes:
        shares = [test[data.target == label].mean() for label in range(classes)]
        assert shares == pytest.approx([0.2] * classes, abs=0.05)
    else:
        assert test.sum() == 60
        assert test[np.argsort(data.target)[:30]].sum() == 6


def test_categories_are_those_of_the_training_rows(tmp_path: Path) -> None:
    data = tables_data.read(_write(tmp_path))
    test = np.flatnonzero(tables_data.is_test(data, 0))
    data.fields.loc[test[0], "word"] = "never seen"
    train, rest = tables_data.halves(data, 0)
    assert set(train.fields["word"].cat.categories) == {"red", "green", "blue"}
    assert rest.fields["word"].dtype == train.fields["word"].dtype
    assert rest.fields["word"].isna().tolist() == [True] + [False] * (len(test) - 1)
    assert len(train.target) + len(rest.target) == 300


def test_the_file_for_ours_keeps_every_cell_and_says_the_side(tmp_path: Path) -> None:
    path = tmp_path / "toy.csv"
    path.write_text("a,target\n" + "".join(f"{'NA' if row else ''},{row % 2}\n" for row in range(20)))
    data = tables_data.read(path)
    tables_data.write_with_sides(path, data, 0, tmp_path / "sides.csv")
    lines = (tmp_path / "sides.csv").read_text().splitlines()
    assert lines[0] == "a,target,side"
    assert [line.split(",")[0] for line in lines[1:]] == [""] + ["NA"] * 19
    sides = np.array([line.split(",")[2] for line in lines[1:]])
    np.testing.assert_array_equal(sides == "test", tables_data.is_test(data, 0))


def test_figures_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

    draw = np.random.default_rng(0)
    target = draw.integers(0, 3, 200)
    rows = draw.dirichlet([1, 1, 1], 200)
    found = tables_figures.judge("classes", target, rows)
    assert found["log_loss"] == pytest.approx(log_loss(target, rows), rel=1e-9)
    score = np.round(draw.random(200), 1)
    two = tables_figures.judge("binary", target % 2, np.column_stack([1 - score, score]))
    assert two["auc"] == pytest.approx(roc_auc_score(target % 2, score), rel=1e-12)
    values = draw.standard_normal(200)
    assert tables_figures.judge("regression", values, score)["rmse"] == pytest.approx(
        root_mean_squared_error(values, score), rel=1e-12
    )
    with pytest.raises(ValueError, match="finite"):
        tables_figures.judge("regression", values, score * np.nan)
    assert doctest.testmod(tables_figures).failed == 0


def test_results_go_on_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    one = {"table": "a", "seed": 0, "system": "HistGB"}
    tables_results.append(path, one | {"auc": 0.5})
    with path.open("a") as file:
        file.write('{"table": "a", "se')
    tables_results.append(path, one | {"seed": 1, "failed": "out of memory"})
    tables_results.append(path, one | {"seed": 2, "auc": 0.7})
    assert [line["seed"] for line in tables_results.read(path)] == [0, 2]
    assert [line["seed"] for line in tables_results.failures(path)] == [1]
    tables_results.append(path, one | {"seed": 1, "auc": 0.6})
    assert tables_results.failures(path) == []


def test_ranks_are_over_the_splits_that_all_have_and_ties_share() -> None:
    assert tables_report._ranked({"a": 0.9, "b": 0.8, "c": 0.9}) == {"a": 1.5, "b": 3.0, "c": 1.5}
    lines = [_line("x", "LightGBM", auc=0.9), _line("x", "Lithify good", auc=0.95), _line("y", "LightGBM", auc=0.99)]
    assert list(tables_report._common(lines, ("LightGBM", "Lithify good"))) == [("x", 0)]
    told = tables_report.report(lines, [])
    assert "Ranks of 2 systems on 1 splits of 1 tables" in told
    assert "Lithify good  LightGBM       1           1      1 of 1       4.0" in told


def test_a_regression_is_won_by_the_smaller_error() -> None:
    lines = [_line("x", name, task="regression", rmse=rmse) for name, rmse in (("LightGBM", 2.0), ("HistGB", 3.0))]
    assert tables_report._goodness(lines[0]) > tables_report._goodness(lines[1])


def test_a_peer_is_trained_measured_and_not_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    _write(tmp_path)
    results = tmp_path / "results.jsonl"
    asked = ["tables", "--data", str(tmp_path), "--results", str(results), "--systems", "HistGB", "--seeds", "0"]
    assert command.main([*asked, "--peers-python", sys.executable]) == 0
    printed = capsys.readouterr().out
    assert "HistGB" in printed
    assert "Versions: scikit-learn" in printed
    (line,) = map(json.loads, results.read_text().splitlines())
    assert {"auc", "accuracy", "fit", "predict", "single", "bytes", "peak", "load", "train", "test"} <= {*line}
    assert line["train"] == 240
    assert line["auc"] > 0.7
    assert line["bytes"] > 1000
    assert command.main([*asked, "--peers-python", str(tmp_path / "is not looked at")]) == 0
    assert len(results.read_text().splitlines()) == 1
    tables_results.append(results, line | {"others": 2.0, "auc": 0.1})
    assert command.main([*asked, "--peers-python", sys.executable, "--again", "1.5"]) == 0
    assert tables_results.read(results)[0]["auc"] == pytest.approx(line["auc"])


def test_what_fails_is_said_and_kept_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(tmp_path)
    results = tmp_path / "results.jsonl"
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho no such library\nexit 3\n")
    failing.chmod(0o755)
    asked = ["tables", "--data", str(tmp_path), "--results", str(results), "--systems", "XGBoost", "--seeds", "0"]
    assert command.main([*asked, "--peers-python", str(failing)]) == 0
    assert "ended with 3: no such library" in capsys.readouterr().err
    assert tables_results.read(results) == []


def test_unknown_names_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(tmp_path)
    with pytest.raises(SystemExit):
        command.main(["tables", "--data", str(tmp_path), "--systems", "Oracle"])
    assert "there is no system 'Oracle'" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="there is no /proc to read")
def test_a_process_is_watched_from_outside() -> None:
    program = "import time; block = bytearray(b'x' * 80_000_000); time.sleep(0.6)"
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, "-c", program])
    with Watch(child.pid, every=0.05) as watch:
        assert child.wait() == 0
    seen = watch.between(began, time.monotonic())
    assert seen["own"] > 80_000_000
    assert seen["peak"] >= seen["own"]
    made, spent = watched(lambda: 7)
    assert made == 7
    assert spent.ended >= spent.began
    assert spent.peak > 10_000_000


def test_the_large_table_is_the_same_for_the_same_seed_and_its_label_can_be_learned(tmp_path: Path) -> None:
    shape = tables_large_data.Shape(9, 2)
    assert shape.bytes_of_row == 84
    rows = tables_large_data.write(tmp_path / "a.csv", 1_800_000, shape)
    assert rows == 2 * tables_large_data.PIECE
    frame = pd.read_csv(tmp_path / "a.csv")
    assert len(frame) == rows
    assert 0.4 < (frame["label"] == "yes").mean() < 0.6
    assert frame["n00"].isna().mean() == pytest.approx(tables_large_data.MISSING, abs=0.005)
    first = tables_large_data.piece(1, shape, 0).to_pandas()
    pd.testing.assert_frame_equal(first, frame.iloc[tables_large_data.PIECE :].reset_index(drop=True))
    means = frame.groupby("label")["n01"].mean()
    assert means["yes"] - means["no"] > 0.3


def _line(table: str, system: str, task: str = "binary", **figures: float) -> dict[str, object]:
    took = {
        "fit": 4.0 if system == "LightGBM" else 1.0,
        "predict": 0.1,
        "single": 0.001,
        "bytes": 1000,
        "peak": 1 << 20,
    }
    facts = {"test": 10, "load": 0.1, "hardware": "none", "accuracy": 0.5}
    return {"table": table, "seed": 0, "system": system, "task": task, **took, **facts, **figures}
