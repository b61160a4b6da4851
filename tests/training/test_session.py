"""Limits, signals, threads and trees."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from lithify.errors import SessionEnded, UsageError
from lithify.training.executor import Stopped, Threads, never
from lithify.training.session import Session
from lithify.training.settings import Settings, cores


def test_a_session_ends_by_its_limit(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    session = Session("run", 5.0)
    now[0] = 104.9
    assert not session.over()
    session.check()
    now[0] = 105.0
    with pytest.raises(SessionEnded, match="time is up") as ended:
        session.check()
    assert (ended.value.run, session.why, session.stop.is_set()) == ("run", "limit", True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_a_second_one_meets_what_was_there(number) -> None:
    met = []
    before = signal.signal(number, lambda *_: met.append(1))
    try:
        with Session("run") as session:
            os.kill(os.getpid(), number)
            assert session.over()
            assert session.why == signal.Signals(number).name
            assert not met
            os.kill(os.getpid(), number)
            assert met
        os.kill(os.getpid(), number)
        assert len(met) == 2
    finally:
        signal.signal(number, before)


def _stopped_at_once(work) -> None:
    with Session("run") as session, session.at_once():
        work()


def test_where_there_are_no_steps_a_signal_ends_it_at_once() -> None:
    went_on = []
    with pytest.raises(SessionEnded, match="Stopped by SIGTERM"):
        _stopped_at_once(lambda: went_on.append(os.kill(os.getpid(), signal.SIGTERM)))
    assert not went_on


def test_an_error_that_got_lost_is_raised_in_the_end() -> None:
    class Loses:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            met.append("went on")

    met: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda lost: met.append(type(lost.exc_value).__name__)
    try:
        with pytest.raises(SessionEnded, match="Stopped by SIGTERM"):
            _stopped_at_once(Loses)
        assert not met  # it was lost, and Python was not heard to say so
        with Session("run") as session:
            session._on_lost(SimpleNamespace(exc_value=ValueError()))
        assert met == ["ValueError"]
        assert sys.unraisablehook is not before
    finally:
        sys.unraisablehook = before


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="x"), Session("run"):
        raise ValueError("x")
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_no_handler_is_set() -> None:
    before, found = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with Session("run"):
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


@pytest.mark.parametrize("grains", [1, 2, 8, 64])
def test_one_tree_for_any_threads(grains) -> None:
    values = np.random.default_rng(0).normal(size=(grains, 50)) * 10.0 ** np.arange(-25, 25)

    def grain(number: int):
        return {"x": values[number].copy()}

    def tree(first: int, width: int):
        return values[first] if width == 1 else tree(first, width // 2) + tree(first + width // 2, width // 2)

    for count in (1, 2, 3, 4, 7, 16):
        with Threads(count, never()) as threads:
            assert threads.total(grain, grains)["x"].tobytes() == tree(0, grains).tobytes()


@pytest.mark.parametrize("count", [1, 3])
def test_a_step_is_given_up_between_grains(count) -> None:
    stop, done = threading.Event(), []

    def grain(number: int):
        done.append(number)
        stop.set()
        return {"x": np.zeros(1)}

    with Threads(count, stop) as threads, pytest.raises(Stopped):
        threads.total(grain, 64)
    assert len(done) <= count


def test_an_error_in_a_grain_waits_for_the_others() -> None:
    running = []

    def grain(number: int):
        if number == 0:
            raise ZeroDivisionError
        running.append(number)
        time.sleep(0.01)
        running.remove(number)
        return {"x": np.zeros(1)}

    with Threads(4, never()) as threads:
        with pytest.raises(ZeroDivisionError):
            threads.total(grain, 64)
        assert running == []


def test_settings() -> None:
    assert Settings().count_threads() == cores() >= 1
    assert Settings(threads=5).count_threads() == 5
    for wrong in (
        {"threads": 0},
        {"threads": -1},
        {"session": 0.0},
        {"session": float("nan")},
        {"checkpoint_every": 0},
    ):
        with pytest.raises(UsageError, match="must be more than 0"):
            Settings(**wrong)
