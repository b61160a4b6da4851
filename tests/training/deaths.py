"""A process that trains recipes in children of its own, so that killing one costs no start of Python.

Reads lines of JSON: {"home": folder, "snapshot": name, "recipe": document, "threads": n, "processes": n,
"point": N or 0, "after": seconds or null}. The first is trained here, so that children find everything loaded. For
each of the others forks; the child trains and kills itself at the N-th dangerous point, or is killed by this process
after so many seconds. Writes a line with the digest of the model and how many dangerous points there were, or "killed".
Where ``warm`` is set a job is trained here instead. With several processes it is the worker that kills itself at a
point.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from lithify.data.snapshot import open_snapshot
from lithify.recipe import parse
from lithify.store import blobs
from lithify.store.home import open_home
from lithify.training.run import Settings, train

UNREACHED = 1 << 30


def train_once(job: dict) -> str:
    home = open_home(Path(job["home"]))
    settings = Settings(threads=job["threads"], processes=job["processes"], checkpoint_every=1)
    several = job["processes"] > 1
    blobs._countdown = (not several and job["point"]) or UNREACHED  # as LITHIFY_FAULT_KILL does in a new process
    if several and job["point"]:
        os.environ["LITHIFY_FAULT_KILL"] = str(job["point"])
    recipe, name = parse(job["recipe"]), job["snapshot"]
    return train(home, open_snapshot(home, name), recipe, source=name, settings=settings).model.digest


def child(job: dict, out: int) -> None:
    try:
        digest = train_once(job)
        os.write(out, f"{digest} {UNREACHED - blobs._countdown}".encode())
        os._exit(0)
    except BaseException as error:
        os.write(out, f"{type(error).__name__}: {error}".encode())
        os._exit(1)


def trial(job: dict) -> str:
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        child(job, writer)
    os.close(writer)
    if job["after"] is not None:
        time.sleep(job["after"])
        os.kill(pid, signal.SIGKILL)
    said = b""
    while piece := os.read(reader, 65536):
        said += piece
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    return "killed" if os.WIFSIGNALED(status) else said.decode()


if __name__ == "__main__":
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(train_once(job) if job["warm"] else trial(job)), flush=True)
