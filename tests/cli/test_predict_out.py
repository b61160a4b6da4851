"""predict --out: the same file however often the work is broken off, in every form and from every kind of input."""

from __future__ import annotations

import csv
import json
import mailbox
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from lithify.cli import main
from lithify.deployment import batch
from lithify.learners import registry
from lithify.store import blobs

from .. import imaging
from .conftest import Place, Run, Tables, message, write_mail, write_table

DRIVER = """
import sys
from lithify.cli import main, rows
from lithify.deployment import batch
batch.EVERY, rows.ROWS = 0.0, 40
sys.exit(main())
"""
"""The command, durable after every chunk and with small ones."""


def session(words: list[object], kill_at: int = 0) -> int:
    """The exit status of one session, which is killed at that point where it gets there."""
    command = [sys.executable, "-c", DRIVER, *map(str, words), "-q"]
    environment = {**os.environ, "LITHIFY_FAULT_KILL": str(kill_at)}
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, timeout=120).returncode


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Mail in folders, and a file that holds none."""
    folder = write_mail(tmp_path / "mail", 12)
    (folder / "ham" / "005.eml").write_bytes(b"")
    return folder


def mbox(tmp_path: Path) -> Path:
    made = mailbox.mbox(tmp_path / "some.mbox")
    for number in range(24):
        made.add(message("spam" if number % 2 else "ham", number))
    made.close()
    return tmp_path / "some.mbox"


def table(tmp_path: Path, form: str) -> Path:
    path = write_table(tmp_path / "people.csv", 300)
    if form == "parquet":
        parquet.write_table(arrow_csv.read_csv(path), tmp_path / "people.parquet", row_group_size=70)
        return tmp_path / "people.parquet"
    lines = path.read_text().splitlines()
    lines[100] = 'bad "record, with, too, many, cells, in, it'
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("given", "form"),
    [("mail", "csv"), ("mbox", "parquet"), ("csv", "jsonl"), ("parquet", "jsonl"), ("csv", "parquet")],
)
def test_killed_again_and_again_it_writes_the_same_bytes(
    given: str, form: str, place: Place, tables: Tables, inbox: Path, tmp_path: Path, lithify: Run
) -> None:
    made = {"mail": lambda: inbox, "mbox": lambda: mbox(tmp_path)}.get(given, lambda: table(tmp_path, given))()
    model = place.model if given in ("mail", "mbox") else tables.buys
    whole = lithify("predict", model, made, "--out", f"whole.{form}")
    status = 65 if given in ("mail", "csv") else 0
    assert whole.status == status, whole.err
    (tmp_path / "out").mkdir()
    words: list[object] = ["predict", model, made, "--out", tmp_path / "out" / f"verdicts.{form}"]
    ends = []
    for kill_at in (3, 30, 33, 25, 0):
        ends.append(session(words, kill_at))
        if ends[-1] != -signal.SIGKILL:
            break
    assert ends[-1] == status
    assert len(ends) > 2
    assert (tmp_path / "out" / f"verdicts.{form}").read_bytes() == (tmp_path / f"whole.{form}").read_bytes()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"verdicts.{form}", f".verdicts.{form}.state"}


def test_killed_at_any_instant(place: Place, inbox: Path, tmp_path: Path, lithify: Run) -> None:
    lithify("predict", place.model, inbox, "--out", "whole.csv")
    words = ["predict", place.model, inbox, "--out", tmp_path / "out.csv", "-q"]
    command = [sys.executable, "-c", DRIVER, *map(str, words)]
    draw = random.Random(4)
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(0.25 + 0.3 * draw.random())
        process.kill()
        process.wait()
    assert session(words) == 65
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_says_how_to_go_on(
    number: signal.Signals, place: Place, inbox: Path, tmp_path: Path
) -> None:
    slow = DRIVER.replace(
        "sys.exit", "import time, lithify.store.blobs as b; b.fault = lambda p: time.sleep(0.05); sys.exit"
    )
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", slow, "predict", str(place.model), str(inbox), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not out.with_name(".out.jsonl.state").exists():
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "Run the same command again to go on." in " ".join(err.split())
    assert "Traceback" not in err
    assert session(["predict", place.model, inbox, "--out", out]) == 65
    assert len(out.read_text().splitlines()) == 24


def test_lines_are_those_of_json(place: Place, tables: Tables, inbox: Path, tmp_path: Path, lithify: Run) -> None:
    asked = ((place.model, inbox), (tables.buys, tables.csv), (tables.spent, tables.csv))
    for number, (model, given) in enumerate(asked):
        printed = lithify("predict", model, given, "--json").out
        for threads in (1, 3):
            done = lithify("predict", model, given, "--out", f"{number}-{threads}.jsonl", "--threads", threads)
            assert (tmp_path / f"{number}-{threads}.jsonl").read_text() == printed, done.err
        assert lithify("predict", model, given, "--json", "--threads", 3).out == printed


def test_tables_hold_what_the_lines_do(place: Place, tables: Tables, inbox: Path, tmp_path: Path, lithify: Run) -> None:
    asked = {
        "mail": (place.model, inbox, ["input", "label", "p(ham)", "p(spam)", "verdict", "problem"]),
        "buys": (tables.buys, tables.csv, ["input", "label", "p(no)", "p(yes)", "labels", "problem"]),
        "spent": (tables.spent, tables.csv, ["input", "value", "low", "high", "problem"]),
    }
    for name, (model, given, names) in asked.items():
        documents = lithify("predict", model, given, "--json").lines
        for form in ("csv", "parquet"):
            lithify("predict", model, given, "--out", f"{name}.{form}")
        found = parquet.read_table(tmp_path / f"{name}.parquet")
        assert found.column_names == names
        assert found.schema.metadata[b"lithify.model"].decode() == documents[0]["model"]
        wanted = [{**dict.fromkeys(names), **_flat(document)} for document in documents]
        assert found.to_pylist() == wanted
        with open(tmp_path / f"{name}.csv", newline="", encoding="utf-8") as file:
            read = list(csv.DictReader(file))
        assert read == [{key: _cell(value) for key, value in row.items()} for row in wanted]


def _flat(document: dict[str, object]) -> dict[str, object]:
    """A line of JSON as a row of a table."""
    told = dict(document)
    told.pop("model", None)
    told |= {f"p({label})": share for label, share in dict(told.pop("probabilities", {})).items()}  # type: ignore[call-overload]
    if "interval" in told:
        told["low"], told["high"] = told.pop("interval")  # type: ignore[misc]
    return told


def _cell(value: object) -> str:
    return "" if value is None else "|".join(value) if isinstance(value, list) else str(value)


def test_json_document_and_words(place: Place, inbox: Path, lithify: Run) -> None:
    done = lithify("predict", place.model, inbox, "--out", "v.jsonl", "--json")
    assert (done.status, len(done.lines)) == (65, 1)
    assert done.lines[0] | {"out": "", "model": ""} == {"out": "", "rows": 24, "problems": 1, "resumed": 0, "model": ""}
    again = lithify("predict", place.model, inbox, "--out", "v.jsonl", "--json")
    assert again.lines[0] == done.lines[0] | {"resumed": 24}
    said = lithify("predict", place.model, inbox, "--out", "v.jsonl")
    assert said.out == "v.jsonl was whole already: 24 rows.\n"
    assert said.status == 65
    assert "Wrote v.jsonl: 24 rows." in lithify("predict", place.model, inbox, "--out", "v.jsonl", "--new").out


def test_changed_inputs_or_model_are_refused(
    place: Place, inbox: Path, tables: Tables, tmp_path: Path, lithify: Run
) -> None:
    words = ["predict", place.model, inbox, "--out", tmp_path / "v.jsonl"]
    assert session(words, 60) == -signal.SIGKILL
    (inbox / "ham" / "new.eml").write_bytes(message("ham", 99))
    refused = lithify(*words)
    assert refused.status == 64
    assert "other inputs" in refused.err
    assert "--new" in refused.err
    assert not (tmp_path / "v.jsonl").exists()
    assert lithify(*words, "--new").status == 65
    table_words = ["predict", tables.buys, tables.csv, "--out", tmp_path / "t.csv"]
    assert lithify(*table_words).status == 0
    assert "other model" in lithify("predict", tables.spent, *table_words[2:]).err


def test_what_cannot_be_meant(place: Place, inbox: Path, tmp_path: Path, lithify: Run) -> None:
    refused = {
        "stdin": (["-", "--out", "v.jsonl"], 2, "stdin"),
        "ending": ([inbox, "--out", "v.txt"], 2, ".parquet"),
        "folder": ([inbox, "--out", tmp_path], 2, "folder"),
        "nowhere": ([inbox, "--out", "no/v.jsonl"], 66, "no folder"),
        "among the inputs": ([inbox, "--out", inbox / "v.jsonl"], 2, "one of the inputs"),
        "an input": ([inbox / "ham" / "001.eml", "--out", inbox / "ham" / "001.eml"], 2, "no ending"),
        "nothing to read": (["none.eml", "--out", "v.jsonl"], 66, "none.eml"),
        "new": ([inbox, "--new"], 2, "--out"),
        "threads": ([inbox, "--threads", "0"], 2, "1 or more"),
    }
    for name, (words, status, said) in refused.items():
        done = lithify("predict", place.model, *words)
        assert (done.status, said in done.err) == (status, True), (name, done.err)
    assert {path.name for path in tmp_path.iterdir()} == {"mail"}


def test_one_bad_input_among_others(place: Place, inbox: Path, tmp_path: Path, lithify: Run) -> None:
    words = ["predict", place.model, inbox / "ham" / "001.eml", "none.eml", inbox / "spam", "--out", tmp_path / "v.csv"]
    assert lithify(*words).status == 65
    rows = list(csv.DictReader((tmp_path / "v.csv").read_text().splitlines()))
    assert [bool(row["problem"]) for row in rows] == [False, True] + [False] * 12


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A model of images by a learner of the tests, and a folder of images, one of which is none."""
    for label in imaging.LABELS:
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(60):
            Image.fromarray(imaging.picture(label, number)).save(tmp_path / "photos" / label / f"{number:03}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "imaging_of_tests", imaging)
        patch.setitem(registry.BUILT_IN, "patches", "imaging_of_tests:Patches")
        patch.setattr(batch, "EVERY", 0.0)
        words = ["train", tmp_path / "photos", "--learner", "patches", "--set", "features.side=16", "-q"]
        assert main([str(w) for w in [*words, "--out", tmp_path / "p.lith", "--home", tmp_path / "home"]]) == 0
        new = tmp_path / "new"
        new.mkdir()
        for number in range(20):
            Image.fromarray(imaging.picture(imaging.LABELS[number % len(imaging.LABELS)], number)).save(
                new / f"{number}.png"
            )
        (new / "7.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
        yield tmp_path / "p.lith", new


def test_images_killed_again_and_again(photos: tuple[Path, Path], tmp_path: Path, lithify: Run) -> None:
    model, folder = photos
    assert lithify("predict", model, folder, "--out", "whole.parquet").status == 65
    found = parquet.read_table(tmp_path / "whole.parquet").to_pylist()
    assert sum(row["problem"] is not None for row in found) == 1
    words = ["predict", str(model), str(folder), "--out", str(tmp_path / "out.parquet"), "-q"]
    killed = 0
    for point in (20, 50, 9, 40, 0):
        child = os.fork()
        if child == 0:
            blobs._countdown = point
            os._exit(main(words))
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert killed >= 3
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert json.loads((tmp_path / ".out.parquet.state").read_bytes())["whole"] is True
