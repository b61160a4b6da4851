"""The demo, start to finish, and once more."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import sys
from pathlib import Path

import pytest

from lithify import samples
from lithify.cli import demo_table

from .conftest import Run

ROOT = Path(__file__).parents[2]


def test_demo_does_the_main_job_and_finds_it_done_the_second_time(lithify: Run) -> None:
    done = lithify("demo")
    assert done.status == 0, done.err
    folder = Path("lithify-demo")
    text = " ".join(done.out.split())
    for said in ("sub-folder per label (ham, spam)", "by time", "ham loss of 1 %", "3,000 ham", "sha256:", "Done in"):
        assert said in text
    assert "looked at twice" in text  # once when it was sealed, once for the report
    assert max(map(len, done.out.splitlines())) <= 80
    assert (folder / "mail.tar.xz").read_bytes() == samples.mail().read_bytes()
    assert (folder / "report.html").stat().st_size > 10_000
    (model,) = folder.glob("spam-*.lith")
    for words in (["predict", model, folder / "message.eml"], ["show", model], ["verify", model]):
        assert lithify(*words).status == 0
    assert not Path("home").exists()
    again = lithify("demo")
    assert "finished before" in again.out
    assert [path.name for path in folder.glob("spam-*.lith")] == [model.name]
    told = lithify("demo", "--json").json
    assert told["resumed"] is True
    assert told["evaluation"]["split"] == "test"


def test_demo_says_how_to_call_it_where_the_shell_does_not_know_it(
    lithify: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "venv" / "bin" / "lithify"), "demo"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert 'export PATH="$PWD/venv/bin:$PATH"' in lithify("demo").out


def test_demo_leaves_other_folders_alone(lithify: Run) -> None:
    Path("mine").mkdir()
    Path("mine/thing").write_text("x")
    done = lithify("demo", "--keep", "mine")
    assert done.status == 2
    assert "holds other things" in done.err


def test_demo_of_a_table_does_the_job_and_finds_it_done(lithify: Run) -> None:
    done = lithify("demo", "--table")
    assert done.status == 0, done.err
    folder = Path("lithify-demo-table")
    text = " ".join(done.out.split())
    for said in (
        "12,000 of a table",
        "Fields: 14 inputs",
        "education category",
        "AUC",
        "Sets of labels",
        "base: a row",
    ):
        assert said in text
    assert "looked at twice" in text
    told = [line for line in done.out.splitlines() if not line.lstrip().startswith("lithify ")]
    assert max(map(len, told)) <= 80
    assert (folder / "report.html").stat().st_size > 10_000
    (model,) = folder.glob("income-*.lith")
    (line,) = lithify("predict", model, folder / "row.json", "--json").lines
    assert line["label"] == ">50K"
    assert lithify("explain", model, folder / "adult.csv", "--row", "17").status == 0
    again = lithify("demo", "--table", "--json")
    assert again.json["resumed"] is True
    assert lithify("demo", "--keep", folder).status == 2


def test_demo_of_a_table_does_without_lightgbm(lithify: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_table, "find_spec", lambda name: None)
    done = lithify("demo", "--table")
    assert done.status == 0, done.err
    assert "pip install 'lithify[boost]'" in done.out


def test_table_sample_is_the_one_its_readme_describes_and_is_made_again_from_itself() -> None:
    spec = importlib.util.spec_from_file_location("make_table_sample", ROOT / "tools" / "make_table_sample.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    readme = samples.adult().with_name("README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(samples.adult().read_bytes()).hexdigest() in readme
    text = gzip.decompress(samples.adult().read_bytes())
    assert hashlib.sha256(text).hexdigest() in readme
    lines = tool.read(samples.adult())
    assert tool.choose(lines) == lines
    assert "\n".join(lines).encode() + b"\n" == text
    fewer = tool.choose([lines[0], *reversed(lines[1:])])
    assert sorted(fewer) == sorted(lines)
    for count in (len(lines) - 1, tool.labels(lines).count(">50K"), tool.labels(lines).count("<=50K")):
        assert f"{count:,}" in readme
