"""How much memory snapshotting and training take on many messages: peak resident size and time of each, in turn.

    python benchmarks/memory.py [--messages 200000] [--keep FOLDER]

The messages are made of the headers and body lines of the shipped sample, drawn anew for each, so that all are
distinct and few are near-duplicates. Each verb runs in a process of its own; the peak is what the system reports of it.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lithify import rng, samples
from lithify.data.open import open_source
from lithify.data.schema import Row
from lithify.media import mime

BYTES = 3000
LIMIT = 1 << 30

SNAPSHOT = """
import lithify
snap = lithify.snapshot({source!r}, name="many", home={home!r})
print(snap.digest, len(snap))
"""
TRAIN = """
import lithify
print(lithify.train("many", home={home!r}).digest)
"""
MEASURE = """
import json, resource, sys, time
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"peak": used.ru_maxrss << 10, "cpu": used.ru_utime + used.ru_stime}))
"""


def messages(count: int) -> Iterator[tuple[str, bytes]]:
    """Label and message, ``count`` times."""
    rows = [row for row in open_source(samples.mail()).rows() if isinstance(row, Row)]
    labels = sorted({str(row.label) for row in rows})
    parts = [(str(row.label), *mime.split(row.content)) for row in rows]
    lines = {
        label: [line for name, _, body in parts if name == label for line in body.split(b"\n") if len(line) > 20]
        for label in labels
    }
    for number in range(count):
        label, header, _ = parts[int(rng.below(rng.key(0, "header"), number, len(parts)))]
        pool = lines[label]
        draws = rng.below(rng.key(0, "body", number), 0, len(pool), n=BYTES // 40)
        body: list[bytes] = []
        left = BYTES - len(header) // 2
        for draw in draws.tolist():
            if left <= 0:
                break
            body.append(pool[draw][:200])
            left -= len(body[-1]) + 1
        day = 1 + number * 27 // count
        stamp = b"Received: by mx; %d Nov 2002 %02d:%02d:%02d +0000\n" % (day, number % 24, number % 60, number % 59)
        yield label, stamp + header + b"X-Number: %d\n\n" % number + b"\n".join(body) + b"\n"


def write(path: Path, count: int) -> int:
    """One tar with a folder for each label; returns the bytes of its messages."""
    total = 0
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for number, (label, message) in enumerate(messages(count)):
            member = tarfile.TarInfo(f"{label}/{number:07d}.eml")
            member.size = len(message)
            archive.addfile(member, io.BytesIO(message))
            total += len(message)
    return total


def measured(program: str) -> dict[str, float]:
    """Peak memory, CPU and wall seconds of a program in a process of its own."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program + MEASURE], check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**figures, "wall": time.perf_counter() - began}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--only", choices=("snapshot", "train"), help="measure one of the two alone")
    parser.add_argument("--keep", type=Path, help="folder to work in and to leave behind; otherwise a temporary one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lithify-memory-") as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        source, home = folder / f"{asked.messages}.tar", folder / "home"
        if not source.exists():
            size = write(source, asked.messages)
            print(f"{asked.messages:,} messages, {size / 1e6:,.0f} MB", flush=True)
        peaks = {}
        for verb, program in (("snapshot", SNAPSHOT), ("train", TRAIN)):
            if asked.only in (None, verb):
                found = measured(program.format(source=str(source), home=str(home)))
                peaks[verb] = found["peak"]
                print(
                    f"{verb:10} peak {found['peak'] / 2**20:7,.0f} MiB   wall {found['wall']:6.1f} s   "
                    f"CPU {found['cpu']:6.1f} s",
                    flush=True,
                )
    return int(peaks.get("snapshot", 0) > LIMIT)


if __name__ == "__main__":
    np.seterr(all="raise")
    sys.exit(main())
