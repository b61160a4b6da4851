"""Mail as rows: recognising a message, cutting a mailbox into messages, one row per message."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import IO, Final

from lithify.data.schema import Problem, Row
from lithify.media import mime

RAW_LIMIT: Final = 2 * mime.READ_LIMIT + 4096
"""Bytes of a message that are fetched: enough for the read limit even if every line end is two bytes long."""

_FIELD: Final = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")
_USUAL: Final = frozenset(
    b"from to cc subject date received return-path message-id delivered-to mime-version content-type reply-to "
    b"x-mailer sender x-original-to envelope-to status dkim-signature authentication-results arc-seal".split()
)
_DATED: Final = re.compile(rb"From .*\b\d{1,2}:\d\d(:\d\d)?\b.*\b(19|20)\d\d\b")
_NEXT: Final = re.compile(rb"\nFrom ")
_LINE: Final = 1 << 16
_FROM_LINE: Final = 1000
"""Bytes of a ``From `` line that are looked at for its date."""


def looks_like_mail(head: bytes) -> bool:
    r"""Whether the first bytes of a file are those of a message: header lines, and usual ones among them.

    Parameters
    ----------
    head : bytes
        The first kilobytes are enough.

    Examples
    --------
    >>> looks_like_mail(b"From: a@example.org\nSubject: hello\n\nHow are you?")
    True
    >>> looks_like_mail(b"Subject: hello\nHow are you?")
    False
    >>> looks_like_mail(b"Dear reader: this is a letter.")
    False
    """
    lines = head.lstrip(b"\r\n").splitlines()[:40]
    if lines and lines[0].startswith((b"From ", b">From ")):
        del lines[0]
    names: list[bytes] = []
    strange = 0
    for number, line in enumerate(lines):
        if not line.strip():
            return bool(names) and not _USUAL.isdisjoint(names) and strange <= len(names) // 4
        if field := _FIELD.match(line):
            names.append(field[1].lower())
        elif number == 0:
            return False
        elif line[:1] not in b" \t":
            strange += 1
    return len(_USUAL.intersection(names)) >= 2 and strange <= len(names) // 4


def looks_like_mbox(head: bytes) -> bool:
    r"""Whether the first bytes are those of an mbox: a ``From `` line, then a message.

    >>> looks_like_mbox(b"From a@example.org Mon Nov  3 10:00:00 2003\nSubject: hello\nTo: b\n\n")
    True
    """
    return head.startswith(b"From ") and looks_like_mail(head)


def holds_several(raw: bytes) -> bool:
    r"""Whether bytes that may be one message are a mailbox: two dated ``From `` lines, one of them the first.

    >>> holds_several(b"From a Mon Nov  3 10:00:00 2003\nTo: b\n\nx\n\nFrom c Mon Nov  3 11:00:00 2003\nTo: b\n\ny\n")
    True
    """
    return _is_dated(raw) and any(_is_dated(raw, at.start() + 1) for at in _NEXT.finditer(raw))


def split_mbox(stream: IO[bytes], limit: int = RAW_LIMIT, begun: bytes = b"") -> Iterator[bytes]:
    r"""The messages of an mbox, each without its ``From `` line and cut at ``limit`` bytes; in constant memory.

    A new message starts at a dated ``From `` line; in a mailbox whose first such line has no date, at any ``From ``
    line after an empty one. Escaped lines (``>From ``) of messages are unescaped. ``begun`` is what was read of the
    stream already.

    Examples
    --------
    >>> import io
    >>> list(split_mbox(io.BytesIO(b"From a\nSubject: 1\n\nx\n\nFrom b\nSubject: 2\n\n>From y\n")))
    [b'Subject: 1\n\nx\n', b'Subject: 2\n\nFrom y\n']
    """
    chunks: list[bytes] | None = None
    size, dated, before = 0, True, b"\n"
    for line in _lines(begun, stream):
        if chunks is None:
            dated = _is_dated(line) or not line.startswith(b"From ")
            if line.strip(b"\r\n"):
                chunks = [] if line.startswith(b"From ") else [line]
                size = sum(map(len, chunks))
        elif _starts(line, before, dated):
            yield _whole(chunks)
            chunks, size = [], 0
        elif size < limit:
            chunks.append(_unescaped(line[: limit - size]))
            size += len(chunks[-1])
        before = line
    if chunks is not None:
        yield _whole(chunks)


def _lines(begun: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of at most 64 KiB."""
    if begun and not begun.endswith(b"\n"):
        begun += stream.readline(_LINE)
    for first in (io.BytesIO(begun), stream):
        while line := first.readline(_LINE):
            yield line


def _starts(line: bytes, before: bytes, dated: bool) -> bool:
    if not line.startswith(b"From ") or before[-1:] != b"\n":
        return False
    return _is_dated(line) if dated else not before.strip(b"\r\n")


def _is_dated(raw: bytes, at: int = 0) -> bool:
    """Whether a dated ``From `` line stands there."""
    return _DATED.match(raw, at, at + _FROM_LINE) is not None


def _unescaped(line: bytes) -> bytes:
    return line[1:] if line[:1] == b">" and line.lstrip(b">").startswith(b"From ") else line


def _whole(chunks: list[bytes]) -> bytes:
    """The message without the empty line that parts it from the next one."""
    if len(chunks) > 1 and chunks[-1] in (b"\n", b"\r\n"):
        del chunks[-1]
    return b"".join(chunks)


def mail_row(
    raw: bytes,
    label: str | None,
    origin: str,
    *,
    group: str | None = None,
    side: str | None = None,
    time: int | None = None,
) -> Row | Problem:
    r"""One message as a row.

    Parameters
    ----------
    raw : bytes
        The message as it was found; bytes after :data:`RAW_LIMIT` are not needed.
    label : str or None
        Its label.
    origin : str
        Where it was found.
    group : str, optional
        Name of the header field whose value is the row's group.
    side : str, optional
        The side of the split it was found on.
    time : int, optional
        Seconds UTC, when known better than from the header.

    Examples
    --------
    >>> row = mail_row(b"Date: Mon, 3 Nov 2003 10:00:00 +0000\r\n\r\nhello", "ham", "a")
    >>> row.content, row.time
    (b'Date: Mon, 3 Nov 2003 10:00:00 +0000\n\nhello', 1067853600)
    >>> mail_row(b"", "ham", "a").reason
    'empty'
    """
    content, cut = mime.canonical(raw)
    if not content.strip():
        return Problem(origin, "empty")
    return Row(
        content,
        label,
        mime.received_time(content) if time is None else time,
        None if group is None else _field(content, group),
        side,
        origin=origin,
        truncated=cut or len(raw) > RAW_LIMIT,
    )


def _field(content: bytes, name: str) -> str | None:
    wanted = name.lower().encode("utf-8", "replace")
    header, _ = mime.split(content)
    return next(
        (mime.decode_words(value).strip() or None for field, value in mime.fields(header) if field == wanted), None
    )
