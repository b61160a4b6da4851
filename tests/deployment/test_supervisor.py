"""Processes that die, are replaced, restarted and stopped while clients ask."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.deployment.load import Load
from tests.deployment.running import gone, running, start
from tests.deployment.served import HOST, Client

from lithify.deployment.http import address
from lithify.errors import UsageError


def kill_under_load(kills: int, workers: int, clients: int, least: int = 0) -> None:
    """Kills workers one after another; only what was in flight in them may fail."""
    draw = random.Random(3)
    with running(workers=workers) as server:
        load = Load(server.port, clients)
        killed: set[int] = set()
        while load.kills < kills or load.answered() < least:
            server.settle(workers, killed)
            before = load.answered()
            while load.answered() < before + max(20 * clients, least // kills):
                time.sleep(0.005)
            if load.kills < kills:
                victim = draw.choice([pid for pid in server.workers() if load.pids[pid]])
                load.kills += 1
                killed.add(victim)
                os.kill(victim, signal.SIGKILL)
        server.settle(workers, killed)
        load.stop()
        assert set(load.statuses) == {200}
        assert {failure.pid for failure in load.failures} <= killed | {None}
        for kill in range(kills + 1):
            assert len([failure for failure in load.failures if failure.kills == kill]) <= 2 * clients
        assert len(load.failures) <= kills * clients
        assert load.refused == 0
        assert server.stop() == 0


def test_thirty_kills_under_load() -> None:
    kill_under_load(30, workers=3, clients=8)


def test_a_rolling_restart_fails_nothing() -> None:
    with running(workers=2) as server:
        before = {*server.settle(2)}
        load = Load(server.port, clients=8, pause=0.001)
        for _ in range(3):
            server.process.send_signal(signal.SIGHUP)
            after = {*server.settle(2, without=before)}
            assert not before & after
            before = after
        count = load.answered()
        while load.answered() < count + 100:
            time.sleep(0.01)
        load.stop()
        assert (load.failures, load.refused, set(load.statuses)) == ([], 0, {200})
        assert before & {*load.pids}
        assert server.stop() == 0


def test_a_new_worker_that_fails_leaves_the_old_ones(tmp_path: Path) -> None:
    failing = tmp_path / "failing"
    with running(workers=2, fail=str(failing)) as server:
        before = server.settle(2)
        failing.touch()
        server.process.send_signal(signal.SIGHUP)
        assert server.process.stderr is not None
        assert "Restarting the workers one by one." in server.process.stderr.readline()
        assert "No parrot" in server.process.stderr.readline()
        assert server.settle(2) == before
        with Client(server.port) as client:
            assert client.ask("/").status == 200
        assert server.stop() == 0


def test_when_no_worker_can_start_any_more_it_gives_up(tmp_path: Path) -> None:
    failing = tmp_path / "failing"
    with running(workers=1, fail=str(failing)) as server:
        failing.touch()
        os.kill(server.settle(1)[0], signal.SIGKILL)
        _, said = server.process.communicate(timeout=60)
        assert server.process.returncode == UsageError.exit_status
        assert "usage: No parrot. Feed it." in said


def test_stopping_under_load_fails_nothing() -> None:
    with running(workers=2) as server:
        load = Load(server.port, clients=8, pause=0.001)
        while load.answered() < 200:
            time.sleep(0.01)
        assert server.stop() == 0
        load.stop()
        assert set(load.statuses) == {200}
        assert [failure for failure in load.failures if failure.pid is not None] == []
        assert load.refused > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_under_way_is_finished(number: int) -> None:
    with running(workers=1) as server, Client(server.port) as client, Client(server.port) as idle:
        assert idle.ask("/").status == 200
        client.send(b"GET /slow/sleep?0.8 HTTP/1.1\r\n" + HOST + b"\r\n")
        idle.ask("/")  # the other has been read by then, or is read before the server stops
        assert server.stop(number) == 0
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert idle.closed()


def test_a_second_signal_ends_at_once() -> None:
    with running(workers=1) as server, Client(server.port) as client:
        worker = server.settle(1)
        client.send(b"GET /slow/sleep?20 HTTP/1.1\r\n" + HOST + b"\r\n")
        client.send(b"")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert server.stop(signal.SIGINT) == 128 + signal.SIGINT
        assert gone(*worker)


def test_what_takes_longer_than_the_grace_is_cut() -> None:
    with running(workers=1, limits={"grace": 0.3}) as server, Client(server.port) as client:
        client.send(b"GET /slow/sleep?20 HTTP/1.1\r\n" + HOST + b"\r\n")
        time.sleep(0.1)
        assert server.stop() == 0
        assert client.closed()


def test_workers_go_with_their_supervisor() -> None:
    with running(workers=3) as server:
        workers = server.settle(3)
        server.process.kill()
        assert gone(*workers)
        until = time.monotonic() + 30
        while _listens(server.port):  # a process counts as gone a little before the last of its threads is
            assert time.monotonic() < until
            time.sleep(0.01)


def _listens(port: int) -> bool:
    try:
        with Client(port):
            return True
    except ConnectionError:
        return False


@pytest.mark.parametrize(
    ("fail", "status", "said"),
    [
        ("error", 2, "usage: No parrot. Feed it."),
        ("crash", 70, "error: A worker process failed. Found: ValueError at parrot.py"),
        ("exit", 70, "error: A worker process ended before it could serve. Found: status 3."),
    ],
)
def test_a_worker_that_cannot_start(fail: str, status: int, said: str) -> None:
    with start(fail=fail) as process:
        out, told = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, "")
    assert told.startswith(said)
    assert "secret" not in told


def test_the_supervisor_is_light() -> None:
    with running(workers=1) as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        resident = int(status.partition("VmRSS:")[2].split()[0])
        assert resident < 30 << 10
        environment = Path(f"/proc/{server.settle(1)[0]}/environ").read_bytes().split(b"\0")
        assert {b"OMP_NUM_THREADS=1", b"MKL_NUM_THREADS=1", b"OPENBLAS_NUM_THREADS=1"} <= {*environment}


@pytest.mark.parametrize("burst", [True, False])
def test_connections_are_shared_out(burst: bool) -> None:
    """Whether they come at once or one by one, no process may take nearly all of them, and none may have none."""
    with running(workers=3) as server, contextlib.ExitStack() as stack:
        clients, pids = [], Counter[int]()
        for _ in range(48):
            clients.append(stack.enter_context(Client(server.port)))
            if not burst:
                clients[-1].ask("/")
        for client in clients:
            pids[json.loads(client.ask("/").body)["pid"]] += 1
        assert {*pids} == {*server.workers()}
        assert max(pids.values()) <= 32, pids


def test_its_folder_goes_with_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running(workers=1) as server:
        assert len([*tmp_path.iterdir()]) == 1
        assert server.stop() == 0
    assert [*tmp_path.iterdir()] == []


def test_what_can_be_said_of_addresses() -> None:
    assert address.parse("[::1]:80") == ("::1", 80)
    for wrong in ("8000", "here", "here:x", "::1:80", "here:99999", "http://here:80", ""):
        with pytest.raises(UsageError):
            address.parse(wrong)
    with address.bind(address.Address("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        assert address.loopback(first)
        assert address.url_of(first, secure=True) == f"https://127.0.0.1:{port}/"
        with pytest.raises(UsageError, match="in use"):
            address.bind(address.Address("127.0.0.1", port))
    with address.bind(address.Address("", 0)) as every:
        assert not address.loopback(every)
        assert address.url_of(every).startswith("http://127.0.0.1:")
        socket.create_connection(("127.0.0.1", every.getsockname()[1])).close()
    with pytest.raises(UsageError, match="not known"):
        address.bind(address.Address("nowhere.invalid", 0))
    with pytest.raises(UsageError, match="not one of this machine"):
        address.bind(address.Address("192.0.2.1", 0))


def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        listener = address.bind(address.Address("::1", 0))
    except UsageError:
        pytest.skip("no IPv6 here")
    with listener:
        assert address.loopback(listener)
        assert address.url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}/"
