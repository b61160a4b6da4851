"""A worker process as its supervisor sees it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from lithify.deployment.http.life import environment
from lithify.errors import LithifyError
from lithify.training import messages

COMMAND = (sys.executable, "-P", "-m", "lithify.deployment.http.worker")


@dataclass(slots=True, eq=False)
class Child:
    """One worker.

    Attributes
    ----------
    process : subprocess.Popen
    ready : dict or None
        What it said when it began to serve.
    failure : LithifyError or None
        What it said instead.
    since : float
        When it was started, or began to serve, by the monotonic clock.
    retired : float
        When it was told to finish; 0 while it was not.
    said : bytes
        Of its message, what came so far.
    """

    process: subprocess.Popen[bytes]
    since: float
    ready: dict[str, Any] | None = None
    failure: LithifyError | None = None
    retired: float = 0.0
    said: bytes = b""

    @property
    def output(self) -> int:
        """Descriptor of its messages."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def hear(self) -> bool:
        """Reads what it has to say; False when that was all."""
        data = os.read(self.output, 1 << 16)
        self.said += data
        while b"\n" in self.said:
            line, _, self.said = self.said.partition(b"\n")
            self._take(json.loads(line))
        return bool(data)

    def retire(self) -> None:
        """Tells it to finish what is under way and end."""
        self.retired = self.retired or time.monotonic()
        self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Sends a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def close(self) -> None:
        """Lets go of its pipes."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def why(self) -> LithifyError:
        """Why it cannot serve: what it said, else how it ended."""
        return self.failure or LithifyError("A worker process ended before it could serve.", found=self.ending())

    def ending(self) -> str:
        """How it ended."""
        status = self.process.returncode
        return f"signal {-status}" if status < 0 else f"status {status}"

    def _take(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self.ready, self.since = message["ready"], time.monotonic()
        elif message["error"]["code"]:
            self.failure = messages.error_of(message["error"])
        else:
            self.failure = LithifyError("A worker process failed.", found=message["error"]["fields"]["found"])


def start(settings: dict[str, Any]) -> Child:
    """Starts a worker with these settings; it is the head of a process group, so that no Ctrl-C reaches it."""
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        pass_fds=settings["sockets"],
        process_group=0,
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(settings | {"supervisor": os.getpid()}).encode() + b"\n")
        process.stdin.flush()
    return Child(process, time.monotonic())
