"""One decision about one message, and the two header fields that tell of it.

Everything that marks mail goes through :func:`decide` and :func:`mark`. A message is never parsed and written again:
fields are cut out and put in as bytes, and all others stay as they were, however broken they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lithify.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lithify.model.model import Model

FLAG, STATUS = "X-Spam-Flag", "X-Lithify-Status"
EMPTY = "The message is empty."
"""Why there is no decision on a message without anything in it."""
VERDICTS = ("ham", "unsure", "spam")

# No group is repeated possessively: before Python 3.11.5 that may take in what it should have given back (gh-106052).
_NAMES = rb"(?i:x-spam-flag|x-lithify-status)"
_EOL = rb"(?:\r\n|\n|\r)"
_FIELD = _NAMES + rb"(?:[ \t]|\r?\n[ \t])*:[^\r\n]*+(?:" + _EOL + rb"[ \t][^\r\n]*+)*"
_FIRST = re.compile(rb"[ \t]*+" + _FIELD)
_LATER = re.compile(rb"[\r\n]" + _FIELD)
"""Starts with the line end before it, which lets the regex engine jump between lines."""
_LINE_END = re.compile(_EOL + rb"?")
_EMPTY = re.compile(rb"\n\r?\n")
_EMPTY_ANYWAY = re.compile(rb"\n[\r\n]|\r(?:\n[\r\n]|\r)")
_CONTINUED = re.compile(rb"(?:[ \t][^\n]*+\n)*")


class Decision(NamedTuple):
    """What a model says of one message.

    Attributes
    ----------
    verdict : str
        ``ham``, ``unsure`` or ``spam``.
    score : float
        By how much the raw score of spam is ahead; the sum that ``lithify explain`` shows.
    probability : float
        Calibrated, of spam.
    digest : str
        Of the model.
    """

    verdict: str
    score: float
    probability: float
    digest: str


def decide(model: Model, raw: bytes) -> Decision:
    """Judges one message, as ``lithify predict`` judges the same bytes.

    Parameters
    ----------
    model : Model
        One that tells spam from ham.
    raw : bytes
        The message as it came, an mbox ``From `` line before it or not.

    Raises
    ------
    UsageError
        The model is not one for mail, or its labels are not spam and ham.
    DataError
        There is nothing in the message.
    """
    from lithify.media import mime

    if model.kind != "mail" or not model.spam:
        found = f"a model for {model.kind} with the labels {', '.join(model.labels) or 'none'}"
        raise UsageError("This model does not filter mail.", expected="one for mail that is spam or ham", found=found)
    content, _ = mime.canonical(raw)
    if not content.strip():
        raise DataError(EMPTY)
    scores = model.raw([content])
    (probabilities,) = model.draft.probabilities(scores).tolist()
    at = model.labels.index(model.spam)
    verdict = model.draft.verdict(probabilities) or ("spam" if probabilities[at] >= 0.5 else "ham")
    return Decision(verdict, float(scores[0, at] - scores[0, 1 - at]), probabilities[at], model.digest)


def header(decision: Decision, end: bytes = b"\n") -> bytes:
    r"""The two fields, folded (RFC 5322, 2.2.3) so that no line is longer than 78 bytes.

    >>> header(Decision("spam", 3.21, 0.99841, "sha256:0"))
    b'X-Spam-Flag: YES\nX-Lithify-Status: spam score=3.21 probability=0.9984\n\tmodel=sha256:0\n'
    """
    flag = f"{FLAG}: {'YES' if decision.verdict == 'spam' else 'NO'}"
    status = f"{STATUS}: {decision.verdict} score={decision.score:z.4g} probability={decision.probability:.4f}"
    return b"".join(line.encode("ascii") + end for line in (flag, status, f"\tmodel={decision.digest}"))


def mark(raw: bytes, decision: Decision) -> bytes:
    r"""The message with the fields of a decision, and without any others of their names.

    They stand first, but behind an mbox ``From `` line and behind lines that continue a field that is not there. Their
    lines end as those of the message do. Where nothing but such a line without an end is there, an empty line goes
    between; nothing else is ever added.

    >>> marked = mark(b"x-SPAM-flag : NO\r\nSubject: hi\r\n\r\nhi", Decision("spam", 3.21, 0.99841, "sha256:0"))
    >>> marked.split(b"\r\n")[:2], marked.split(b"\r\n")[-3:]
    ([b'X-Spam-Flag: YES', b'X-Lithify-Status: spam score=3.21 probability=0.9984'], [b'Subject: hi', b'', b'hi'])
    """
    return b"".join(marked(raw, decision))


def marked(raw: bytes, decision: Decision) -> tuple[memoryview, bytes, memoryview]:
    """The parts that :func:`mark` puts together, without copying a message from which nothing is cut."""
    left = strip(raw)
    place = _place(left)
    end = _line_end(left, place)
    gap = end if left[place : place + 1] in (b" ", b"\t") else b""
    view = memoryview(left)
    return view[:place], header(decision, end) + gap, view[place:]


def strip(raw: bytes) -> bytes:
    r"""The message without header fields that bear the names of ours: in any case, folded, blanks before the colon.

    A header ends at the first empty line, whatever stands before it, for there are readers that read on behind a line
    that is no field. As there are also some for which a lone CR ends a line, what is a field only to them goes too.

    >>> strip(b"Subject: hi\nbroken\nX-Lithify-Status : ham\n\tscore=-9\nTo: you\n\nX-Spam-Flag: in the body\n")
    b'Subject: hi\nbroken\nTo: you\n\nX-Spam-Flag: in the body\n'
    """
    kept, at = [], 0
    for start, end in _spans(raw):
        kept.append(raw[at:start])
        at = end
    return b"".join([*kept, memoryview(raw)[at:]]) if at else raw


def _spans(raw: bytes) -> Iterator[tuple[int, int]]:
    """Where the fields stand, each with its line end; one behind a lone CR with that in place of its own.

    For where an empty line follows, a CR that is left before it would make one line end of two.
    """
    start = _behind_envelope(raw)
    end, end_anyway = _ends(raw, start)
    done = start
    if found := _FIRST.match(raw, start, end):
        done = _behind_line_end(raw, found.end(), end)
        yield start, done
    for found in _LATER.finditer(raw, start, end):
        at = found.start()
        if raw[at] == 10 or at < done:  # at a line's start, or there once what was found before is gone
            done = _behind_line_end(raw, found.end(), end)
            yield at + 1, done
        elif at < end_anyway:
            done = found.end()
            yield at, done


def _behind_line_end(raw: bytes, at: int, end: int) -> int:
    found = _LINE_END.match(raw, at, end)
    return found.end() if found else at


def _ends(raw: bytes, start: int) -> tuple[int, int]:
    """Where the header ends: for readers whose lines end with LF, and for those to whom a lone CR ends one too."""
    first = raw[start : start + 2]
    if first[:1] == b"\n" or first == b"\r\n":
        return start, start
    found = _EMPTY.search(raw, start)
    anyway = _EMPTY_ANYWAY.search(raw, start)
    end = found.start() + 1 if found else len(raw)
    return end, start if first[:1] == b"\r" else anyway.start() + 1 if anyway else len(raw)


def _behind_envelope(raw: bytes) -> int:
    """Where the message starts: behind an mbox ``From `` line that has an end."""
    if not raw.startswith(b"From "):
        return 0
    return raw.find(b"\n") + 1


def _place(raw: bytes) -> int:
    """Where fields go: in front of the first line that does not continue another one."""
    start = _behind_envelope(raw)
    found = _CONTINUED.match(raw, start)
    return found.end() if found else start


def _line_end(raw: bytes, place: int) -> bytes:
    """How the first line behind ``place`` ends, or the one before it."""
    at = raw.find(b"\n", place)
    if at < 0:
        at = raw.rfind(b"\n", 0, place)
    return b"\r\n" if at > 0 and raw[at - 1] == 13 else b"\n"
