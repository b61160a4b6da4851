"""What only a process of its own shows: signals, pipes, terminals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lithify import errors
from lithify.cli import app

from .conftest import Place, message, write_mail

BASE = [sys.executable, "-m", "lithify"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_train_stopped_by_a_signal_leaves_75_and_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    mail = write_mail(tmp_path / "mail", 30)
    command = [*BASE, "train", str(mail), "--home", str(tmp_path / "home"), "--out", str(tmp_path / "m.lith")]
    slow = ["--set", "linear.steps=100000", "--set", "linear.tolerance=1e-300", "--checkpoint-every", "1"]
    process = subprocess.Popen([*command, *slow], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "features" in line or "Looking" in line:
            break
    time.sleep(0.2)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if process.returncode != 0:  # it may have been quicker
        assert process.returncode == 75
        assert "Traceback" not in err
        assert "again" in err or "--resume" in err


def test_nobody_reads_the_output(place: Place) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as out:
        command = [*BASE, "show", str(place.model)]
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 141
    assert done.stderr == ""


def test_stdout_is_full_or_closed(place: Place) -> None:
    for command in (["show", str(place.model)], ["predict", str(place.model), str(place.mail), "--json"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([*BASE, *command], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 73
        assert done.stderr.startswith("Error: No space left")
        assert "Traceback" not in done.stderr
    closed = subprocess.run(["sh", "-c", f"{' '.join(BASE)} show {place.model} >&- 2>&-"])
    assert closed.returncode == 0


def test_output_that_cannot_show_every_character(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "sn\u00f6w \u2603.eml"
    file.write_bytes(message("spam", 5))
    for command in ("predict", "explain"):
        done = subprocess.run(
            [*BASE, command, str(place.model), str(file)],
            env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
            capture_output=True,
            check=True,
        )
        assert rb"sn\xf6w \u2603.eml" in done.stdout


def test_python_dash_m_is_the_command() -> None:
    done = subprocess.run([*BASE, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("lithify ")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def absent(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow.lib")

    monkeypatch.setattr(app, "_dispatch", absent)
    assert app.run(["snapshot", "mail"]) == errors.MissingExtra.exit_status
    assert "pyarrow is not installed, and this command needs it. Run: pip install lithify" in " ".join(
        capsys.readouterr().err.split()
    )
