"""Kernels that read a raw message: the headers that matter, and the decoded text of its parts.

A tolerant single pass over the bytes, bounded in parts, boundaries and output; it never fails. Readers that must
follow the letter of MIME use :mod:`lithify.media.mime`; features only need the same bytes to give the same features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

b = peer("lithify.features.bytestrings")

NAMES = (
    "content-type", "content-transfer-encoding", "from", "to", "reply-to", "subject", "message-id", "date",
    "x-priority", "importance", "mime-version", "in-reply-to", "references", "cc", "x-mailer", "user-agent",
    "organization", "content-disposition", "x-msmail-priority", "x-mimeole", "sender", "received",
)  # fmt: skip
"""Header fields that are looked at, by number. Of the first ten the value counts, of the others their presence."""

CONTENT_TYPE, ENCODING, FROM, TO, REPLY_TO, SUBJECT, MESSAGE_ID, DATE, PRIORITY, IMPORTANCE = range(10)
RECEIVED = len(NAMES) - 1
FIELDS = len(NAMES)

MAX_PARTS = 32
MAX_BOUNDARIES = 8
MAX_RECEIVED = 600
"""Bytes of one ``Received`` field that are read."""

_HASHES = np.array([b.hash_of(name) for name in NAMES], dtype=np.uint64)
_MULTIPART, _TEXT, _HTML, _RFC822 = (b.pattern(s) for s in ("multipart/", "text/", "text/html", "message/rfc822"))
_BOUNDARY, _BASE64, _QUOTED, _SLASH = (b.pattern(s) for s in ("boundary=", "base64", "quoted-printable", "/"))
_UNKNOWN, _FORGED, _ESMTP, _SMTP, _HTTP, _LOCAL = (
    b.pattern(s) for s in ("unknown", "forged", "with esmtp", "with smtp", "with http", "with local")
)

PLAIN, HTML, MULTIPART, MESSAGE, OTHER = range(5)


@kernel
def read_header(data: Any, at: int, end: int, start: Any, stop: Any, route: Any) -> Any:
    """Reads a header block.

    Writes the stretch of the first value of each of :data:`NAMES` into ``start`` and ``stop`` (-1 where absent) and
    into ``route``, unless it is empty, what the ``Received`` fields say: how many there are; whether one says unknown
    or forged; how many come from a bare address; which protocols occur.
    Returns where the body starts.
    """
    start[:] = -1
    while at < end:
        after = b.end_of_line(data, at, end)
        if data[at] == 10:
            return after
        colon = at
        while colon < after and colon - at < 40 and data[colon] != 58:
            colon += 1
        line = at
        while after < end and (data[after] == 32 or data[after] == 9):
            after = b.end_of_line(data, after, end)
        at = after
        if colon >= after or data[colon] != 58:
            continue
        name = b.fold_hash(data, line, colon)
        for field in range(FIELDS):
            if _HASHES[field] != name:
                continue
            if field == RECEIVED:
                if len(route) > 0:
                    start[field] = colon
                    stop[field] = colon
                    route[0] += 1
                    _read_route(data, colon + 1, min(after, colon + MAX_RECEIVED), route)
            elif start[field] < 0:
                first, last = colon + 1, after
                while first < last and data[first] <= 32:
                    first += 1
                while last > first and data[last - 1] <= 32:
                    last -= 1
                start[field] = first
                stop[field] = last
            break
    return end


@kernel
def _read_route(data: Any, at: int, end: int, route: Any) -> None:
    for i in range(at, end):
        byte = b.LOWER[data[i]]
        if byte == 117:
            if b.begins(data, i, end, _UNKNOWN):
                route[1] = 1
        elif byte == 102:
            if b.begins(data, i, end, _FORGED):
                route[2] = 1
            elif i + 6 < end and data[i + 1] == 114 and data[i + 2] == 111 and data[i + 3] == 109 and data[i + 4] == 32:
                host = i + 6 if data[i + 5] == 91 else i + 5
                if 48 <= data[host] <= 57:
                    route[3] += 1
        elif byte == 119:
            if b.begins(data, i, end, _ESMTP):
                route[4] |= 1
            elif b.begins(data, i, end, _SMTP):
                route[4] |= 2
            elif b.begins(data, i, end, _HTTP):
                route[4] |= 4
            elif b.begins(data, i, end, _LOCAL):
                route[4] |= 8


@kernel
def _content(data: Any, start: Any, stop: Any, bounds: Any) -> Any:
    """What a part is and its encoding (0 none, 1 quoted-printable, 2 base64); a new boundary goes to ``bounds``."""
    kind, encoding = PLAIN, 0
    at, end = start[CONTENT_TYPE], stop[CONTENT_TYPE]
    if at >= 0:
        if b.begins(data, at, end, _MULTIPART):
            kind = MULTIPART
            _push_boundary(data, at, end, bounds)
        elif b.begins(data, at, end, _TEXT):
            kind = HTML if b.begins(data, at, end, _HTML) else PLAIN
        elif b.begins(data, at, end, _RFC822):
            kind = MESSAGE
        elif b.find(data, at, end, _SLASH) >= 0:
            kind = OTHER
    at, end = start[ENCODING], stop[ENCODING]
    if at >= 0:
        if b.begins(data, at, end, _BASE64):
            encoding = 2
        elif b.begins(data, at, end, _QUOTED):
            encoding = 1
    return kind, encoding


@kernel
def parameter(data: Any, at: int, end: int, name: Any) -> Any:
    """The stretch of a parameter's value without its quotes, and whether it had them; start -1 where it is absent."""
    found = b.find(data, at, end, name)
    if found < 0:
        return -1, -1, 0
    first = found + len(name)
    quoted = 0
    if first < end and data[first] == 34:
        first, quoted = first + 1, 1
    last = first
    while last < end and data[last] != 34 and (quoted == 1 or (data[last] > 32 and data[last] != 59)):
        last += 1
    return first, last, quoted


@kernel
def _push_boundary(data: Any, at: int, end: int, bounds: Any) -> None:
    first, last, _ = parameter(data, at, end, _BOUNDARY)
    count = bounds[0]
    if first >= 0 and last > first and count < MAX_BOUNDARIES:
        bounds[1 + 2 * count] = first
        bounds[2 + 2 * count] = last - first
        bounds[0] = count + 1


@kernel
def _boundary(data: Any, at: int, end: int, bounds: Any) -> int:
    """What stands at the start of a line: 0 no boundary, 1 one that opens a part, 2 one that closes."""
    if at + 2 > end or data[at] != 45 or data[at + 1] != 45:
        return 0
    for i in range(bounds[0] - 1, -1, -1):
        first, length = bounds[1 + 2 * i], bounds[2 + 2 * i]
        after = at + 2 + length
        if after <= end:
            k = 0
            while k < length and data[at + 2 + k] == data[first + k]:
                k += 1
            if k == length:
                return 2 if after + 2 <= end and data[after] == 45 and data[after + 1] == 45 else 1
    return 0


@kernel
def _next_boundary(data: Any, at: int, end: int, bounds: Any) -> Any:
    """The next line that is a boundary and what it does; ``end`` and 0 where there is none."""
    while at < end:
        if data[at] == 45:
            does = _boundary(data, at, end, bounds)
            if does > 0:
                return at, does
        at = b.end_of_line(data, at, end)
    return end, 0


@kernel
def read_body(data: Any, at: int, end: int, start: Any, stop: Any, bounds: Any, out: Any, n: int, limit: int) -> int:
    """Decodes the text parts, HTML as it stands, into ``out`` from ``n`` until ``limit``; a space follows each part.

    Returns where the text ends. ``bounds`` must begin with a 0; ``start`` and ``stop`` hold the message's own
    header before and that of the last part afterwards.
    """
    kind, encoding = _content(data, start, stop, bounds)
    for _ in range(MAX_PARTS):
        if kind != MESSAGE:
            last, does = end, 0
            if bounds[0] > 0:
                last, does = _next_boundary(data, at, end, bounds)
            if kind <= HTML or (bounds[0] == 0 and kind != OTHER):
                n = _decode(data, at, last, encoding, out, n, limit)
            while does == 2:
                last, does = _next_boundary(data, b.end_of_line(data, last, end), end, bounds)
            if n >= limit or last >= end:
                break
            at = b.end_of_line(data, last, end)
        at = read_header(data, at, end, start, stop, bounds[:0])
        kind, encoding = _content(data, start, stop, bounds)
    return n


@kernel
def _decode(data: Any, at: int, end: int, encoding: int, out: Any, n: int, limit: int) -> int:
    if encoding == 2:
        n += b.decode_base64(data, at, end, out[n:], limit - n)
    elif encoding == 1:
        n += b.decode_quoted(data, at, end, out[n:], limit - n)
    else:
        length = min(end - at, limit - n)
        out[n : n + length] = data[at : at + length]
        n += length
    if n < limit:
        out[n] = 32
        n += 1
    return n
