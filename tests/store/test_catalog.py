"""The catalog: what goes in comes out, and several processes, kills and odd clocks do no harm."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lithify import canon
from lithify.errors import AmbiguousName, IntegrityError, NewerFormat, NotFound, StoreFull, UsageError
from lithify.store.catalog import Catalog
from lithify.store.lookup import Thing


def digest(text: str) -> str:
    return canon.digest(text.encode())


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite", clock=lambda: 1000.9)


def filled(catalog: Catalog) -> Catalog:
    catalog.add_snapshot(digest("s"), "mail", 10)
    catalog.add_run(digest("r"), digest("s"), {"learner": "linear"}, {"linear": 1}, steps=5)
    return catalog


def test_snapshots(catalog: Catalog) -> None:
    first = catalog.add_snapshot(digest("a"), "mail", 10, quarantine=digest("q"))
    second = catalog.add_snapshot(digest("b"), "mail", 12, parent=first.digest)
    assert (first.rows, first.quarantine, first.erased, first.created) == (10, digest("q"), False, 1000)
    assert catalog.snapshots() == [first, second]
    assert catalog.add_snapshot(first.digest, "mail", 10) == first
    with pytest.raises(NotFound):
        catalog.snapshot(digest("c"))


def test_an_erased_snapshot_loses_its_names_and_may_come_back(catalog: Catalog) -> None:
    catalog.add_snapshot(digest("a"), "mail", 10)
    catalog.name("inbox", digest("a"))
    catalog.erase_snapshot(digest("a"))
    assert catalog.snapshot(digest("a")).erased
    assert catalog.names() == {}
    assert not catalog.add_snapshot(digest("a"), "mail", 10).erased


def test_names(catalog: Catalog) -> None:
    for text in "ab":
        catalog.add_snapshot(digest(text), "mail", 1)
    catalog.name("inbox", digest("a"))
    catalog.name("inbox", digest("a"))
    with pytest.raises(UsageError, match="taken"):
        catalog.name("inbox", digest("b"))
    catalog.name("inbox", digest("b"), move=True)
    catalog.name("other", digest("b"))
    assert catalog.names_of(digest("b")) == ["inbox", "other"]
    with pytest.raises(NotFound):
        catalog.name("third", digest("c"))


@pytest.mark.parametrize(
    "name",
    ["", "deadbeef", "DEADBEEF", "0123456789", "a" * 64, "sha256:ab", "a b", "a/b", ".a", "a@b", "a\n", "x" * 101],
)
def test_what_cannot_be_a_name(catalog: Catalog, name: str) -> None:
    catalog.add_snapshot(digest("a"), "mail", 1)
    with pytest.raises(UsageError):
        catalog.name(name, digest("a"))


@pytest.mark.parametrize("length", [8, 12, 64])
@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_find_by_digest_and_its_beginning(catalog: Catalog, prefix: str, length: int) -> None:
    filled(catalog)
    text = prefix + digest("r")[7 : 7 + length]
    assert catalog.find(text) == catalog.find(text.upper().replace("SHA", "sha")) == Thing("run", digest("r"))
    assert catalog.run(text).key == digest("r")
    with pytest.raises(NotFound):
        catalog.find(text, "snapshot", "model")


def test_find_names_and_offers_the_nearest(catalog: Catalog) -> None:
    filled(catalog).name("inbox", digest("s"))
    catalog.add_model(digest("m"), digest("r"), digest("s"), name="spam")
    assert catalog.resolve("inbox") == digest("s")
    assert catalog.find("spam") == Thing("model", digest("m"))
    with pytest.raises(NotFound, match="Did you mean inbox"):
        catalog.find("inbx")
    with pytest.raises(NotFound, match="lithify ls"):
        catalog.find("inbx", "run")
    for text in ("", "%", "sha256:", "abcdef", "\0", "x" * 10_000):
        with pytest.raises(NotFound):
            catalog.find(text)


def test_several_things_are_ambiguous(catalog: Catalog) -> None:
    for end in "01":
        catalog.add_snapshot("sha256:" + "ab" * 31 + "a" + end, "mail", 1)
    with pytest.raises(AmbiguousName, match="several"):
        catalog.resolve("abababab")
    assert catalog.resolve("ab" * 31 + "a1").endswith("1")
    for text in "mn":
        catalog.add_model(digest(text), name="spam")
    with pytest.raises(AmbiguousName):
        catalog.resolve("spam")


def test_requests(catalog: Catalog) -> None:
    filled(catalog)
    request = {"source": "/mail", "quality": "fast"}
    assert catalog.request(request) is None
    row = catalog.remember_request(request, "sig1", digest("r"), {"steps": 5})
    assert (row.request, row.recipe, row.run) == (request, {"steps": 5}, digest("r"))
    assert catalog.request(dict(reversed(request.items())), "sig1") == row
    assert catalog.request(request) == row
    assert catalog.request(request, "sig2") is None


def test_a_run_through_its_sessions(catalog: Catalog) -> None:
    run = filled(catalog).run(digest("r"))
    assert (run.state, run.step, run.steps, run.recipe, run.engine) == (
        "interrupted", 0, 5, {"learner": "linear"}, {"linear": 1},
    )  # fmt: skip
    first = catalog.open_session(run.key)
    assert catalog.runs("running")[0].key == run.key
    catalog.close_session(first, "interrupted", 3)
    second = catalog.open_session(run.key, pid=7)
    catalog.add_model(digest("m"), run.key, digest("s"))
    catalog.update_run(run.key, model=digest("m"))
    catalog.close_session(second, "finished", 5)
    run = catalog.run(run.key)
    assert (run.state, run.step, run.model) == ("finished", 5, digest("m"))
    sessions = catalog.sessions(run.key)
    assert [(each.first_step, each.last_step, each.how) for each in sessions] == [
        (0, 3, "interrupted"), (3, 5, "finished"),
    ]  # fmt: skip
    assert [each.pid for each in sessions] == [os.getpid(), 7]
    assert catalog.add_run(run.key, digest("s"), {}, {}) == run
    assert [model.digest for model in catalog.models_of_snapshot(digest("s"))] == [digest("m")]


def test_runs_of_the_dead_become_interrupted(catalog: Catalog) -> None:
    filled(catalog).open_session(digest("r"))
    assert catalog.reconcile(lambda key: True) == []
    assert catalog.reconcile(lambda key: False) == [digest("r")]
    assert catalog.run(digest("r")).state == "interrupted"
    assert catalog.sessions(digest("r"))[0].how == "killed"


def test_a_session_that_begins_while_others_are_looked_for_is_left_alone(catalog: Catalog) -> None:
    filled(catalog).open_session(digest("r"))
    begun = threading.Event()

    def begin() -> None:
        begun.set()
        catalog.open_session(digest("r"))

    other = threading.Thread(target=begin)

    def busy(key: str) -> bool:
        """The lock is free; as soon as that is known another session takes it."""
        other.start()
        begun.wait()
        time.sleep(0.05)
        return False

    catalog.reconcile(busy)
    other.join()
    assert catalog.run(digest("r")).state == "running"
    assert [session.how for session in catalog.sessions(digest("r"))] == ["killed", None]


def test_evaluations_and_looks(catalog: Catalog) -> None:
    row = catalog.add_evaluation(digest("m"), digest("s"), "test", {"auc": {"value": 0.5}})
    catalog.add_evaluation(digest("n"), digest("s"), "test", {})
    assert catalog.evaluations(digest("m")) == [row]
    assert len(catalog.evaluations()) == 2
    assert [catalog.look(digest("s"), "test", digest("m"), generation) for generation in (0, 0, 1)] == [1, 2, 1]
    assert catalog.looks(digest("s"), "test") == 3
    assert catalog.looks(digest("s"), "validation") == 0


def test_references_must_lead_somewhere(catalog: Catalog) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"):
        catalog.add_run(digest("r"), digest("nowhere"), {}, {})
    with pytest.raises(ValueError, match="digest"):
        catalog.add_snapshot("sha256:short", "mail", 1)
    assert catalog.runs() == []


def test_a_transaction_is_whole_or_nothing(catalog: Catalog) -> None:
    def stopped() -> None:
        with catalog.transaction():
            filled(catalog)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert catalog.snapshots() == []
    with catalog.transaction(), catalog.transaction():
        filled(catalog)
    assert len(catalog.snapshots()) == 1


def test_a_clock_that_goes_back_does_not_change_the_order(tmp_path: Path) -> None:
    times = iter([5000.0, 10.0, -3.0])
    catalog = Catalog(tmp_path / "catalog.sqlite", clock=lambda: next(times))
    for text in "abc":
        catalog.add_snapshot(digest(text), "mail", 1)
    assert [row.digest for row in catalog.snapshots()] == [digest(text) for text in "abc"]
    assert [row.created for row in catalog.snapshots()] == [5000, 10, -3]


def test_settings_of_the_file(tmp_path: Path, catalog: Catalog) -> None:
    assert catalog._db.read("PRAGMA journal_mode")[0][0] == "wal"
    assert catalog._db.read("PRAGMA synchronous")[0][0] == 2
    assert catalog._db.read("PRAGMA foreign_keys")[0][0] == 1
    assert catalog._db.read("PRAGMA integrity_check")[0][0] == "ok"


def test_a_later_version_is_refused_untouched(tmp_path: Path, catalog: Catalog) -> None:
    catalog.close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NewerFormat, match="99"):
        Catalog(tmp_path / "catalog.sqlite")


@pytest.mark.parametrize("data", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_damage_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(data)
    with pytest.raises(IntegrityError, match="damaged"):
        Catalog(tmp_path / "catalog.sqlite")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreFull):
        Catalog(tmp_path / "gone" / "catalog.sqlite")


def test_threads_share_one_catalog(catalog: Catalog) -> None:
    def work() -> None:
        for _ in range(20):
            catalog.look(digest("s"), "test", digest("m"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert catalog.looks(digest("s"), "test") == 80


FORKED = """
import os, sys
from pathlib import Path
from lithify.canon import digest
from lithify.store.catalog import Catalog
catalog = Catalog(Path(sys.argv[1]))
catalog.look(digest(b"s"), "test", digest(b"m"))
child = os.fork()
catalog.look(digest(b"s"), "test", digest(b"m"))
if not child:
    os._exit(0)
os.waitpid(child, 0)
print(catalog.looks(digest(b"s"), "test"), catalog._db.read("PRAGMA integrity_check")[0][0])
"""


def test_a_forked_child_has_a_connection_of_its_own(tmp_path: Path) -> None:
    output, errors = start(FORKED, tmp_path / "catalog.sqlite").communicate()
    assert output.split() == ["3", "ok"], errors


def start(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


HAMMER = """
import sys
from pathlib import Path
from lithify.canon import digest
from lithify.store.catalog import Catalog
catalog = Catalog(Path(sys.argv[1]))
number = int(sys.argv[2])
counts = []
for turn in range(15):
    mine = digest(f"{number} {turn}".encode())
    with catalog.transaction():
        catalog.add_snapshot(mine, "mail", turn)
        catalog.add_run(mine, mine, {}, {}, steps=1)
    counts.append(catalog.look(digest(b"s"), "test", digest(b"m")))
    catalog.close_session(catalog.open_session(mine), "finished", 1)
print(*counts)
"""


def test_eight_processes_at_once(tmp_path: Path) -> None:
    """All start on a file that is not there yet; every write counts, and every look has a number of its own."""
    path = tmp_path / "catalog.sqlite"
    started = [start(HAMMER, path, number) for number in range(8)]
    outputs = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * 8, outputs
    counts = sorted(int(count) for output, _ in outputs for count in output.split())
    assert counts == list(range(1, 121))
    catalog = Catalog(path)
    assert len(catalog.runs("finished")) == 120
    assert catalog._db.read("PRAGMA integrity_check")[0][0] == "ok"


KILLED = """
import sys
from pathlib import Path
from lithify.canon import digest
from lithify.store.catalog import Catalog
catalog = Catalog(Path(sys.argv[1]))
turn = 0
while True:
    mine = digest(f"{turn}".encode())
    with catalog.transaction():
        catalog.add_snapshot(mine, "mail", turn)
        catalog.add_run(mine, mine, {}, {})
    print(turn, flush=True)
    turn += 1
"""


def check_whole(path: Path, said: int) -> None:
    catalog = Catalog(path)
    assert catalog._db.read("PRAGMA integrity_check")[0][0] == "ok"
    assert said <= len(catalog.snapshots()) <= said + 1
    assert [run.key for run in catalog.runs()] == [row.digest for row in catalog.snapshots()]
    catalog.add_snapshot(digest("after"), "mail", 1)


@pytest.mark.parametrize("point", [1, 2, 4, 5, 9])
def test_killed_around_a_commit(tmp_path: Path, point: int) -> None:
    """What was reported stays, a transaction is never half there, and the next process goes on at once."""
    process = start(KILLED, tmp_path / "catalog.sqlite", LITHIFY_FAULT_KILL=str(point))
    output, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    check_whole(tmp_path / "catalog.sqlite", len(output.split()))


def test_killed_at_any_moment(tmp_path: Path) -> None:
    for moment in range(3):
        path = tmp_path / f"{moment}.sqlite"
        process = start(KILLED, path)
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(5 + moment)]
        process.kill()
        rest = process.communicate()[0]
        check_whole(path, len("".join([*said, rest]).split()))


FULL = """
import sys
from pathlib import Path
from lithify.canon import digest
from lithify.errors import StoreFull
from lithify.store.catalog import Catalog
catalog = Catalog(Path(sys.argv[1]) / "catalog.sqlite")
done = 0
try:
    for done in range(10_000):
        catalog.add_evaluation(digest(b"m"), digest(b"s"), "test", {"x": "y" * 5000})
except StoreFull as error:
    print(error)
assert len(catalog.evaluations()) == done, (len(catalog.evaluations()), done)
"""


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=1m none '{tmp_path}'"
    command = ["unshare", "--mount", "sh", "-ec", mount + ' && exec "$@"', "sh"]
    try:
        subprocess.run([*command, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting is not allowed here")
    ended = subprocess.run(
        [*command, sys.executable, "-c", FULL, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ended.returncode, ended.stderr
    assert "No space left" in ended.stdout


def test_a_waiting_writer_gets_its_turn(tmp_path: Path, catalog: Catalog) -> None:
    other = Catalog(tmp_path / "catalog.sqlite")
    entered = threading.Event()

    def hold() -> None:
        with other.transaction():
            entered.set()
            time.sleep(0.2)
            other.look(digest("s"), "test", digest("m"))

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    assert catalog.look(digest("s"), "test", digest("m")) == 2
    thread.join()
