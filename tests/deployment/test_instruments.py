from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.deployment.http.access_log import AccessLog
from lithify.deployment.http.instruments import Instruments
from lithify.deployment.http.message import Head, Response
from lithify.deployment.http.metrics import FAMILIES, SECONDS, Numbers, render
from lithify.deployment.http.routes import Call
from lithify.deployment.http.slots import Slot
from lithify.errors import StoreError

parser = pytest.importorskip("prometheus_client.parser")

MODEL = "sha256:" + "3f" * 32
HEAD = Head("POST", "/v1/spam/predict", "canary=query", {"x-canary": "canary"}, "192.0.2.7")
CALL = Call("predict", 1000, "mailserver")
GOOD = Response(200, b"canary", alias="spam@production", model=MODEL, rows=3, decisions={"spam": 2, "unsure": 1})
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(frozen=True)
class Served:
    alias: str = "spam@production"
    digest: str = MODEL
    since: float = 1.5e9


def samples(instruments: Instruments) -> Samples:
    """The exposition as the official client reads it; it refuses what breaks the format."""
    body, media = instruments.exposition()
    assert media == "text/plain; version=0.0.4; charset=utf-8"
    families = list(parser.text_string_to_metric_families(body.decode()))
    assert {family.type for family in families} <= {"counter", "gauge", "histogram"}
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


@pytest.fixture
def alone() -> Iterator[Instruments]:
    instruments = Instruments(interval=0)
    yield instruments
    instruments.close()


def test_what_is_counted(alone: Instruments) -> None:
    alone.models = lambda: [Served()]  # type: ignore[list-item]
    alone.waiting = lambda: 7
    for seconds in (0.0004, 0.0005, 0.004, 40.0):
        alone.observe(CALL, HEAD, GOOD, seconds)
    alone.observe(CALL, HEAD, Response(413, code="too-large"), 0.001)
    alone.observe(None, None, Response(400, code="usage"), 0.001)
    for size in (1, 3, 1000):
        alone.batch(size)
    for what in ("swap", "refused", "refused"):
        alone.tell(what, "spam@production")
    found, alias = samples(alone), "spam@production"
    assert value(found, "lithify_requests_total", route="predict", alias=alias, status="200") == 4
    assert value(found, "lithify_requests_total", route="predict", alias="", status="413") == 1
    assert value(found, "lithify_requests_total", route="other", alias="", status="400") == 1
    assert value(found, "lithify_errors_total", code="too-large") == 1
    assert value(found, "lithify_rows_total", alias=alias) == 12
    assert value(found, "lithify_decisions_total", alias=alias, decision="spam") == 8
    assert value(found, "lithify_decisions_total", alias=alias, decision="unsure") == 4
    assert value(found, "lithify_unsure_total", alias=alias) == 4
    bucket = "lithify_request_seconds_bucket"
    assert [value(found, bucket, route="predict", le=le) for le in ("0.0005", "0.005", "30")] == [2, 4, 4]
    assert value(found, "lithify_request_seconds_count", route="predict") == 5
    assert value(found, "lithify_request_seconds_sum", route="predict") == pytest.approx(40.0059)
    assert value(found, "lithify_batch_requests_bucket", le="4") == 2
    assert value(found, "lithify_batch_requests_count") == 3
    assert value(found, "lithify_waiting_requests", worker="0") == 7
    assert value(found, "lithify_model_info", alias=alias, digest=MODEL) == 1
    assert value(found, "lithify_model_since_seconds", alias=alias, digest=MODEL) == 1.5e9
    assert value(found, "lithify_swaps_total", alias=alias) == 1
    assert value(found, "lithify_swap_refused_total", alias=alias) == 2
    assert value(found, "process_resident_memory_bytes", worker="0") > 1e6


def test_sets_that_are_not_one_label_are_unsure_and_no_decision(alone: Instruments) -> None:
    answer = Response(200, alias="digits@production", rows=5, decisions={"a": 3, "b": 2, "": 4})
    alone.observe(CALL, HEAD, answer, 0.001)
    found = samples(alone)
    assert value(found, "lithify_unsure_total", alias="digits@production") == 4
    assert sum(number for (name, _), number in found.items() if name == "lithify_decisions_total") == 5


def test_unknown_paths_make_no_labels(alone: Instruments) -> None:
    for number in range(100):
        head = Head("GET", f"/{number}", "", {f"h{number}": "x"}, f"192.0.2.{number}")
        alone.observe(None, head, Response(404, code="not-found"), 0.001)
    named = [labels for (name, labels) in samples(alone) if name == "lithify_requests_total"]
    assert named == [(("alias", ""), ("route", "other"), ("status", "404"))]


@given(st.text(max_size=20), st.text(max_size=20))
def test_labels_of_any_text_are_read_back(alias: str, decision: str) -> None:
    numbers = Numbers()
    numbers.counters["lithify_decisions_total", alias, decision] += 3
    (family,) = parser.text_string_to_metric_families("".join(render(numbers)))
    assert [(s.labels, s.value) for s in family.samples] == [({"alias": alias, "decision": decision}, 3)]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50))
def test_histograms_count_every_value_once(seconds: list[float]) -> None:
    numbers = Numbers()
    for each in seconds:
        numbers.put(SECONDS, ("lithify_request_seconds", "predict"), each)
    row = numbers.histograms["lithify_request_seconds", "predict"]
    assert sum(row[:-1]) == len(seconds)
    for at, bound in enumerate(SECONDS):
        assert sum(row[: at + 1]) == sum(each <= bound for each in seconds)


def test_every_family_is_documented() -> None:
    for name, family in FAMILIES.items():
        assert re.fullmatch(r"(lithify|process)_[a-z_]+", name)
        assert name.endswith("_total") == (family.type == "counter")
        assert family.help.endswith(".")


# Several processes


def test_processes_together(tmp_path: Path) -> None:
    one, two = (Instruments(tmp_path, interval=0) for _ in range(2))
    one.models = two.models = lambda: [Served()]  # type: ignore[list-item]
    for instruments, times in ((one, 3), (two, 4)):
        for _ in range(times):
            instruments.observe(CALL, HEAD, GOOD, 0.001)
    two.save()
    for found in (samples(one), samples(two)):
        assert value(found, "lithify_requests_total", route="predict", alias="spam@production", status="200") == 7
        assert value(found, "lithify_request_seconds_count", route="predict") == 7
        assert value(found, "lithify_workers") == 2
        assert value(found, "lithify_model_info", alias="spam@production", digest=MODEL) == 1
        assert value(found, "lithify_model_workers", alias="spam@production", digest=MODEL) == 2
    two.close()
    found = samples(one)
    assert value(found, "lithify_requests_total", route="predict", alias="spam@production", status="200") == 7
    assert value(found, "lithify_workers") == 1
    assert value(found, "lithify_model_workers", alias="spam@production", digest=MODEL) == 1
    one.close()


COUNTING = """
import sys, time
from pathlib import Path
from lithify.deployment.http.instruments import Instruments
from lithify.deployment.http.message import Response
instruments = Instruments(Path(sys.argv[1]), interval=0.005)
while True:
    instruments.observe(None, None, Response(), 0.001)
    print(flush=True)
    time.sleep(0.0005)
"""


def test_counters_never_go_back_when_processes_are_killed(tmp_path: Path) -> None:
    watcher, last = Instruments(tmp_path, interval=0), 0.0
    try:
        for number in range(4):
            with subprocess.Popen([sys.executable, "-c", COUNTING, str(tmp_path)], stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                process.stdout.readline()
                for _ in range(20):
                    counted = _total(watcher)
                    assert counted >= last
                    last = counted
                    process.stdout.read(5)
                _until_more(watcher, last)
                process.send_signal(signal.SIGKILL)
            after = samples(watcher)
            assert value(after, "lithify_workers") == 1
            assert value(after, "lithify_worker_starts_total") == number + 2
        assert sorted(path.name for path in tmp_path.glob("*.json")) == ["0.json", "1.json"]
    finally:
        watcher.close()


def _total(instruments: Instruments) -> float:
    return samples(instruments).get(
        ("lithify_requests_total", (("alias", ""), ("route", "other"), ("status", "200"))), 0.0
    )


def _until_more(instruments: Instruments, than: float) -> None:
    end = time.monotonic() + 30
    while _total(instruments) <= than:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_damaged_numbers_of_another_process_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number, damage in enumerate((b"", b"[]", b'{"counters": 1}', b"\xff")):
        (tmp_path / f"{number}.lock").touch()
        (tmp_path / f"{number}.json").write_bytes(damage)
    instruments = Instruments(tmp_path, interval=0)
    instruments.observe(CALL, HEAD, GOOD, 0.001)
    assert value(samples(instruments), "lithify_rows_total", alias="spam@production") == 3
    assert "cannot be read" in caplog.text
    instruments.close()


def test_numbers_of_another_version_are_left_out() -> None:
    document = {
        "counters": [[["lithify_rows_total", "a"], 2], [["lithify_gone_total"], 1], [["lithify_rows_total"], 1]],
        "histograms": [[["lithify_request_seconds", "r"], [1, 2.0]]],
        "gauges": [],
    }
    read = Numbers.from_json(document)
    assert (dict(read.counters), read.histograms) == ({("lithify_rows_total", "a"): 2}, {})


def test_a_folder_that_went_away_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "private"
    folder.mkdir()
    instruments = Instruments(folder, interval=0)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    instruments.observe(CALL, HEAD, GOOD, 0.001)
    for _ in range(3):
        assert value(samples(instruments), "lithify_rows_total", alias="spam@production") == 3
    assert caplog.text.count("cannot be saved") == 1
    instruments.close()


def test_a_place_is_held_by_one_process(tmp_path: Path) -> None:
    slots = [Slot(tmp_path) for _ in range(4)]
    assert [slot.number for slot in slots] == [0, 1, 2, 3]
    slots[2].close()
    assert Slot(tmp_path).number == 2


# The access log


def test_a_line_and_what_is_not_in_it(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    instruments = Instruments(log=str(file), interval=0)
    instruments.observe(CALL, HEAD, GOOD, 0.0123456)
    instruments.observe(None, Head("GET", "/canary", peer="192.0.2.9"), Response(404, b"canary", code="not-found"), 0.0)
    instruments.observe(None, None, Response(400, code="usage"), 0.0)
    instruments.close()
    text = file.read_text()
    assert "canary" not in text
    first, second, third = (json.loads(line) for line in text.splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {
        "client": "mailserver", "method": "POST", "route": "predict", "alias": "spam@production", "status": 200,
        "rows": 3, "ms": 12.346, "model": "3f3f3f3f3f3f", "error": "",
    }  # fmt: skip
    assert (second["client"], second["route"], second["error"]) == ("192.0.2.9", "other", "not-found")
    assert (third["client"], third["method"]) == ("", "")
    assert file.stat().st_mode & 0o777 == 0o600


def test_times_go_on_within_a_second_and_over_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 0.9996, 1.0, 86399.5, 1.25])
    log = AccessLog(str(tmp_path / "log"), interval=100)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: next(moments))
        for _ in range(5):
            log.add({"n": 1})
    log.close()
    told = [json.loads(line)["time"][8:] for line in (tmp_path / "log").read_text().splitlines()]
    assert told == ["01T00:00:00.000Z", "01T00:00:00.999Z", "01T00:00:01.000Z", "01T23:59:59.500Z", "01T00:00:01.250Z"]


def test_a_rotated_log_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "log"
    log = AccessLog(str(file), interval=100)
    log.add({"n": 1})
    log.flush()
    file.rename(tmp_path / "log.1")
    log.add({"n": 2})
    log.flush()
    file.unlink()
    log.add({"n": 3})
    log.close()
    assert [json.loads((tmp_path / name).read_text())["n"] for name in ("log.1", "log")] == [1, 3]


WRITING = """
import sys
from lithify.deployment.http.access_log import AccessLog
log = AccessLog(sys.argv[1], interval=0.001)
for number in range(3000):
    log.add({"process": int(sys.argv[2]), "number": number, "fill": "x" * (number % 300)})
log.close()
"""


@pytest.mark.parametrize("to", ["file", "pipe"])
def test_lines_of_several_processes_stay_whole(to: str, tmp_path: Path) -> None:
    target = str(tmp_path / "log") if to == "file" else "-"
    read, write = os.pipe()
    running = [subprocess.Popen([sys.executable, "-c", WRITING, target, str(n)], stderr=write) for n in range(3)]
    os.close(write)
    with open(read, "rb") as pipe:
        text = pipe.read()
    assert [process.wait(60) for process in running] == [0, 0, 0]
    lines = [json.loads(line) for line in (text if to == "pipe" else (tmp_path / "log").read_bytes()).splitlines()]
    assert len(lines) == 9000
    for process in range(3):
        assert [line["number"] for line in lines if line["process"] == process] == list(range(3000))


def test_lines_that_cannot_be_written_are_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    instruments = Instruments(log=str(folder / "log"), interval=0)
    log = instruments._log
    assert log is not None
    (folder / "log").unlink()
    folder.rmdir()
    for _ in range(2):
        instruments.observe(CALL, HEAD, GOOD, 0.001)
        log.flush()
    assert value(samples(instruments), "lithify_log_lines_lost_total") == 2
    assert caplog.text.count("writing the access log") == 1
    folder.mkdir()
    instruments.observe(CALL, HEAD, GOOD, 0.001)
    instruments.close()
    assert [bool(line.strip()) for line in (folder / "log").read_text().splitlines()] == [False, True]


def test_a_log_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        AccessLog(str(tmp_path / "nowhere" / "log"))


def test_names_that_are_no_text_are_spelt_out(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "log"))
    log.add({"alias": "caf\udce9", "rows": 1})
    log.close()
    assert json.loads((tmp_path / "log").read_text())["alias"] == "'caf\\udce9'"
