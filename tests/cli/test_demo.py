"""The demo, start to finish, and once more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lithify import samples

from .conftest import Run


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
