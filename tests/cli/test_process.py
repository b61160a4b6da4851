"""What only a process of its own shows: signals, pipes, terminals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Place, write_mail

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


def test_python_dash_m_is_the_command() -> None:
    done = subprocess.run([*BASE, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("lithify ")
