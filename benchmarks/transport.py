"""How many requests a second the transport carries, beside uvicorn with the same parser and event loop.

Both answer two bytes from one process, to one client (``wrk -t1 -c32``) on the same machine, one after the other and
several times over, since a busy machine changes from second to second. What is compared is the server alone: no
routing, no model. uvicorn runs a bare ASGI application, without access log.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import machine
from benchmarks.options import tell
from benchmarks.table import Table

COLUMNS = ("server", "request", ">requests/s", ">least", ">most", ">p99 ms", ">CPU us")
SERVERS = ("lithify", "uvicorn")
REQUESTS = {"GET": "", "POST 1 kB": 'wrk.method = "POST" wrk.body = string.rep("x", 1000)'}


def run(options: argparse.Namespace) -> Table:
    """Measures both, turn by turn; about a minute and a half."""
    if shutil.which("wrk") is None:
        raise SystemExit("This benchmark needs wrk on the path.")
    seconds, repeats = (1, 1) if options.quick else (5, 3)
    table = Table("The transport alone: one process, one client, 32 connections kept alive", COLUMNS)
    for request, script in REQUESTS.items():
        found: dict[str, list[Measured]] = {name: [] for name in SERVERS}
        for number in range(repeats):
            for name in SERVERS:
                tell(f"{request}, {name}, repeat {number + 1}.")
                found[name].append(_measure(name, script, seconds))
        for name in SERVERS:
            rates = [one.rate for one in found[name]]
            late, cost = (median(getattr(one, what) for one in found[name]) for what in ("late", "cost"))
            cells = (f"{median(rates):,.0f}", f"{min(rates):,.0f}", f"{max(rates):,.0f}", f"{late:.1f}", f"{cost:.1f}")
            table.add(name, request, *cells)
        pairs = [*zip(*found.values(), strict=True)]
        rate, cost = median(a.rate / b.rate for a, b in pairs), median(b.cost / a.cost for a, b in pairs)
        table.notes.append(f"{request}: {rate:.1f} times as many as uvicorn, for 1/{cost:.1f} of the CPU (aim: 2).")
    packages = ("httptools", "uvloop", "uvicorn")
    table.notes.append(
        "CPU: of the server, user and system, for one request; it says little of how busy the machine is."
    )
    table.notes += [f"Machine: {machine.hardware()}.", f"Versions: {machine.versions(packages)}.", machine.load()]
    return table


class Measured(NamedTuple):
    """Requests a second, milliseconds in which 99 % were answered, and microseconds of CPU for each."""

    rate: float
    late: float
    cost: float


def _measure(name: str, script: str, seconds: int) -> Measured:
    """One measurement of a fresh server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.transport", name, str(listener.fileno())]
        server = subprocess.Popen(command, pass_fds=[listener.fileno()])
    try:
        _wait(port)
        _wrk(port, script, 1)
        before = _spent(server.pid)
        count, rate, late = _wrk(port, script, seconds)
        return Measured(rate, late, 1e6 * (_spent(server.pid) - before) / count)
    finally:
        server.kill()
        server.wait()


def _wait(port: int) -> None:
    """Until it answers."""
    for _ in range(1000):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
                if client.recv(1000):
                    return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("The server does not answer.")


def _spent(pid: int) -> float:
    """Seconds of CPU that a process has used, see proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wrk(port: int, script: str, seconds: int) -> tuple[int, float, float]:
    command = ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", "-s", "/dev/stdin", f"http://127.0.0.1:{port}/"]
    said = subprocess.run(command, input=script or "-- GET", text=True, capture_output=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    count = re.search(r"(\d+) requests in", said)
    if rate is None or late is None or count is None:
        raise SystemExit(said)
    return int(count[1]), float(rate[1]), float(late[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[late[2]]


def serve_ours(listener: socket.socket) -> None:
    """Our server with an application that does nothing."""
    import asyncio

    import uvloop

    from lithify.deployment.http.message import Response
    from lithify.deployment.http.routes import Call
    from lithify.deployment.http.server import Server
    from lithify.deployment.limits import Limits

    class Bare:
        def open(self, head):  # type: ignore[no-untyped-def]
            return Call("bare", 1 << 20, head.peer)

        def answer(self, requests):  # type: ignore[no-untyped-def]
            return [Response(200, b"ok", "text/plain") for _ in requests]

        def observe(self, call, head, response, seconds) -> None:  # type: ignore[no-untyped-def]
            pass

    async def forever() -> None:
        Server(Bare(), Limits(), asyncio.get_running_loop()).listen(listener)
        await asyncio.Event().wait()

    uvloop.run(forever())


def serve_uvicorn(listener: socket.socket) -> None:
    """Uvicorn with an application that reads the body and does nothing."""
    import uvicorn

    start = {"type": "http.response.start", "status": 200}
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2")]

    async def bare(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        while (await receive()).get("more_body"):
            pass
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(bare, http="httptools", loop="uvloop", lifespan="off", access_log=False, log_level="error")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    {"lithify": serve_ours, "uvicorn": serve_uvicorn}[sys.argv[1]](socket.socket(fileno=int(sys.argv[2])))
