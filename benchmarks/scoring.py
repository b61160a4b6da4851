"""How fast raw messages are scored on one core, by Lithify and by scikit-learn; prints JSON. Used by ``mail_speed``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.processes import facts

Score = Callable[[list[bytes]], object]


def main() -> None:
    """Facts given: ``archive``, ``rows``, ``model``, ``which`` (``lithify`` or the number of a peer), ``repeats``."""
    told = facts()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    raws = raw_messages(Path(told["archive"]), told["rows"])
    score = _ours(told["model"]) if told["which"] == "lithify" else _peer(told)
    some = raws[:: max(1, len(raws) // told["singles"])]
    json.dump(
        {"batch": _batch(score, raws, told["repeats"]), **_singles(score, some), "messages": len(raws)}, sys.stdout
    )


def raw_messages(archive: Path, rows: int | None) -> list[bytes]:
    """The files of the archive as they are, evenly spread."""
    import tarfile

    with tarfile.open(archive) as tar:
        streams = (tar.extractfile(member) for member in tar if member.isfile())
        raws = [stream.read() for stream in streams if stream is not None]
    return raws[:: max(1, len(raws) // rows)] if rows else raws


def _ours(path: str) -> Score:
    from lithify.model.model import open_model

    return open_model(path).predict


def _peer(told: dict[str, Any]) -> Score:
    from benchmarks import corpus
    from benchmarks.peers import PEERS

    peer = PEERS[told["which"]]()
    known = corpus.read(Path(told["archive"]), told["learned"])
    pipeline = peer.pipeline(known.content, known.spam)
    return lambda raws: pipeline.decision_function([peer.text(raw) for raw in raws])


def _batch(score: Score, raws: list[bytes], repeats: int) -> list[float]:
    """Messages a second of each repeat, after one that does not count."""
    score(raws)
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        score(raws)
        found.append(len(raws) / (time.perf_counter() - began))
    return found


def _singles(score: Score, raws: list[bytes]) -> dict[str, float]:
    """Microseconds of one message at a time: half of them are quicker than ``p50``."""
    for raw in raws[:50]:
        score([raw])
    taken = []
    for raw in raws:
        began = time.perf_counter_ns()
        score([raw])
        taken.append((time.perf_counter_ns() - began) / 1000)
    taken.sort()
    return {"p50": taken[len(taken) // 2], "p99": taken[min(len(taken) - 1, int(0.99 * len(taken)))]}


if __name__ == "__main__":
    main()
