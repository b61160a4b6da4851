"""Does Lithify read mail as the standard library does, and how fast?

    python benchmarks/mime_equality.py MAIL [--show 20] [--time]

MAIL is a folder of messages (one a file, searched to any depth), an mbox file, a single message, or a tar archive. For
each message, every leaf part's content type, charset, attachment flag and decoded payload are compared with what
``email.message_from_bytes`` (policy compat32) gives by ``walk()`` and ``get_payload(decode=True)``.

Lithify reads canonical content (LF line ends). Messages with CR are therefore compared twice: with the standard
library's reading of the canonical bytes, which must agree exactly, and with its reading of the raw bytes, in which only
line ends may differ.
"""

from __future__ import annotations

import argparse
import email
import mailbox
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path

from lithify.media import mime

Leaf = tuple[str, str, bytes, bool]


def messages(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and raw bytes of every message under ``path``."""
    if path.is_dir():
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            yield str(file.relative_to(path)), file.read_bytes()
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is not None:
                    yield member.name, stream.read()
    elif path.read_bytes()[:5] == b"From ":
        box = mailbox.mbox(path, create=False)
        for key in box.keys():  # noqa: SIM118
            yield f"{path.name}#{key}", box.get_bytes(key)
    else:
        yield path.name, path.read_bytes()


def standard(raw: bytes) -> list[Leaf]:
    """The leaves as the standard library reads them."""
    return [_leaf(part) for part in email.message_from_bytes(raw).walk() if not part.is_multipart()]


def _leaf(part: Message) -> Leaf:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    attachment = part.get_content_disposition() == "attachment"
    return part.get_content_type(), part.get_content_charset() or "", payload, attachment


def ours(raw: bytes) -> list[Leaf]:
    """The leaves as Lithify reads them."""
    return [tuple(part) for part in mime.parts(mime.canonical(raw)[0])]  # type: ignore[misc]


def verdict(raw: bytes) -> str:
    """``equal``, ``equal up to line ends``, or what differs first."""
    content, cut = mime.canonical(raw)
    if cut:
        return f"longer than {mime.READ_LIMIT} bytes: only the beginning is read"
    found = ours(raw)
    try:
        exact, loose = standard(raw), standard(content)
    except Exception as error:
        return f"the standard library raises {type(error).__name__}"
    if found == exact:
        return "equal"
    if found == loose:
        return "equal up to line ends"
    if len(found) != len(loose):
        return "another number of parts"
    names = ("content type", "charset", "payload", "attachment")
    return next(f"{name} differs" for one, two in zip(found, loose, strict=True)
                for name, a, b in zip(names, one, two, strict=True) if a != b)  # fmt: skip


def compare(path: Path, show: int) -> bool:
    """Prints the tally; returns whether every message agrees."""
    tally: Counter[str] = Counter()
    odd: list[str] = []
    for name, raw in messages(path):
        outcome = verdict(raw)
        tally[outcome] += 1
        if not outcome.startswith("equal"):
            odd.append(f"{outcome}: {name}")
    total = sum(tally.values())
    agree = tally["equal"] + tally["equal up to line ends"]
    print(f"{agree} of {total} messages agree ({tally['equal up to line ends']} of them up to CR LF against LF)")
    for outcome, count in tally.most_common():
        print(f"  {count:7d}  {outcome}")
    for line in odd[:show]:
        print(f"  {line}")
    return agree == total


def timings(path: Path) -> None:
    """Prints CPU microseconds per message: the best of five passes over everything."""
    raws = [raw for _, raw in messages(path)]
    contents = [mime.canonical(raw)[0] for raw in raws]
    plain = [raw for raw in raws if _is_plain(raw)]
    print(f"{len(raws)} messages, {sum(map(len, raws)) / max(1, len(raws)):.0f} bytes on average; CPU us per message:")
    _time("canonical + split + parts, all", _separately, raws)
    _time(f"canonical + split + parts, the {len(plain)} plain single-part ones", _separately, plain)
    _time("canonical + read, all", _together, raws)
    _time(f"canonical + read, the {len(plain)} plain single-part ones", _together, plain)
    for function in (mime.canonical, mime.split, mime.parts, mime.read, mime.received_time, mime.text):
        _time(function.__name__, function, raws if function is mime.canonical else contents)
    _time("email.message_from_bytes + walk, all", standard, raws[::10])


def _is_plain(raw: bytes) -> bool:
    message = email.message_from_bytes(raw)
    encoding = str(message.get("content-transfer-encoding", "")).lower()
    return not message.is_multipart() and encoding in ("", "7bit", "8bit")


def _separately(raw: bytes) -> object:
    content, _ = mime.canonical(raw)
    return mime.split(content), mime.parts(content)


def _together(raw: bytes) -> object:
    return mime.read(mime.canonical(raw)[0])


def _time(name: str, function: Callable[[bytes], object], inputs: list[bytes]) -> None:
    best = float("inf")
    for _ in range(5 if inputs else 0):
        start = time.process_time()
        for item in inputs:
            function(item)
        best = min(best, time.process_time() - start)
    print(f"  {best / max(1, len(inputs)) * 1e6:8.1f}  {name}")


def main() -> int:
    """Compares, and with ``--time`` measures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("mail", type=Path)
    parser.add_argument("--show", type=int, default=20, help="how many differing messages to name")
    parser.add_argument("--time", action="store_true")
    options = parser.parse_args()
    agree = compare(options.mail, options.show)
    if options.time:
        timings(options.mail)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
