"""Load on one server: wrk, waiting for readiness, memory of all processes of a server."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving_systems import Started

CONNECTIONS = 32
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Load:
    """What a client saw: requests a second, milliseconds at two points, and responses that were no success."""

    rate: float
    p50: float
    p99: float
    failed: int


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait(started: Started, log: Path, seconds: float = 120.0) -> None:
    """Returns once the request is answered with a 200; else raises with the end of the server's log."""
    end = time.monotonic() + seconds
    request = urllib.request.Request(started.url, started.body, {"Content-Type": started.media})
    found = "no answer"
    while time.monotonic() < end and started.process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                response.read()
                return
        except urllib.error.HTTPError as error:
            found = f"{error.code}: {error.read()[:300]!r}"
        except OSError as error:
            found = str(error)
        time.sleep(0.3)
    raise RuntimeError(f"{started.url} gave {found}\n{log.read_text(errors='replace')[-2000:]}")


def wrk(started: Started, folder: Path, seconds: int, connections: int = CONNECTIONS, rate: float = 0.0) -> Load:
    """Load by wrk: as much as goes, or about ``rate`` requests a second.

    With a rate every connection waits between its requests, for a time drawn around what that rate needs.
    """
    script = folder / "request.lua"
    (folder / "body").write_bytes(started.body)
    lines = [
        'wrk.method = "POST"',
        f'wrk.headers["Content-Type"] = "{started.media}"',
        f'local file = io.open("{folder / "body"}", "rb")',
        'wrk.body = file:read("*a")',
    ]
    if rate:
        pause = 1000.0 * connections / rate
        lines.append(f"function delay() return {pause:.3f} * 2 * math.random() end")
    script.write_text("\n".join(lines))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s", "-s", str(script)]
    out = subprocess.run([*command, started.url], capture_output=True, text=True, check=True).stdout
    return _read(out)


def _read(out: str) -> Load:
    shares = {name: float(number) * _UNITS[unit] for name, number, unit in
              re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)$", out, re.MULTILINE)}  # fmt: skip
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    wrong = (int(failed[1]) if failed else 0) + (sum(map(int, errors.groups())) if errors else 0)
    return Load(float(rate[1]) if rate else 0.0, shares.get("50", 0.0), shares.get("99", 0.0), wrong)


def memory(started: Started) -> list[float]:
    """MiB of each process of a server, the largest first; pages that several share are divided among them."""
    sizes = []
    for number in family(started.process.pid):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{number}/smaps_rollup").read_text()
            sizes.append(int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) / 1024)  # type: ignore[index]
    return sorted(sizes, reverse=True)


def family(root: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for each in found:
        found += parents.get(each, [])
    return found


def stop(started: Started) -> None:
    """Ends a server and all its processes."""
    everyone = family(started.process.pid)
    started.process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        started.process.wait(20)
    for number in everyone:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    started.process.wait()
