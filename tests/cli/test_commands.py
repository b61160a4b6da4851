"""Each command does its job, for people and with --json."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

import pytest

from .conftest import Place, Run, message, write_mail


def test_snapshot_says_what_it_recognised_and_how_it_split(lithify: Run, tmp_path: Path) -> None:
    mail = write_mail(tmp_path / "mail")
    (mail / "ham" / "empty.eml").write_bytes(b"")
    done = lithify("snapshot", mail, "--name", "inbox")
    assert done.status == 0
    assert "one sub-folder per label (ham, spam)" in done.err
    assert "120 of mail (60 ham, 60 spam)" in done.out
    assert "by hash" in done.out
    assert "1 empty" in done.out
    assert done.out.endswith("Next: lithify train inbox\n")
    again = lithify("snapshot", mail, "--json")
    assert set(again.json) == {"snapshot", "names", "manifest"}
    assert again.json["names"] == ["inbox"]
    shown = lithify("show", "inbox")
    assert "empty" in shown.out
    assert "empty.eml" in shown.out


def test_strict_names_the_row(lithify: Run, tmp_path: Path) -> None:
    mail = write_mail(tmp_path / "mail", 5)
    (mail / "ham" / "empty.eml").write_bytes(b"")
    done = lithify("snapshot", mail, "--strict")
    assert done.status == 65
    assert "empty.eml" in done.err


def test_table_with_columns_named(lithify: Run, tmp_path: Path) -> None:
    lines = ["kind,what"] + [
        f"{label},{label} words {i} number {i * 7}" for i in range(30) for label in ("a", "b", "c")
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    done = lithify("snapshot", "t.csv", "--label", "kind", "--text", "what", "--split", "hash", "--json")
    assert done.status == 0, done.err
    assert done.json["manifest"]["labels"] == ["a", "b", "c"]
    assert done.json["manifest"]["split"]["rule"] == "hash"


def test_child_snapshot_diff_and_withdraw(lithify: Run, tmp_path: Path) -> None:
    lithify("snapshot", write_mail(tmp_path / "old", 20), "--name", "old")
    lithify("snapshot", write_mail(tmp_path / "new", 30), "--name", "new", "--parent", "old")
    found = lithify("diff", "old", "new", "--json").json
    assert found["added"]["rows"] == 20
    assert found["removed"]["rows"] == 0
    key = found["added"]["keys"][0]
    before = lithify("show", "new", "--json").json["snapshot"]
    done = lithify("withdraw", "new", key[:16], "--json")
    assert done.json["keys"] == [key]
    removed = lithify("diff", before, "new", "--json").json["removed"]
    assert removed == {"rows": 1, "keys": [key]}
    assert f"\n  {key[:16]}\n" in lithify("diff", before, "new").out


def test_withdrawn_content_is_erased_and_models_are_named(lithify: Run, place: Place, tmp_path: Path) -> None:
    home = tmp_path / "other"
    model = lithify("train", place.mail, "--name", "inbox", "--home", home, "--out", "m.lith", "--json").json["model"]
    snapshot = lithify("show", "inbox", "--home", home, "--json").json["snapshot"]
    key = hashlib.sha256((place.mail / "spam" / "007.eml").read_bytes()).hexdigest()
    done = lithify("withdraw", "inbox", key, "--erase", "--home", home)
    assert "Withdrew 1 row" in done.out
    assert model[7:19] in done.out
    assert "no longer possible" in " ".join(done.out.split())
    assert lithify("train", snapshot, "--home", home).status == 66
    assert lithify("verify", "m.lith", "--rebuild", "--home", home).status == 66
    assert lithify("verify", "m.lith").status == 0
    assert "119 of mail" in lithify("show", "inbox", "--home", home).out


def test_train_prints_figures_cutoff_file_and_next_step(lithify: Run, place: Place) -> None:
    done = lithify("train", "inbox", "--home", place.home)
    assert done.status == 0
    for text in ("by hash", "95 % interval", "test rows", "The cut-off, for a ham loss of 0.1 %", "ham", "Next"):
        assert text in done.out
    (made,) = Path().glob("inbox-*.lith")
    assert made.read_bytes() == place.model.read_bytes()
    assert max(len(line) for line in done.out.splitlines() if "--report" not in line) <= 80


def test_train_json_is_a_contract(lithify: Run, place: Place) -> None:
    done = lithify("train", place.mail, "--home", place.home, "--out", "m.lith", "--json")
    assert set(done.json) == {"model", "path", "snapshot", "run", "metrics", "sessions", "resumed"}
    assert done.json["resumed"] is True
    assert Path(done.json["path"]) == Path("m.lith").absolute()
    assert set(done.json["metrics"]["accuracy"]) == {"value", "low", "high"}


def test_show_recipe_can_be_given_back(lithify: Run, place: Place) -> None:
    shown = lithify("train", "inbox", "--home", place.home, "--show-recipe", "--set", "linear.steps=7")
    Path("r.toml").write_text(shown.out)
    again = lithify("train", "inbox", "--home", place.home, "--show-recipe", "--recipe", "r.toml", "--json").json
    assert again["recipe"]["params"]["steps"] == 7
    assert again["run"][7:19] in shown.out


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["train", "inbox", "--set", "ham_lss=1"], 2, "Did you mean 'ham_loss'?"),
        (["train", "inbox", "--session", "soon"], 2, "such as 90s, 10m or 1h30m"),
        (["train", "inbox", "--threads", "0"], 2, "at least 1"),
        (["train", "inbox", "--threads", "two"], 2, "whole number"),
        (["train", "inbox", "--split", "hash"], 2, "is settled"),
        (["train", "inbox", "--out", "no/where.lith"], 66, "no folder"),
        (["train"], 2, "--resume RUN"),
        (["train", "inbxo"], 66, "Did you mean inbox?"),
        (["train", "inbox", "--jsno"], 2, "Did you mean --json?"),
        (["train", "inbox", "other"], 2, "too many"),
        (["trian", "inbox"], 2, "Did you mean train?"),
        (["snapshot", "nowhere"], 66, "nothing at nowhere"),
        (["snapshot", ".", "--split", "dice"], 2, "Unknown split"),
        (["snapshot", ".", "--split", "group"], 2, "needs a field"),
        (["evaluate", "nothing.lith", "inbox"], 66, "nothing.lith"),
        (["show", "abcdef12"], 66, "lithify ls"),
        (["runs", "--pack", "f"], 2, "Which run"),
    ],
)
def test_errors_are_one_paragraph_that_says_what_to_do(
    lithify: Run, place: Place, words: list[str], status: int, text: str
) -> None:
    done = lithify(*words, "--home", place.home)
    assert done.status == status
    assert done.err.startswith("Error: ")
    assert text in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert done.out == ""
    told = lithify(*words, "--home", place.home, "--json")
    assert told.status == status
    assert {"code", "message"} <= set(told.json)


def test_session_ends_with_75_and_resume_gives_the_same_model(lithify: Run, place: Place, tmp_path: Path) -> None:
    home = tmp_path / "other"
    lithify("snapshot", place.mail, "--name", "inbox", "--home", home)
    ended = lithify("train", "inbox", "--home", home, "--session", "0.001", "--json")
    assert ended.status == 75
    assert ended.json["code"] == "session-ended"
    run = ended.json["run"]
    assert f"lithify train --resume {run[7:19]} --home {home}" in " ".join(ended.err.split())
    assert lithify("runs", "--home", home, "--json").json["runs"][0]["state"] == "interrupted"
    assert "interrupted" in lithify("runs", run[7:19], "--home", home).out
    again = lithify("train", "--resume", run, "--processes", "2", "--session", "0.001", "--home", home)
    assert f"lithify train --resume {run[7:19]} --processes 2 --home {home}" in " ".join(again.err.split())
    done = lithify("train", "--resume", run[7:19], "--home", home, "--out", "m.lith", "--threads", "1")
    assert done.status == 0
    assert Path("m.lith").read_bytes() == place.model.read_bytes()


def test_run_is_carried_to_another_home(lithify: Run, place: Place, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    lithify("snapshot", place.mail, "--name", "inbox", "--home", here)
    run = lithify("train", "inbox", "--home", here, "--session", "0.001", "--json").json["run"]
    assert lithify("runs", run, "--pack", "run.pack", "--home", here).status == 0
    assert lithify("runs", "--unpack", "run.pack", "--home", there, "--json").json["run"] == run
    assert lithify("train", "--resume", run, "--home", there, "--out", "m.lith").status == 0
    assert Path("m.lith").read_bytes() == place.model.read_bytes()


def test_changed_recipe_stops_an_unfinished_run_and_new_goes_on(lithify: Run, place: Place, tmp_path: Path) -> None:
    home = tmp_path / "other"
    lithify("snapshot", place.mail, "--name", "inbox", "--home", home)
    lithify("train", "inbox", "--home", home, "--session", "0.001")
    done = lithify("train", "inbox", "--home", home, "--set", "linear.steps=3")
    assert done.status == 64
    assert "-> 3" in done.err
    assert lithify("train", "inbox", "--home", home, "--set", "linear.steps=3", "--new").status == 0


def test_evaluate_prints_a_table_counts_looks_and_writes_a_page(lithify: Run, place: Place) -> None:
    before = lithify("evaluate", place.model, "inbox", "--home", place.home, "--json").json["looks"]
    done = lithify("evaluate", place.model, "inbox", "--home", place.home, "--report", "r.html")
    assert "95 % interval" in done.out
    assert "test split" in done.out
    assert Path("r.html").read_text(encoding="utf-8").startswith("<!")
    assert lithify("evaluate", place.model, "inbox", "--home", place.home, "--json").json["looks"] == before + 2


def test_predict_keeps_the_order_and_tells_of_what_it_cannot_read(lithify: Run, place: Place) -> None:
    Path("b.eml").write_bytes(message("spam", 500))
    Path("a.eml").write_bytes(message("ham", 501))
    Path("empty.eml").write_bytes(b"\n\n")
    done = lithify("predict", place.model, "b.eml", "a.eml", place.mail, "--json")
    assert done.status == 0
    assert [line["label"] for line in done.lines[:2]] == ["spam", "ham"]
    assert [Path(line["input"]).name for line in done.lines[:2]] == ["b.eml", "a.eml"]
    assert len(done.lines) == 122
    assert set(done.lines[0]) == {"input", "label", "probabilities", "verdict", "model"}
    with tarfile.open("c.tar", "w") as tar:
        tar.add("empty.eml")
        tar.add("a.eml")
    bad = lithify("predict", place.model, "c.tar", "--json")
    assert bad.status == 65
    assert sorted("problem" in line for line in bad.lines) == [False, True]
    assert lithify("predict", place.model, "b.eml").out.split()[0] in ("spam", "unsure")


def test_predict_goes_on_after_an_input_that_cannot_be_read(lithify: Run, place: Place) -> None:
    Path("a.eml").write_bytes(message("ham", 501))
    Path("cut.zip").write_bytes(b"PK\3\4" + bytes(100))
    done = lithify("predict", place.model, "nowhere", "a.eml", "cut.zip", "--json")
    assert done.status == 65
    assert ["problem" in line for line in done.lines] == [True, False, True]
    alone = lithify("predict", place.model, "nowhere", "--json")
    assert alone.status == 66
    assert alone.lines[0]["code"] == "not-found"  # one line, as everything that predict prints


def test_predict_says_what_looks_like_a_mistake(lithify: Run, place: Place) -> None:
    Path("sms.csv").write_text("label,text\nham,hello there\nspam,win money\n")
    done = lithify("predict", place.model, "sms.csv")
    assert done.status == 0
    assert "looks like text" in done.err
    Path("long.eml").write_bytes(message("ham", 5) + b"word " * 200_000)
    assert "512 KiB" in lithify("predict", place.model, "long.eml").err
    swapped = lithify("predict", place.model, place.model)
    assert swapped.status == 2
    assert "is a model" in swapped.err
    assert "Give a model file" in " ".join(lithify("predict", "sms.csv", "long.eml").err.split())


def test_predict_gives_one_message_the_same_figures_as_many(lithify: Run, place: Place) -> None:
    many = lithify("predict", place.model, place.mail, "--json").lines
    one = lithify("predict", place.model, many[3]["input"], "--json").lines
    assert one == [many[3]]


def test_predict_reads_standard_input(lithify: Run, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(message("spam", 7))))
    (line,) = lithify("predict", place.model, "-", "--json").lines
    assert line["input"] == "-"
    assert line["label"] == "spam"


def test_explanation_adds_up_and_cannot_steer_the_terminal(lithify: Run, place: Place) -> None:
    Path("x.eml").write_bytes(b"Subject: free \x1b[31mmoney\n\nclick \x1b]0;owned\x07 winner\n")
    found = lithify("explain", place.model, "x.eml", "--json").json
    assert found["explained"] == "spam"
    total = found["base"] + sum(item["weight"] for item in found["contributions"])
    assert total == pytest.approx(found["score"], abs=1e-9)
    shown = lithify("explain", place.model, "x.eml", "--top", "3").out
    assert "\x1b" not in shown
    assert "score" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert lithify("explain", place.model, place.mail).status == 2


def test_verify_and_rebuild(lithify: Run, place: Place) -> None:
    done = lithify("verify", place.model, "--rebuild", "--home", place.home)
    assert done.status == 0
    assert done.out.count("ok") == 3
    damaged = bytearray(place.model.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    Path("d.lith").write_bytes(damaged)
    bad = lithify("verify", "d.lith", "--json")
    assert bad.status == 65
    assert bad.json["code"] in ("integrity", "malformed-container")


def test_verify_a_snapshot(lithify: Run, place: Place) -> None:
    done = lithify("verify", "inbox", "--home", place.home)
    assert done.status == 0
    assert "is what its key says" in done.out
    assert lithify("verify", "inbox", "--json", "--home", place.home).json["ok"] is True
    assert lithify("verify", "inbox", "--rebuild", "--home", place.home).status == 2
    assert lithify("verify", "nothing-of-the-kind", "--home", place.home).status == 66


def test_show_reads_as_a_page(lithify: Run, place: Place) -> None:
    shown = lithify("show", place.model).out
    for text in ("Measured on rows", "Trained on", "Recipe", "Engine", "Limits"):
        assert text in shown
    assert set(lithify("show", place.model, "--json").json) == {
        *("model", "path", "kind", "task", "labels", "fields", "importances", "conformal", "cutoffs", "card")
    }
    digest = lithify("ls", "--home", place.home, "--json").json["models"][0]["model"]
    assert lithify("show", digest[7:17], "--home", place.home).out.startswith(f"Model {digest[7:19]}")
    run = lithify("runs", "--home", place.home, "--json").json["runs"][0]["run"]
    assert lithify("show", run[7:17], "--home", place.home).out.startswith("Run ")


def test_ls_gc_and_doctor(lithify: Run, place: Place) -> None:
    assert "inbox" in lithify("ls", "--home", place.home).out
    assert "nothing yet" in lithify("ls").out
    told = lithify("gc", "--dry-run", "--home", place.home, "--json").json
    assert told["dry_run"] is True
    assert set(told) == {"dry_run", "removed", "bytes", "kept"}
    done = lithify("doctor", "--home", place.home, "--json")
    assert done.status == 0, done.out
    assert done.json["ok"] is True
    assert {check["name"] for check in done.json["checks"]} >= {"platform", "cores", "home", "permissions", "kernels"}


def test_doctor_finds_a_home_that_is_none(lithify: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = lithify("doctor", "--home", tmp_path / "file")
    assert done.status == 78
    assert "bad" in done.out


def test_json_stands_alone_on_stdout(lithify: Run, place: Place) -> None:
    for words in (["ls"], ["runs"], ["show", "inbox"], ["verify", str(place.model)], ["diff", "inbox", "inbox"]):
        done = lithify(*words, "--home", place.home, "--json")
        assert done.status == 0
        assert isinstance(json.loads(done.out), dict)


def test_train_refuses_a_recipe_before_it_reads_data(lithify: Run) -> None:
    for wrong in ("linear.c=1", "learner=linaer", "features.body_bit=3"):
        done = lithify("train", "nowhere", "--set", wrong)
        assert done.status == 2
        assert "Did you mean" in done.err


def test_train_says_why_there_is_no_cutoff(lithify: Run, tmp_path: Path) -> None:
    mail = write_mail(tmp_path / "mail", 30)
    (mail / "spam").rename(mail / "post")
    done = lithify("train", mail, "--name", "box")
    assert "--set spam=LABEL" in " ".join(done.out.split())
    assert "sealed" in lithify("train", "box", "--set", "spam=post").out
    few = write_mail(tmp_path / "few", 1)
    said = " ".join(lithify("train", few).out.split())
    assert "the test split has no rows" in said
    assert "lithify evaluate" not in said


def test_next_steps_can_be_copied(lithify: Run, tmp_path: Path) -> None:
    mail = write_mail(tmp_path / "my mail", 30)
    home = tmp_path / "other home"
    assert f"--home '{home}'" in lithify("snapshot", mail, "--home", home).out
    done = lithify("train", mail, "--home", home, "--out", "my model.lith")
    assert "lithify verify 'my model.lith'" in done.out
    assert f"--home '{home}'" in done.out


def test_a_name_that_moves_is_told(lithify: Run, tmp_path: Path) -> None:
    mail = write_mail(tmp_path / "mail", 30)
    assert (
        "stood for" not in lithify("snapshot", mail, "--name", "box").err + lithify("train", mail, "--name", "box").err
    )
    write_mail(mail, 3, first=30)
    assert "The name box stood for the snapshot" in lithify("snapshot", mail, "--name", "box").err
    (mail / "ham" / "empty.eml").touch()
    again = lithify("snapshot", mail, "--parent", "box").err
    assert "Not read: 1 empty." in " ".join(again.split())


def test_a_table_without_names_of_columns_is_refused(lithify: Run) -> None:
    Path("sms.tsv").write_text("spam\tyou have won a free prize\nham\tsee you at the station\n" * 20)
    done = lithify("snapshot", "sms.tsv")
    assert done.status == 2
    assert "put the names of the columns above it" in " ".join(done.err.split())


def test_standard_input_is_no_place_for_a_snapshot(lithify: Run) -> None:
    for verb in ("train", "snapshot"):
        done = lithify(verb, "-")
        assert done.status == 2
        assert "Save it to a file" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["history", "spam"], ["rollback", "spam"], ["show", "spam"], ["verify", "spam"], ["runs"], ["gc"], ["token"],
        ["predict", "spam", "-"], ["explain", "spam", "-"], ["diff", "a", "b"], ["serve"], ["serve", "spam"],
    ],
)  # fmt: skip
def test_who_only_reads_makes_no_home(lithify: Run, tmp_path: Path, words: list[str]) -> None:
    done = lithify(*words)
    assert done.status == 66
    assert f"There is no home at {tmp_path / 'home'}." in " ".join(done.err.split())
    assert not (tmp_path / "home").exists()


def test_ls_makes_no_home(lithify: Run, tmp_path: Path) -> None:
    assert lithify("ls").out.startswith("There is nothing yet.")
    assert lithify("ls", "--json").json == {"snapshots": [], "models": [], "aliases": []}
    assert not (tmp_path / "home").exists()


def test_what_is_no_model_at_all(lithify: Run, tmp_path: Path) -> None:
    (tmp_path / "2023.csv").write_text("age,town\n17,Ulm\n")
    done = lithify("promote", "2023.csv", "foo")
    assert done.status == 65
    assert "2023.csv is no model." in done.err
    assert "header" not in done.err
