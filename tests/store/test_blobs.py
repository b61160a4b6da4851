"""Objects by digest: whole or not there, whatever happens while they are written."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lithify import canon
from lithify.errors import IntegrityError, NotFound, StoreError, StoreFull
from lithify.store import blobs
from lithify.store.blobs import Blobs, sweep, write_atomic


@pytest.fixture
def store(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def break_at() -> Iterator:
    """Makes the writes fail with an error number at a point."""

    def arm(point: str, number: int) -> None:
        def fail(reached: str) -> None:
            if reached == point:
                raise OSError(number, os.strerror(number))

        blobs.fault = fail

    yield arm
    blobs.fault = None


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_put_get_has_delete(store: Blobs) -> None:
    name = store.put(b"stone")
    assert name == canon.digest(b"stone")
    assert store.has(name)
    assert store.get(name) == b"stone"
    assert store.verified(name).read_bytes() == b"stone"
    assert list(store) == [name]
    assert store.path(name).stat().st_mode & 0o777 == 0o400
    store.delete(name)
    assert not store.has(name)
    with pytest.raises(NotFound):
        store.get(name)


def test_put_again_writes_nothing_but_notes_the_use(store: Blobs) -> None:
    name = store.put(b"stone")
    os.utime(store.path(name), (0, 0))
    inode = store.path(name).stat().st_ino
    store.put(b"stone")
    assert store.path(name).stat().st_ino == inode
    assert store.path(name).stat().st_mtime > 0


@pytest.mark.parametrize("name", ["", "sha256:", "sha256:" + "A" * 64, "../../etc/passwd", "sha256:" + "a" * 64 + "\n"])
def test_what_is_no_digest_leads_nowhere(store: Blobs, name: str) -> None:
    with pytest.raises(NotFound):
        store.path(name)


@pytest.mark.parametrize("damage", [b"stonf", b"ston", b"stones", b""])
def test_damage_is_found_and_mended_by_putting_again(store: Blobs, damage: bytes) -> None:
    name = store.put(b"stone")
    path = store.path(name)
    path.chmod(0o600)
    path.write_bytes(damage)
    with pytest.raises(IntegrityError):
        store.get(name)
    with pytest.raises(IntegrityError):
        store.verified(name)
    assert store.put(b"stone") == name
    assert store.get(name) == b"stone"


def test_adopt_moves_a_file_in_and_mends_damage(store: Blobs, tmp_path: Path) -> None:
    for damaged in (False, True):
        file = tmp_path / "shard"
        file.write_bytes(b"rows")
        name = store.adopt(file)
        assert not file.exists()
        assert store.get(name) == b"rows"
        if not damaged:
            store.path(name).chmod(0o600)
            store.path(name).write_bytes(b"bad")


def test_discard_spares_what_was_used_since(store: Blobs) -> None:
    name = store.put(b"stone")
    os.utime(store.path(name), (1000, 1000))
    assert not store.discard(name, before=500)
    assert store.get(name) == b"stone"
    assert store.discard(name, before=2000)
    assert not store.has(name)
    assert not store.discard(name, before=2000)
    assert files(store.folder) == []


def test_writing_in_pieces_gives_the_digest_of_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert write_atomic(path, (b"ab", memoryview(b"c"))) == canon.digest(b"abc")
    assert path.read_bytes() == b"abc"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("point", ["create", "write", "sync", "rename"])
@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, StoreFull), (errno.EROFS, StoreFull), (errno.EIO, StoreError)]
)
def test_a_failing_disk_leaves_the_old_file(tmp_path: Path, break_at, point: str, number: int, error: type) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    break_at(point, number)
    with pytest.raises(error):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == [path]


def test_an_interrupted_writer_leaves_the_old_file(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"ne"
        raise KeyboardInterrupt

    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, pieces())
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == [path]


KILLED = """
import sys
from pathlib import Path
from lithify.store.blobs import Blobs, write_atomic
folder = Path(sys.argv[1])
write_atomic(folder / "file", (b"new", b"er"))
Blobs(folder / "blobs").put(b"stone")
(folder / "loose").write_bytes(b"shard")
Blobs(folder / "blobs").adopt(folder / "loose")
print("done")
"""


def test_killed_at_every_point_of_every_write(tmp_path: Path) -> None:
    points = 0
    for points in range(1, 100):
        folder = tmp_path / str(points)
        folder.mkdir()
        (folder / "file").write_bytes(b"old")
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, str(folder)],
            env={**os.environ, "LITHIFY_FAULT_KILL": str(points), "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=False,
        )
        assert (folder / "file").read_bytes() in (b"old", b"newer")
        store = Blobs(folder / "blobs")
        assert {store.get(name) for name in store} <= {b"stone", b"shard"}
        for place in (folder, *store.folder.glob("*")):
            sweep(place)
        assert not [path for path in files(folder) if path.name.endswith(".tmp")]
        if ended.stdout:
            break
        assert ended.returncode == -signal.SIGKILL
    assert points > 12


def test_sweep_spares_the_files_of_the_living(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    kept = [
        tmp_path / f".a.{os.getpid()}-0.tmp",
        tmp_path / ".a.1-0.tmp",
        tmp_path / ".hidden",
        tmp_path / ".b.x-0.tmp",
    ]
    for path in [*kept, tmp_path / f".a.b.{dead.pid}-7.tmp", tmp_path / f".c.{dead.pid}.tmp"]:
        path.touch()
    assert sweep(tmp_path) == 2
    assert sorted(files(tmp_path)) == sorted(kept)


def test_threads_that_write_one_file_do_not_meet(tmp_path: Path, store: Blobs) -> None:
    failures = []

    def write(number: int) -> None:
        try:
            for _ in range(10):
                write_atomic(tmp_path / "file", bytes([number]) * 1000)
                store.put(b"same")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(set((tmp_path / "file").read_bytes())) == 1
    assert store.get(canon.digest(b"same")) == b"same"


LIMITED = """
import resource, signal, sys
from pathlib import Path
from lithify.errors import StoreFull
from lithify.store.blobs import Blobs
store = Blobs(Path(sys.argv[1]))
small = store.put(b"small")
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    store.put(bytes(1_000_000))
except StoreFull as error:
    print(error)
assert store.get(small) == b"small" and list(store) == [small]
assert not list(store.folder.rglob("*.tmp"))
print("whole")
"""


def run(code: str, *arguments: object, before: tuple[str, ...] = ()) -> str:
    ended = subprocess.run(
        [*before, sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ended.returncode, ended.stderr
    return ended.stdout


def test_a_file_that_grows_too_large(tmp_path: Path) -> None:
    output = run(LIMITED, tmp_path, "limit")
    assert output.startswith("No space left")
    assert output.endswith("whole\n")


def in_mount(script: str, folder: Path) -> tuple[str, ...]:
    """The beginning of a command that runs with a mount that nobody else sees; skips where that is not allowed."""
    command = ("unshare", "--mount", "sh", "-ec", script + ' && exec "$@"', "sh")
    if not shutil.which("unshare") or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    return command


def test_a_full_disk(tmp_path: Path) -> None:
    output = run(LIMITED, tmp_path, "disk", before=in_mount(f"mount -t tmpfs -o size=256k none '{tmp_path}'", tmp_path))
    assert output.startswith("No space left on the disk while writing")
    assert output.endswith("whole\n")


READ_ONLY = """
import sys
from pathlib import Path
from lithify.errors import StoreFull
from lithify.store.blobs import Blobs
store = Blobs(Path(sys.argv[1]))
(name,) = store
assert store.get(name) == b"stone"
for action in (lambda: store.put(b"new"), lambda: store.discard(name, 1e12)):
    try:
        action()
    except StoreFull as error:
        print(error.hint)
"""


def test_a_read_only_disk_can_be_read(tmp_path: Path, store: Blobs) -> None:
    store.put(b"stone")
    mount = f"mount --bind '{tmp_path}' '{tmp_path}' && mount -o remount,bind,ro '{tmp_path}'"
    output = run(READ_ONLY, store.folder, before=in_mount(mount, tmp_path))
    assert output.count("--home") == 2
