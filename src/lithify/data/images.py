"""Images as rows: the bytes as they were found, whatever format they are in."""

from __future__ import annotations

import re
from typing import Final

from lithify.data.files import Member
from lithify.data.schema import Problem, Row
from lithify.media.pixels import MAX_BYTES, format_of

HEAD: Final = 64
"""First bytes of a file that tell whether it is an image."""
SUFFIXES: Final = frozenset(
    [
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
        *(".pbm", ".pgm", ".ppm", ".pnm", ".pam"),
    ]
)
"""Endings of files that are images, or are in quarantine where they turn out to be none."""
_PNM: Final = re.compile(rb"P[56]\s+(#|\d+\s)|P7\n(#|WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE)")
"""Two letters would be little to tell an image from a text by."""


def is_named(name: str) -> bool:
    """Whether a file is an image by its name.

    >>> is_named("cat/1.JPG"), is_named("cat/1.txt"), is_named("cat/1")
    (True, False, False)
    """
    return name[name.rfind(".") :].lower() in SUFFIXES


def is_image(head: bytes) -> bool:
    r"""Whether bytes begin as an image does.

    >>> is_image(b"\xff\xd8\xff\xe0"), is_image(b"BM is short for a car"), is_image(b"")
    (True, False, False)
    """
    found = format_of(head)
    return found is not None and (found != "pnm" or _PNM.match(head) is not None)


def image_row(
    raw: bytes, label: str | None, origin: str, *, side: str | None = None, group: str | None = None
) -> Row | Problem:
    """One image as a row: its bytes unchanged. Whether it can be decoded is seen later, many at a time.

    >>> image_row(b"", "cat", "here")
    Problem(origin='here', reason='empty', detail='', key=None)
    """
    if not raw:
        return Problem(origin, "empty")
    if len(raw) > MAX_BYTES:
        return Problem(origin, "too large", f"more than {MAX_BYTES >> 20} MiB")
    return Row(raw, label, None, group, side, origin=origin)


def read_image(member: Member) -> bytes:
    """The bytes of a file, or as many as show that it is too large."""
    return member.read(MAX_BYTES + 1)
