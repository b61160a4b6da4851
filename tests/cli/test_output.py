from __future__ import annotations

import io
import sys

import pytest

from lithify.cli.output import Terminal, columns, wrap
from lithify.cli.progress import INTERVAL, Progress, line
from lithify.errors import NotFound, SessionEnded
from lithify.progress import Update


def test_columns_align_and_cut_at_the_edge() -> None:
    assert columns([["a", "1"], ["bcd", "22"]], right=[1], head=["x", "n"]) == ["x     n", "a     1", "bcd  22"]
    assert columns([["a", "b" * 50]], width=20) == ["a  " + "b" * 16 + "…"]
    assert columns([]) == []


def test_wrapping_keeps_numbers_with_their_unit() -> None:
    text = wrap("x" * 74 + " 95 % interval", 78)
    assert text.splitlines() == ["x" * 74, "95 % interval"]


def test_json_keeps_people_out_of_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(as_json=True)
    terminal.say("for people")
    terminal.document({"a": "\udce9"})
    terminal.error(NotFound("Nothing there.", hint="Look elsewhere."))
    out, err = capsys.readouterr()
    assert "for people" not in out
    assert '"\\udce9"' in out
    assert err == "Error: Nothing there. Look elsewhere.\n"


def test_a_session_that_ends_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().error(SessionEnded("sha256:ab", "Time is up.", hint="Run again."))
    assert capsys.readouterr().err == "Time is up. Run again.\n"


def test_plain_progress_is_occasional(monkeypatch: pytest.MonkeyPatch) -> None:
    err, now = io.StringIO(), [0.0]
    monkeypatch.setattr(sys, "stderr", err)
    with Progress(clock=lambda: now[0]) as report:
        report(Update("reading", note="Reading mail."))
        for second in range(25):
            now[0] = float(second)
            report(Update("reading", second * 10, 500))
    lines = err.getvalue().splitlines()
    assert lines[0] == "Reading mail."
    assert len(lines) == 1 + int(25 // INTERVAL)
    assert lines[1] == "reading 100/500, 10/s, 40 s left"


def test_quiet_progress_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    with Progress(quiet=True) as report:
        report(Update("reading", 1, note="Reading mail."))
    assert err.getvalue() == ""


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_live_line_comes_with_patience_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    err, now = _Screen(), [0.0]
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    with Progress(clock=lambda: now[0]) as report:
        report(Update("training", 1, 10))
        assert err.getvalue() == ""
        now[0] = 2.0
        report(Update("training", 5, 10, note="Half.\x1b[2J"))
    shown = err.getvalue()
    assert "training" in shown
    assert "Half." in shown
    assert "\x1b[2J" not in shown


def test_line_shows_what_a_fold_is_doing() -> None:
    update = Update("training", 30, 40, {"part": "fold 2", "rate": 2.0, "left": 5.0, "validation": 0.03125})
    assert line(update, 15.0, bar=4) == "training (fold 2) ━━━╌ 30/40 75 %, validation 0.0312, 2.0/s, 5.0 s left"
    assert line(update, 15.0, bar=4, room=55) == "training (fold 2) ━━━╌ 30/40 75 %, 2.0/s, 5.0 s left"


def test_line_gives_up_what_matters_least() -> None:
    facts = {"part": "model", "rate": 2.0, "left": 75.0, "speed": 1024.0, "rows": "images"}
    facts |= {"length": 0.5, "accuracy": 0.9134, "loss": 0.25, "checkpoint": 30}
    update = Update("training", 30, 40, facts)
    whole = (
        "training 30/40 75 %, loss 0.25, accuracy 91.3 %, length 0.5, 1,024 images/s, 1 min 15 s left, checkpoint 30"
    )
    assert line(update, 15.0) == whole
    gone = ["checkpoint 30", "length 0.5", "1,024 images/s", "accuracy 91.3 %", "loss 0.25", "1 min 15 s left"]
    for part in gone:
        whole = whole.replace(f", {part}", "")
        assert line(update, 15.0, room=len(whole)) == whole
