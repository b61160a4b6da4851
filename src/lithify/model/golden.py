"""Golden inputs: synthetic rows, made from the kind of rows and a fixed seed, whose raw scores are sealed.

They hold nothing of the data. A model whose scores of them are not the sealed ones runs on other numerics than it was
sealed with, and is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lithify import rng
from lithify.data.cells import encode_row
from lithify.data.schema import Field
from lithify.errors import Unsupported
from lithify.features.base import Column
from lithify.model import pictures

REVISION = 1
COUNT = 16
_WORDS = (
    b"meeting report offer free money list patch kernel invoice click here unsubscribe regards dear friend "
    b"guarantee server update thanks linux credit order weekend lunch http://example.com/a 100% $5,000 re: fwd:"
).split()


def inputs(
    kind: str,
    fields: Sequence[Field] = (),
    columns: Sequence[Column] = (),
    revision: int = REVISION,
    *,
    side: int = 0,
    channels: int = 0,
) -> list[bytes]:
    """The golden inputs for rows of that kind.

    Those of a table are made from its input fields and from what the columns of its blocks mean: numbers of all sizes,
    categories that are known, unknown and missing. Those of images are of the size that the network reads, ``side`` x
    ``side`` pixels of 1 or 3 ``channels``, and of others, so that scaling is covered.

    >>> len(inputs("text")), inputs("mail") == inputs("mail")
    (16, True)
    """
    if revision != REVISION:
        raise Unsupported("The model's golden inputs are of another revision.", found=str(revision))
    if kind == "image":
        return [pictures.picture(i, side or 32, channels or 3) for i in range(COUNT)]
    if kind == "table":
        known = {column.name: column.values for column in columns if column.kind == "category"}
        return [encode_row(fields, _cells(fields, known, i))[0] for i in range(COUNT)]
    return [_mail(i) if kind == "mail" else _text(i, 40 * i) for i in range(COUNT)]


def allowed(tolerance: float, expected: NDArray[np.float64]) -> float:
    """How far golden scores may be off: the tolerance of a score of 1, or of the largest where that is more.

    >>> allowed(1e-3, np.array([[0.5], [-0.2]])), allowed(1e-3, np.array([[250_000.0], [90_000.0]]))
    (0.001, 250.0)
    """
    return tolerance * max(1.0, float(np.abs(expected).max(initial=0.0)))


def _cells(fields: Sequence[Field], known: Mapping[str, Sequence[str]], number: int) -> dict[str, object]:
    """A row of a table; number 0 is all missing."""
    cells: dict[str, object] = {}
    for at, field in enumerate(fields):
        stream = rng.key(0, "golden", "cell", number, at)
        choice, size, digits = (int(rng.below(stream, i, bound, 1)[0]) for i, bound in enumerate((8, 40, 10_000)))
        if number == 0 or choice == 0:
            continue
        if field.kind == "category":
            values = known.get(field.name, ())
            cells[field.name] = values[digits % len(values)] if values and choice < 7 else f"unknown {digits}"
        elif field.kind == "text":
            cells[field.name] = _text(number, 5 + size).decode(errors="replace")
        elif field.kind == "boolean":
            cells[field.name] = digits % 2 == 0
        elif field.kind == "time":
            cells[field.name] = float(digits * 200_000)
        else:
            cells[field.name] = (1.0 if choice < 6 else -1.0) * digits * 2.0 ** (size // 2 - 16)
    return cells


@functools.cache  # servers check models again and again
def _text(number: int, words: int) -> bytes:
    """Known words, invented ones and odd bytes; number 0 is empty."""
    stream = rng.key(0, "golden", "text", number)
    choice = rng.below(stream, 0, 2 * len(_WORDS), words)
    parts = []
    for i, at in enumerate(choice.tolist()):
        if at < len(_WORDS):
            parts.append(_WORDS[at])
        else:
            letters = rng.below(rng.key(0, "golden", "letters", number, i), 0, 26, 3 + at % 7) + 97
            parts.append(letters.astype(np.uint8).tobytes())
        if i % 11 == 10:
            parts.append("\né".encode() if i % 2 else b"\n")
    return b" ".join(parts)


@functools.cache
def _mail(number: int) -> bytes:
    """Plain, HTML, base64 and broken messages in turn."""
    import base64

    body = _text(number, 60 * number)
    head = [
        b"From: Golden %d <golden%d@example.com>" % (number, number),
        b"To: you@example.org",
        b"Subject: " + _text(number + 100, 6).replace(b"\n", b" "),
        b"Date: Thu, 1 Jan 2015 00:00:%02d +0000" % number,
        b"Message-ID: <%d@example.com>" % number,
    ]
    if number % 4 == 1:
        head.append(b"Content-Type: text/html; charset=utf-8")
        body = b"<html><body><p>" + body + b"</p><a href='http://example.com'>click</a></body></html>"
    elif number % 4 == 2:
        head += [b"MIME-Version: 1.0", b"Content-Type: text/plain", b"Content-Transfer-Encoding: base64"]
        body = base64.encodebytes(body)
    elif number % 4 == 3:
        head = [b"Subject: broken", b"Content-Type: multipart/mixed; boundary=x", b"no colon here"]
        body = b"--x\nContent-Type: text/plain\n\n" + body + b"\n--x\n\n\x00\xff"
    return b"\n".join(head) + b"\n\n" + body + b"\n"
