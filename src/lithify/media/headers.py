"""The outer shape of a message: its canonical bytes, its header block, its fields.

Where a header block ends is decided as the standard library decides it: at the first empty line, or at the first line
that can be neither a field, nor the continuation of one, nor a stray mbox ``From `` line; such a line belongs to the
body. Every function is linear in the length of its input and raises on nothing.
"""

from __future__ import annotations

import re

READ_LIMIT = 512 * 1024
"""Bytes of a message that are read; what is beyond is cut, and that is said."""

_HEADER_LINE = re.compile(rb"[!-9;-~]*+:|[ \t]|From ")
_END = re.compile(rb"\n(?![!-9;-~]*+:|[ \t]|From )")
"""The line end after which no header line follows. Starting with a literal lets the regex engine jump between lines."""

_FIELD = re.compile(rb"\n(?:([!-9;-~]++):[ \t]*+([^\n]*+(?:\n[ \t][^\n]*+)*)|(?=\n))")


def canonical(raw: bytes) -> tuple[bytes, bool]:
    r"""The bytes of a message that identify and describe it.

    Drops a leading mbox ``From `` line, turns CRLF and lone CR into LF, and cuts the result at ``READ_LIMIT``; so a
    message has the same content whichever line ends it was stored with.

    Parameters
    ----------
    raw : bytes
        A message as it lies in a file or a mailbox.

    Returns
    -------
    content : bytes
        At most ``READ_LIMIT`` bytes without any CR.
    cut : bool
        Whether something was cut off.

    Examples
    --------
    >>> canonical(b"From a@b.example Mon Jan  1 00:00:00 2024\r\nSubject: hi\r\n\r\nyes\r")
    (b'Subject: hi\n\nyes\n', False)
    """
    start = 0
    if raw.startswith(b"From "):
        end = raw.find(b"\n")
        alone = raw.find(b"\r", 0, end - 1 if end >= 0 else len(raw))  # not the CR of a CRLF
        start = alone + 1 or end + 1 or len(raw)
    if start or len(raw) > READ_LIMIT:
        # Twice the limit, so that a message of CRLF lines keeps as much as its LF twin.
        raw = raw[start : start + 2 * READ_LIMIT + 2]
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if len(raw) > READ_LIMIT:
        return raw[:READ_LIMIT], True
    return raw, False


def split(content: bytes) -> tuple[bytes, bytes]:
    r"""Header block and body of a canonical message.

    Parameters
    ----------
    content : bytes
        What :func:`canonical` returned.

    Returns
    -------
    header : bytes
        The header lines, each with its line end; empty when the first line is no header line.
    body : bytes
        What follows the empty line; empty when there is only a header.

    Examples
    --------
    >>> split(b"Subject: hi\nTo: you\n\nbody\n")
    (b'Subject: hi\nTo: you\n', b'body\n')
    >>> split(b"just a body\n")
    (b'', b'just a body\n')
    """
    # The pattern looks behind line ends; a line end in front of the first line would be a copy of everything.
    if not _HEADER_LINE.match(content):
        return b"", content[1:] if content.startswith(b"\n") else content
    match = _END.search(content)
    if match is None:
        return content, b""
    end = match.end()
    return content[:end], content[end + 1 if content.startswith(b"\n", end) else end :]


def fields(header: bytes) -> list[tuple[bytes, bytes]]:
    r"""The fields of a header block, in order.

    Parameters
    ----------
    header : bytes
        A header block; reading stops at an empty line.

    Returns
    -------
    list of (name, value)
        Lower-case name and unfolded raw value, stripped of outer blanks; repeated fields are kept, lines that are no
        field are skipped.

    Examples
    --------
    >>> fields(b"Received: a\n\tb\nbroken\nRECEIVED: c\n")
    [(b'received', b'a\tb'), (b'received', b'c')]
    """
    found = []
    for match in _FIELD.finditer(b"\n" + header):
        name, value = match.groups()
        if name is None:
            break
        found.append((name.lower(), value.replace(b"\n", b"").strip()))
    return found


def first(header: bytes, name: bytes) -> bytes | None:
    r"""The value of the first field called ``name`` (lower case), as :func:`fields` gives it; None when absent.

    >>> first(b"Subject: a\nSubject: b\n", b"subject")
    b'a'
    """
    pattern = _PATTERNS.get(name)
    if pattern is None:
        return next((value for key, value in fields(header) if key == name), None)
    match = pattern.search(b"\n" + header)
    return match[1].replace(b"\n", b"").strip() if match else None


def _pattern(name: bytes) -> re.Pattern[bytes]:
    letters = b"".join(b"[%c%c]" % (byte, byte ^ 32) if chr(byte).isalpha() else b"%c" % byte for byte in name)
    return re.compile(rb"\n" + letters + rb":[ \t]*+([^\n]*+(?:\n[ \t][^\n]*+)*)")


_PATTERNS = {name: _pattern(name) for name in (b"subject", b"date", b"received")}
"""The fields asked for on every message, found without reading the others."""
