"""The command filter, as a mail system calls it: a process between two pipes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lithify import api
from lithify.deployment.mail import decide, mark, strip

from .conftest import Place, Run, Tables, message

BASE = [sys.executable, "-m", "lithify", "filter"]
MAIL = message("spam", 7)
FORGED = MAIL.replace(b"Subject:", b"x-spam-flag : NO\nX-Lithify-Status: ham\n\tscore=-9\nSubject:", 1)


def piped(*words: object, raw: bytes = MAIL, **more: object) -> subprocess.CompletedProcess[bytes]:
    command = [*BASE, *map(str, words)]
    return subprocess.run(command, input=raw, capture_output=True, timeout=120, **more)  # type: ignore[call-overload,no-any-return]


def test_it_says_what_predict_says_and_changes_nothing_else(place: Place, tmp_path: Path, lithify: Run) -> None:
    for number, raw in enumerate((MAIL, FORGED, message("ham", 3).replace(b"\n", b"\r\n"))):
        done = piped(place.model, raw=raw)
        (tmp_path / f"{number}.eml").write_bytes(raw)
        (said,) = lithify("predict", place.model, tmp_path / f"{number}.eml", "--json").lines
        flag, status, model = done.stdout.splitlines()[:3]
        assert done.returncode == 0
        assert done.stderr == b""
        assert flag == b"X-Spam-Flag: " + (b"YES" if said["verdict"] == "spam" else b"NO")
        assert status.startswith(f"X-Lithify-Status: {said['verdict']} score=".encode())
        assert status.endswith(f"probability={said['probabilities']['spam']:.4f}".encode())
        assert model == f"\tmodel={said['model']}".encode()
        assert strip(done.stdout) == strip(raw)


def test_model_by_digest_and_json_on_stderr(place: Place, lithify: Run) -> None:
    digest = api.open(place.model).digest
    done = piped(digest[7:23], "--home", place.home, "--json")
    said = json.loads(done.stderr)
    assert said["model"] == digest
    assert done.stdout == mark(MAIL, decide(api.open(place.model), MAIL))
    assert set(said) == {"verdict", "score", "probability", "model"}
    (explained,) = (lithify("explain", place.model, _file(MAIL), "--json").json["score"],)
    assert said["score"] == explained


def _file(raw: bytes) -> str:
    Path("one.eml").write_bytes(raw)
    return "one.eml"


def test_the_same_again_is_the_same(place: Place) -> None:
    once = piped(place.model).stdout
    assert piped(place.model, raw=once).stdout == once


@pytest.mark.parametrize("raw", [b"", b"\n", b"\0\xff" * 999, b"no header", b"From me\n\n"], ids=repr)
def test_odd_messages(place: Place, raw: bytes) -> None:
    done = piped(place.model, raw=raw)
    assert done.returncode == 0
    assert strip(done.stdout) == raw
    assert bool(done.stderr) == (done.stdout == raw) == (not raw.strip() or raw.startswith(b"From "))


def test_a_huge_message_passes_whole(place: Place) -> None:
    raw = FORGED + os.urandom(8 << 20)
    done = piped(place.model, raw=raw)
    assert done.stdout.startswith(b"X-Spam-Flag: ")
    assert strip(done.stdout) == strip(raw)


def _broken(place: Place, folder: Path) -> Path:
    raw = bytearray(place.model.read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / "broken.lith").write_bytes(raw)
    return folder / "broken.lith"


def test_whatever_is_asked_the_message_passes(place: Place, tables: Tables, tmp_path: Path) -> None:
    model = str(place.model)
    asked: dict[str, tuple[list[object], bytes]] = {
        "no model": ([tmp_path / "none.lith"], b"none.lith"),
        "no arguments": ([], b"MODEL"),
        "an unknown digest": (["0123456789abcdef", "--home", place.home], b"no model"),
        "a home that is not there": (["spam", "--home", tmp_path / "home"], b"There is no home at "),
        "a damaged model": ([_broken(place, tmp_path)], b"broken.lith"),
        "a model of tables": ([tables.buys], b"does not filter mail"),
        "an unknown option": ([model, "--stric"], b"Did you mean --strict?"),
        "too many arguments": ([model, "more"], b"too many"),
        "no time": ([model, "--timeout", "soon"], b"length of time"),
        "too little time": ([model, "--timeout", "0.001s"], b"time for judging is over"),
        "no home": (["0123456789abcdef", "--home", "/proc/none"], b"proc"),
        "help among others": ([model, "-h"], b"--help"),
    }
    for name, (words, said) in asked.items():
        strict = ["--strict"] * (len(name) % 2)
        done = piped(*words, *strict, raw=FORGED)
        assert done.stdout == FORGED, name
        assert done.returncode == (75 if strict else 0), name
        assert said in done.stderr, (name, done.stderr)
        assert done.stderr.startswith(b"lithify filter: the message went on as it came. "), name
        assert done.stderr.count(b"\n") == 1, name
    assert not (tmp_path / "home").exists()
    said = json.loads(piped(tmp_path / "none.lith", "--json").stderr)
    assert said["passed"] is True
    assert "none.lith" in said["problem"]


@pytest.mark.parametrize(
    "broken", ["numpy", "lithify.model.model", "lithify.api", "argparse", "lithify.deployment.pipe"]
)
def test_a_broken_installation_lets_mail_pass(broken: str, place: Place) -> None:
    code = f"import sys; sys.modules[{broken!r}] = None; from lithify.cli import main; sys.exit(main())"
    for strict in ((), ("--strict",)):
        command = [sys.executable, "-c", code, "filter", str(place.model), *strict]
        done = subprocess.run(command, input=MAIL, capture_output=True, timeout=60)
        assert done.stdout == MAIL
        assert done.returncode == (75 if strict else 0)
        assert done.stderr.startswith(b"lithify filter: the message went on as it came. ")
        assert done.stderr.count(b"\n") == 1


def test_too_little_memory_lets_mail_pass(place: Place) -> None:
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (80 << 20, 80 << 20))  # noqa: E731
    done = piped(place.model, raw=MAIL + b"x" * (4 << 20), preexec_fn=limit)
    assert done.returncode == 0
    assert done.stdout == MAIL + b"x" * (4 << 20)
    assert done.stderr.count(b"\n") == 1


def test_output_that_cannot_be_written(place: Place) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as unread, open("/dev/full", "wb") as full:
        for out in (unread, full):
            done = subprocess.run([*BASE, str(place.model)], input=MAIL, stdout=out, stderr=subprocess.PIPE, timeout=60)
            assert done.returncode == 75
            assert done.stderr.startswith(b"lithify filter: the message was not passed on. ")
    shell = f"{' '.join(BASE)} {place.model}"
    assert subprocess.run(["sh", "-c", f"{shell} >&- 2>&-"], input=MAIL, timeout=60).returncode == 75
    assert subprocess.run(["sh", "-c", f"{shell} <&- 2>&-"], stdout=subprocess.PIPE, timeout=60).returncode == 75
    noted = subprocess.run(["sh", "-c", f"{shell} --what 2>&-"], input=MAIL, stdout=subprocess.PIPE, timeout=60)
    assert (noted.returncode, noted.stdout) == (0, MAIL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_mail_arrives_or_is_judged(number: signal.Signals, place: Place) -> None:
    for wait in (0.15, 0.3):
        process = subprocess.Popen([*BASE, str(place.model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(MAIL)
        process.stdin.flush()
        time.sleep(wait)  # on a slow machine Python itself may still be starting: then nothing must be written
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        if process.returncode != 0:
            assert out == b""
        else:
            assert out == MAIL
            assert number.name.encode() in err


def test_a_second_signal_ends_it_with_nothing_written(place: Place) -> None:
    process = subprocess.Popen([*BASE, str(place.model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(MAIL)
    process.stdin.flush()
    time.sleep(0.3)
    while process.poll() is None:
        process.terminate()
        time.sleep(0.2)
    assert process.returncode in (75, -signal.SIGTERM)
    assert process.communicate()[0] == b""


def test_help_and_terminal(lithify: Run, place: Place) -> None:
    import pty

    assert "X-Lithify-Status" in lithify("filter", "--help").out
    for words, status in ((["-h"], 0), ([str(place.model), "--what"], 2)):
        ours, theirs = pty.openpty()
        done = subprocess.run([*BASE, *words], stdin=theirs, capture_output=True, timeout=60)
        assert done.returncode == status, "on a terminal there is no message to lose"
        os.close(ours)
        os.close(theirs)


def test_an_empty_message_is_nothing_to_keep_for_later(place: Place) -> None:
    for raw in (b"", b"\n \n"):
        done = piped(place.model, "--strict", raw=raw)
        assert (done.returncode, done.stdout) == (0, raw)
        assert b"The message is empty." in done.stderr
    assert piped(place.model.with_name("nothing.lith"), "--strict").returncode == 75
