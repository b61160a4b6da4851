"""The structure of a message: which spans of its bytes are the leaves, and what their headers say.

Cut as the standard library cuts, quirks included, but from the outside in: the boundaries of a multipart are found by
``bytes.find`` within the span its parent left to it. At most ``MAX_DEPTH`` containers lie around a byte, so the time is
linear in the length of the message. Each header block is scanned once.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lithify.media.parameters import MESSAGE, NO_LINE, PLAIN, ContentType, content_type

MAX_DEPTH = 16
"""Containers within containers that are opened; a deeper one is given as a part, as it stands."""

MAX_PARTS = 200
"""Parts that are given; further ones are dropped."""

_SCAN = re.compile(
    rb"\n(?:(?i:content-(?:type|transfer-encoding|disposition)):[ \t]*+([^\n]*+(?:\n[ \t][^\n]*+)*)"
    rb"|(?![!-9;-~]*+:|[ \t]|From ))"
)
"""One pass over a header block: the three fields that decide how a part is read, and the end of the block."""

_LF, _R, _Y = b"\nry"

_BOUNDARY_REST = re.compile(rb"(--)?[ \t]*+(?:\n|\Z)")


def leaves(content: bytes) -> tuple[bytes, list[Leaf]]:
    r"""Header block and leaves of a canonical message; at least one leaf.

    >>> header, (leaf,) = leaves(b"Subject: hi\n\nbody")
    >>> header, leaf.head.buffer[leaf.head.body : leaf.end]
    (b'Subject: hi\n', b'body')
    """
    # A line feed in front makes the first line like any other.
    buffer = b"\n" + content
    head = _head(buffer, 1, len(buffer), PLAIN)
    header = buffer[1 : head.lines_end]
    if not head.type.name.startswith("m"):  # the short way for most mail
        return header, [Leaf(head, head.end)]
    reader = _Reader()
    reader.open(head, 0)
    return header, reader.leaves


class Head(NamedTuple):
    """What the header of a part says, and where its body lies."""

    type: ContentType
    encoding: bytes | None
    disposition: bytes | None
    buffer: bytes
    lines_end: int
    body: int
    end: int


def _head(buffer: bytes, start: int, end: int, default: ContentType) -> Head:
    kind = encoding = disposition = None
    lines_end = body = end
    for match in _SCAN.finditer(buffer, start - 1, end):
        value = match[1]
        if value is None:
            lines_end = body = match.end()
            if body < end and buffer[body] == _LF:
                body += 1
            break
        letter = buffer[match.start() + 10] | 32  # conTent-tYpe, -tRansfer-encoding, -dIsposition
        if letter == _Y:
            kind = value if kind is None else kind
        elif letter == _R:
            encoding = value if encoding is None else encoding
        else:
            disposition = value if disposition is None else disposition
    head = Head(default if kind is None else content_type(kind), encoding, disposition, buffer, lines_end, body, end)
    last_line = buffer.rfind(b"\n", start - 1, max(start, lines_end - 1)) + 1
    if last_line > start and buffer.startswith(b"From ", last_line, lines_end):
        return _give_back(head, last_line)
    return head


def _give_back(head: Head, line: int) -> Head:
    """A last header line that looks like an mbox ``From `` line is the first line of the body."""
    if head.lines_end == head.body:
        return head._replace(lines_end=line, body=line)
    buffer = b"\n" + head.buffer[line : head.lines_end] + head.buffer[head.body : head.end]
    return head._replace(buffer=buffer, body=1, end=len(buffer))


class Leaf:
    """A part before it is decoded."""

    __slots__ = ("end", "head")

    def __init__(self, head: Head, end: int) -> None:
        self.head = head
        self.end = end

    def drop_line_end(self) -> None:
        """The line end before a boundary belongs to the boundary; a multipart that stayed a leaf keeps it."""
        head = self.head
        if self.end > head.body and head.buffer[self.end - 1] == _LF and not head.type.name.startswith("multipart/"):
            self.end -= 1


class _Reader:
    """Walks a message and collects its leaves."""

    def __init__(self) -> None:
        self.leaves: list[Leaf] = []
        self.last: Leaf | None = None  # the newest leaf, unless a multipart was closed after it

    def read(self, buffer: bytes, start: int, end: int, depth: int, default: ContentType) -> None:
        self.open(_head(buffer, start, end, default), depth)

    def open(self, head: Head, depth: int) -> None:
        name, _, boundary = head.type
        if name.startswith("m") and depth < MAX_DEPTH:
            if name == "message/delivery-status":
                return self._read_status(head, depth + 1)
            if name.startswith("message/"):
                return self.read(head.buffer, head.body, head.end, depth + 1, PLAIN)
            if name.startswith("multipart/") and boundary is not None:
                return self._read_multipart(head, boundary, depth + 1)
        return self._add(head, head.end)

    def _add(self, head: Head, end: int) -> None:
        if not self._full():
            self.last = Leaf(head, end)
            self.leaves.append(self.last)

    def _full(self) -> bool:
        return len(self.leaves) >= MAX_PARTS

    def _read_multipart(self, head: Head, boundary: bytes, depth: int) -> None:
        buffer, end, separator = head.buffer, head.end, b"\n--" + boundary
        line = _next_boundary(buffer, separator, head.body, end) if boundary != NO_LINE else None
        if line is None or line.closes:
            return self._add(head, end if line is None else line.start)
        default = MESSAGE if head.type.name == "multipart/digest" else PLAIN
        while line is not None and not line.closes and not self._full():
            start = _skip_boundaries(buffer, separator, line.end, end)
            line = _next_boundary(buffer, separator, start, end)
            self.read(buffer, start, end if line is None else line.start, depth, default)
            if self.last is not None:
                self.last.drop_line_end()
            self.last = None
        return None

    def _read_status(self, head: Head, depth: int) -> None:
        """A delivery status: blocks of fields, each ended by an empty line and read as a message of its own."""
        buffer, start, end = head.buffer, head.body, head.end
        while not self._full():
            empty = start if buffer.startswith(b"\n", start, end) else buffer.find(b"\n\n", start, end) + 1
            stop = empty or end
            self.read(buffer, start, stop, depth, PLAIN)
            start = stop + 1
            if start >= end:
                break


class _Line(NamedTuple):
    """A boundary line: where it starts, where the next line does, and whether it closes the multipart."""

    start: int
    end: int
    closes: bool


def _next_boundary(buffer: bytes, separator: bytes, start: int, end: int) -> _Line | None:
    at = buffer.find(separator, start - 1, end)
    while at >= 0:
        rest = _BOUNDARY_REST.match(buffer, at + len(separator), end)
        if rest is not None:
            return _Line(at + 1, rest.end(), rest[1] is not None)
        at = buffer.find(separator, at + 1, end)
    return None


def _skip_boundaries(buffer: bytes, separator: bytes, start: int, end: int) -> int:
    """Past boundary lines that follow each other, closing ones too: no empty parts lie between them."""
    while buffer.startswith(separator, start - 1, end):
        rest = _BOUNDARY_REST.match(buffer, start - 1 + len(separator), end)
        if rest is None:
            break
        start = rest.end()
    return start
