"""The home: private, versioned, never in the way of other folders."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lithify import engines
from lithify.canon import digest
from lithify.errors import IntegrityError, NewerFormat, NotFound, RunBusy, StoreError, Unsupported, UsageError
from lithify.store.home import open_home
from lithify.store.lock import Lock, held


def test_a_new_home(tmp_path: Path) -> None:
    home = open_home(tmp_path / "a" / "home")
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert {entry.name for entry in home.path.iterdir()} >= {"version", "blobs", "runs", "cache", "work"}
    assert home.catalog is home.catalog
    assert open_home(str(home.path)).path == home.path
    assert home.run_folder(digest(b"r")) == home.runs / digest(b"r")[7:]
    assert home.run_folder(digest(b"r")).is_dir()
    with pytest.raises(ValueError, match="key"):
        home.run_folder("../../etc")


def test_who_only_reads_makes_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("none", "empty"):
        with pytest.raises(NotFound, match=f"There is no home at {tmp_path / name}"):
            open_home(tmp_path / name, create=False)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]
    with pytest.raises(UsageError, match="of its own"):
        open_home(tmp_path, create=False)
    assert open_home(open_home(tmp_path / "made").path, create=False).catalog.models() == []


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITHIFY_HOME", str(tmp_path / "named"))
    assert open_home().path == tmp_path / "named"
    assert open_home(tmp_path / "given").path == tmp_path / "given"
    monkeypatch.delenv("LITHIFY_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_home().path.is_relative_to(tmp_path)


def test_an_open_home_is_closed_to_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = open_home(tmp_path / "home")
    home.path.chmod(0o755)
    with caplog.at_level(logging.WARNING, "lithify"):
        open_home(home.path)
        open_home(home.path)
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert len(caplog.records) == 1
    assert "0755" in caplog.text


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(UsageError, match="of its own"):
        open_home(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(UsageError, match="not a folder"):
        open_home(tmp_path / "letter.txt")


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    (home.path / "version").write_text("2\n")
    with pytest.raises(NewerFormat, match="version 2"):
        open_home(home.path)
    assert (home.path / "version").read_text() == "2\n"
    for text in ("", "one", "é"):
        (home.path / "version").write_text(text)
        with pytest.raises(IntegrityError):
            open_home(home.path)


READ_ONLY = """
import sys
from lithify.errors import StoreFull
from lithify.store.home import open_home
for path in sys.argv[1:]:
    try:
        open_home(path)
    except StoreFull as error:
        print(error)
"""


def test_a_read_only_disk(tmp_path: Path) -> None:
    open_home(tmp_path / "home")
    mount = f"mount --bind '{tmp_path}' '{tmp_path}' && mount -o remount,bind,ro '{tmp_path}'"
    command = ["unshare", "--mount", "sh", "-ec", mount + ' && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    ended = subprocess.run(
        [*command, sys.executable, "-c", READ_ONLY, str(tmp_path / "home"), str(tmp_path / "new")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.count("--home or LITHIFY_HOME") == 2


def test_a_home_that_cannot_be_made() -> None:
    with pytest.raises(StoreError):
        open_home("/proc/lithify")


def test_windows_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engines.sys, "platform", "win32")
    with pytest.raises(Unsupported, match="Windows"):
        open_home(tmp_path / "home")


def test_a_lock_is_exclusive(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    assert not held(path)
    with Lock(path) as lock:
        assert lock.fileno() >= 0
        assert held(path)
        with pytest.raises(RunBusy):
            Lock(path).acquire()
    assert not held(path)
    with Lock(path):
        pass


def test_a_lock_goes_with_the_last_of_its_holders(tmp_path: Path) -> None:
    """A child that got the lock keeps it when its parent lets go, and loses it by dying, however it dies."""
    path = tmp_path / "lock"
    with Lock(path) as lock:
        command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[lock.fileno()])
    assert held(path)
    child.kill()
    child.communicate()
    assert not held(path)
