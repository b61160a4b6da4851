"""Golden inputs: synthetic rows, made from the kind of rows and a fixed seed, whose raw scores are sealed.

They hold nothing of the data. A model whose scores of them are not the sealed ones runs on other numerics than it was
sealed with, and is refused.
"""

from __future__ import annotations

import numpy as np

from lithify import rng
from lithify.errors import Unsupported

REVISION = 1
COUNT = 16
_WORDS = (
    b"meeting report offer free money list patch kernel invoice click here unsubscribe regards dear friend "
    b"guarantee server update thanks linux credit order weekend lunch http://example.com/a 100% $5,000 re: fwd:"
).split()


def inputs(kind: str, revision: int = REVISION) -> list[bytes]:
    """The golden inputs for rows of that kind.

    >>> len(inputs("text")), inputs("mail") == inputs("mail")
    (16, True)
    """
    if revision != REVISION:
        raise Unsupported("The model's golden inputs are of another revision.", found=str(revision))
    return [_mail(i) if kind == "mail" else _text(i, 40 * i) for i in range(COUNT)]


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
