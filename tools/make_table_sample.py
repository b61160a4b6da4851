"""Makes the table sample that ships with Lithify from the whole adult census table, row for row.

    python tools/make_table_sample.py adult.csv.gz src/lithify/samples/adult.csv.gz

Of the rows of each label the same share is kept: those whose line has the smallest SHA-256, so that the choice depends
on the rows alone and a row that stands twice is kept or dropped with its copy. What is kept stays in the order in which
it was. Made from the sample itself, it gives the sample. This file uses the standard library only and nothing of
Lithify, so that the sample does not change when Lithify does.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import sys
from collections import Counter
from pathlib import Path

KEEP = {"<=50K": 9129, ">50K": 2871}
"""Rows of each label: 12,000 in the shares of the whole table. Copies of the last row kept may add some."""
LABEL = "target"


def read(source: Path) -> list[str]:
    """The lines of the table, its header first."""
    raw = source.read_bytes()
    text = (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).decode("utf-8")
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def labels(lines: list[str]) -> list[str]:
    """The label of each line below the header."""
    at = next(csv.reader(lines[:1])).index(LABEL)
    return [cells[at] for cells in csv.reader(lines[1:])]


def choose(lines: list[str]) -> list[str]:
    """The header and the lines that are kept."""
    found = labels(lines)
    digests = [hashlib.sha256(line.encode()).digest() for line in lines[1:]]
    last = {}
    for label, count in KEEP.items():
        own = sorted(digest for digest, of in zip(digests, found, strict=True) if of == label)
        last[label] = own[min(count, len(own)) - 1]
    kept = [digest <= last[label] for digest, label in zip(digests, found, strict=True)]
    return [lines[0], *(line for line, keep in zip(lines[1:], kept, strict=True) if keep)]


def pack(text: bytes) -> bytes:
    """Gzip without a time or a name of this machine."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(text)
    return buffer.getvalue()


def main() -> int:
    """Reads the table, writes the sample and says what is in it."""
    parser = argparse.ArgumentParser(description="Make the table sample from the whole adult census table.")
    parser.add_argument("source", type=Path, help="CSV of the table with a header, plain or in gzip")
    parser.add_argument("target", type=Path, help="the csv.gz to write")
    arguments = parser.parse_args()
    every = read(arguments.source)
    chosen = choose(every)
    text = ("\n".join(chosen) + "\n").encode()
    packed = pack(text)
    arguments.target.write_bytes(packed)
    before, after = Counter(labels(every)), Counter(labels(chosen))
    for label in sorted(before):
        sys.stdout.write(f"{label}: {after[label]:,} of {before[label]:,} rows\n")
    sys.stdout.write(f"csv     sha256 {hashlib.sha256(text).hexdigest()}  {len(text):,} bytes\n")
    sys.stdout.write(f"csv.gz  sha256 {hashlib.sha256(packed).hexdigest()}  {len(packed):,} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
