"""One run in several real processes: the same bits as in one, whoever of them dies, and never an orphan."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from tests.training import tables
from tests.training.conftest import tiny

from lithify.data.snapshot import open_snapshot
from lithify.errors import EngineMismatch, MissingExtra, RunError, SessionEnded
from lithify.learners.linear.linear import Linear
from lithify.progress import Update
from lithify.recipe import parse
from lithify.store.home import Home, open_home
from lithify.store.lock import held
from lithify.training import collectives, processes, supervisor
from lithify.training.run import Settings, rebuild, train
from lithify.training.settings import cores

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

LONG = {"linear": {"steps": 120, "tolerance": 0.0}, "folds": 0}


@pytest.fixture(scope="module")
def long_digest(made, tmp_path_factory) -> str:
    """Of the long training in this process, uninterrupted."""
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("long") / "home"))
    return tiny(open_home(folder), Settings(threads=1), **LONG).model.digest


def _family(pid: int) -> list[int]:
    """A process's children, theirs, and so on."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent(int(entry.name)) == pid:
            found += [int(entry.name), *_family(int(entry.name))]
    return found


def _parent(pid: int) -> int:
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return -1
    return -1 if state == "Z" else int(parent)


def _gone(pids: list[int]) -> bool:
    for _ in range(500):
        if all(_parent(pid) == -1 for pid in pids):
            return True
        time.sleep(0.02)
    return False


class _Striker:
    """A reporter that strikes once at a step, and remembers which processes there were."""

    def __init__(self, step: int, strike) -> None:
        self.step, self.strike = step, strike
        self.family: list[int] = []
        self.stages: set[str] = set()

    def __call__(self, update: Update) -> None:
        self.stages.add(update.stage)
        if update.stage == "training" and update.done >= self.step and not self.family:
            self.family = _family(os.getpid())
            self.strike(self.family)


def _clean(home: Home) -> bool:
    return not held(home.lock(home.catalog.runs()[0].key).path) and not list(home.cache.glob("meeting-*"))


def test_processes_and_threads_change_no_bit(tiny_train, home, digest) -> None:
    """A session of one step, then to the end with other processes; with a fold."""
    with pytest.raises(SessionEnded, match="The session's time is up after step 1; the checkpoint is safe"):
        tiny_train(Settings(processes=3, threads=2, session=1e-9))
    outcome = tiny_train(Settings(processes=4, threads=1))
    assert (outcome.model.digest, outcome.sessions, outcome.resumed) == (digest, 2, True)
    assert _clean(home)


def test_more_processes_than_grains(tmp_path) -> None:
    """Boosting, where every grain gives names of its own; rebuilt in two processes of two threads."""
    home = open_home(tmp_path / "home")
    tables.freeze(home, "three")
    recipe = parse(tables.recipe("boosting") | {"grains": 2})
    snap = open_snapshot(home, "three")
    model = train(home, snap, recipe, source="three", settings=Settings(threads=1)).model
    assert rebuild(home, model, settings=Settings(processes=5, threads=2)) == bytes(model.data)


@pytest.mark.parametrize(("victim", "step", "threads"), [(1, 23, 1), (0, 58, 2)])
def test_kill_9(home, long_digest, victim, step, threads) -> None:
    def strike(family: list[int]) -> None:
        worker, *others = family
        assert len(others) == 1
        os.kill([worker, *others][victim], signal.SIGKILL)

    striker = _Striker(step, strike)
    with pytest.raises(RunError) as ended:
        tiny(home, Settings(processes=2, threads=1, checkpoint_every=1), striker, **LONG)
    assert ended.value.exit_status == 75
    assert "un" in str(ended.value.hint)
    assert ("Process 1 of this run is gone with status -9" if victim else "status -9") in str(ended.value)
    assert _gone(striker.family)
    assert _clean(home)
    outcome = tiny(home, Settings(threads=threads), **LONG)
    assert (outcome.model.digest, outcome.resumed) == (long_digest, True)


def test_a_signal_ends_the_session_with_a_checkpoint(home) -> None:
    striker = _Striker(5, lambda family: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SessionEnded, match=r"Stopped by SIGTERM after step \d+; the checkpoint is safe") as ended:
        tiny(home, Settings(processes=2), striker, **LONG | {"linear": {"steps": 100000, "tolerance": 0.0}})
    assert ended.value.exit_status == 75
    assert _gone(striker.family)
    (row,) = home.catalog.runs()
    newest = max(int(path.name.split(".")[0]) for path in home.run_folder(row.key).glob("*.checkpoint"))
    assert newest == row.step >= 5
    assert _clean(home)


def test_an_error_of_another_process_arrives(home, tmp_path, monkeypatch) -> None:
    """As what it is, and it ends them all; nothing of theirs is printed."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_SPOILT)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    with pytest.raises(RunError, match=r"The worker of this run failed.*ZeroDivisionError at sitecustomize.py"):
        tiny(home, Settings(processes=2, threads=1), **LONG)
    assert _clean(home)


_SPOILT = """
import sys
if "lithify.training.worker" in sys.orig_argv:
    from lithify.training import follower
    def spoilt(*given):
        raise ZeroDivisionError("a line of somebody's mail")
    follower.prepare = spoilt
"""


def test_torch_is_needed(tiny_train, monkeypatch) -> None:
    monkeypatch.setattr(collectives.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install 'lithify"):
        tiny_train(Settings(processes=2))


def test_one_process_starts_no_other(tiny_train, digest, monkeypatch) -> None:
    monkeypatch.setattr(supervisor, "_worker", lambda *_: pytest.fail("a worker was started"))
    monkeypatch.setattr(processes, "Processes", lambda *_: pytest.fail("processes were started"))
    assert tiny_train(Settings(threads=1, processes=1)).model.digest == digest


def test_a_state_of_another_machine_is_refused(tiny_train, home, monkeypatch) -> None:
    with pytest.raises(SessionEnded):
        tiny_train(Settings(threads=1, session=1e-9))

    def admit(self, state, data):
        raise EngineMismatch("This machine computes other bits.", expected="probe a", found="probe b")

    monkeypatch.setattr(Linear, "admit", admit)
    with pytest.raises(EngineMismatch, match="Found: probe b") as refused:
        tiny_train(Settings(threads=1))
    assert refused.value.exit_status == 78
    assert home.catalog.runs()[0].state == "interrupted"


def test_what_a_learner_needs_depends_on_its_parameters(home, monkeypatch) -> None:
    monkeypatch.setattr(Linear, "needs", classmethod(lambda cls, params: {"NEEDED": str(params.steps)}))
    monkeypatch.setattr(Linear, "fingerprint", classmethod(lambda cls, params: {"steps": params.steps}))
    seen = []
    monkeypatch.setattr(supervisor, "_call", lambda verb, task, lock=None: seen.append((verb, task)))
    monkeypatch.setenv("NEEDED", "7")
    with pytest.raises(AssertionError):  # nothing was trained
        tiny(home, Settings(threads=1))
    ((verb, task),) = seen
    assert verb == "perform"
    assert task.wanted.engine["steps"] == 6
    monkeypatch.setenv("NEEDED", "6")
    assert not supervisor.needed(task)


def test_settings_share_the_cores() -> None:
    assert Settings(processes=2).count_threads() == max(1, cores() // 2)
    assert Settings(processes=10 * cores()).count_threads() == 1
    assert Settings(processes=3, threads=2).count_threads() == 2
    assert Settings(processes=3, threads=2, session=5.0).alone() == Settings(threads=6, session=5.0)
    assert Settings(threads=2).alone() == Settings(threads=2)
