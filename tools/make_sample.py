"""Makes the mail sample that ships with Lithify from the full SpamAssassin archive, bit for bit.

    python tools/make_sample.py spamassassin.tar.xz src/lithify/samples/mail.tar.xz

What is kept, in this order, whatever the size of a message:

1. messages dated before October 2002: after that the corpus has 42 spam to 825 ham, and a test part cut there by time
   would hold too little spam to measure anything;
2. of each label, a systematic sample along time: the rows are sorted by date and every n-th one is taken, at a rate
   that is constant over the whole period. So each label keeps its course over the months, and near-duplicates stay in
   as they fall. Spam is sampled more densely than ham (about 38 % against 24 %), so the odds of spam to ham are raised
   by the same factor in every month.

The date of a message is the one in its topmost `Received` field, else its `Date` field. This file uses the standard
library only and nothing of Lithify, so that the sample does not change when Lithify does.
"""

from __future__ import annotations

import argparse
import calendar
import email.utils
import hashlib
import io
import lzma
import re
import sys
import tarfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

TAKE = {"ham": 800, "spam": 700}
EARLIEST = calendar.timegm((1990, 1, 1, 0, 0, 0))
END = calendar.timegm((2002, 10, 1, 0, 0, 0))


class Message(NamedTuple):
    """One message of the archive; sorts by time, then by name."""

    time: int
    name: str
    label: str
    raw: bytes


def seconds(value: str) -> int | None:
    """Seconds since 1970 UTC of an RFC 2822 date, taken as UTC where it names no zone.

    None where there is no date or an absurd one.
    """
    parsed = email.utils.parsedate_tz(value)
    if parsed is None:
        return None
    try:
        found = calendar.timegm(parsed[:6]) - (parsed[9] or 0)
    except (ValueError, OverflowError):
        return None
    return found if found >= EARLIEST else None


def date(raw: bytes) -> int | None:
    """Seconds of the date in the topmost `Received` field, else in the `Date` field."""
    header = raw.replace(b"\r\n", b"\n").split(b"\n\n", 1)[0].decode("latin-1")
    lines = re.sub(r"\n[ \t]+", " ", header).split("\n")
    for name in ("received:", "date:"):
        value = next((line[len(name) :] for line in lines if line.lower().startswith(name)), "")
        found = seconds(value.rsplit(";", 1)[-1])
        if found is not None:
            return found
    return None


def read(archive: Path) -> list[Message]:
    """Every dated message below `ham/` or `spam/` of the archive."""
    messages = []
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = Path(member.name).parts
            file = tar.extractfile(member)
            if file is None or len(parts) < 2 or parts[-2] not in TAKE:
                continue
            raw = file.read()
            time = date(raw)
            if time is not None:
                messages.append(Message(time, parts[-1], parts[-2], raw))
    return messages


def choose(messages: list[Message], label: str, count: int) -> list[Message]:
    """`count` messages of a label, evenly spaced along time."""
    rows = sorted(m for m in messages if m.label == label and m.time < END)
    return [rows[(2 * i + 1) * len(rows) // (2 * count)] for i in range(count)]


def pack(messages: list[Message]) -> bytes:
    """A tar with sorted names and without times, owners or modes of this machine."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for message in sorted(messages, key=lambda m: (m.label, m.name)):
            info = tarfile.TarInfo(f"{message.label}/{message.name}")
            info.size = len(message.raw)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(message.raw))
    return buffer.getvalue()


def table(every: list[Message], chosen: list[Message]) -> str:
    """Rows of each month and label before and after, as a Markdown table."""
    before = Counter((m.time // 86400, m.label) for m in every)
    after = Counter((m.time // 86400, m.label) for m in chosen)
    counts: dict[str, list[int]] = {}
    for column, counter in ((0, before), (2, after)):
        for (day, label), n in counter.items():
            row = counts.setdefault(email.utils.formatdate(day * 86400)[8:16], [0, 0, 0, 0])
            row[column + (label == "spam")] += n
    lines = ["| month | ham, all | spam, all | ham, sample | spam, sample |", "|---|---:|---:|---:|---:|"]
    order = sorted(counts, key=lambda month: email.utils.parsedate_tz(f"1 {month} 00:00:00 +0000") or ())
    lines += ["| " + " | ".join([month, *map(str, counts[month])]) + " |" for month in order]
    return "\n".join(lines)


def main() -> int:
    """Reads the archive, writes the sample and says what is in it."""
    parser = argparse.ArgumentParser(description="Make the mail sample from the full SpamAssassin archive.")
    parser.add_argument("archive", type=Path, help="tar of the corpus with the sub-folders ham/ and spam/")
    parser.add_argument("target", type=Path, help="the tar.xz to write")
    arguments = parser.parse_args()
    every = read(arguments.archive)
    chosen = [message for label, count in TAKE.items() for message in choose(every, label, count)]
    tar = pack(chosen)
    packed = lzma.compress(tar, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, preset=9 | lzma.PRESET_EXTREME)
    arguments.target.write_bytes(packed)
    lines = [
        table(every, chosen),
        f"tar     sha256 {hashlib.sha256(tar).hexdigest()}  {len(tar):,} bytes",
        f"tar.xz  sha256 {hashlib.sha256(packed).hexdigest()}  {len(packed):,} bytes",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
