"""A real server: a supervisor in a process of its own, with its workers.

As a script: ``running.py JSON``, the arguments of :func:`lithify.workflow.serving.serve`; ``fail`` goes to the parrot.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PARROT = "tests.deployment.parrot:build"


class Running:
    """The server's process, and what it said when it was ready."""

    def __init__(self, process: subprocess.Popen[str], said: dict[str, Any]) -> None:
        self.process, self.said = process, said
        self.port = int(said["url"].rstrip("/").rpartition(":")[2])

    def workers(self) -> list[int]:
        """Processes of the workers that live."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in found if alive(int(pid))]

    def settle(self, count: int, without: set[int] | frozenset[int] = frozenset()) -> list[int]:
        """The workers, once there are so many that none of ``without`` is among."""
        until = time.monotonic() + 60
        while len(found := self.workers()) != count or without & {*found}:
            assert time.monotonic() < until, found
            time.sleep(0.01)
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def start(**asked: Any) -> subprocess.Popen[str]:
    """A server that is not ready yet."""
    given = {"http": "127.0.0.1:0", "application": PARROT, "workers": 2} | asked
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "tests.deployment.running", json.dumps(given)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@contextlib.contextmanager
def running(**asked: Any) -> Iterator[Running]:
    """A server that is ready; killed in the end if it still runs."""
    process = start(**asked)
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield Running(process, json.loads(line))
        finally:
            process.kill()


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(*pids: int) -> bool:
    """Whether they all end; waits for it."""
    until = time.monotonic() + 30
    while any(alive(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def main() -> int:
    from lithify.deployment.limits import Limits
    from lithify.errors import LithifyError
    from lithify.workflow.serving import Serving, serve

    asked = json.loads(sys.argv[1])
    asked["limits"] = Limits(**asked.pop("limits", {}))
    if "fail" in asked:
        os.environ["PARROT_FAILS"] = asked.pop("fail")

    def ready(serving: Serving) -> None:
        print(json.dumps(serving.to_json()), flush=True)

    try:
        return serve(**asked, ready=ready)
    except LithifyError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
