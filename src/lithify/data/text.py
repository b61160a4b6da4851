"""Plain text as rows: decoding that never fails, one row per text."""

from __future__ import annotations

import codecs
from typing import Final

from lithify.data.schema import Problem, Row
from lithify.media import mime

RAW_LIMIT: Final = 2 * mime.READ_LIMIT + 4096
"""Bytes of a text file that are fetched; its UTF-8 is cut at ``mime.READ_LIMIT``."""

FALLBACK: Final = "lithify-windows-1252"
"""Name of the error handler that reads bytes which are not UTF-8 as Windows-1252."""

_BOMS: Final[tuple[tuple[bytes, str], ...]] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _windows(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if error.encoding.replace("-", "").lower() != "utf8":
        return "\ufffd", error.end
    wrong = error.object[error.start : error.end]
    return "".join(_WINDOWS[byte] for byte in wrong), error.end


_WINDOWS: Final = [bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(256)]
codecs.register_error(FALLBACK, _windows)


def encoding_of(head: bytes) -> str:
    r"""``utf-8-sig``, ``utf-16`` or ``utf-32`` when there is a byte order mark, else ``utf-8``.

    >>> encoding_of(b"\xff\xfea\x00"), encoding_of(b"plain")
    ('utf-16', 'utf-8')
    """
    return next((name for mark, name in _BOMS if head.startswith(mark)), "utf-8")


def decode(raw: bytes) -> str:
    r"""Text from bytes; what is not UTF-8 is read as Windows-1252. Never raises.

    >>> decode("caf\u00e9".encode("cp1252")) == decode("caf\u00e9".encode()) == "caf\u00e9"
    True
    """
    return raw.decode(encoding_of(raw), FALLBACK)


def canonical(text: str) -> tuple[bytes, bool]:
    r"""The bytes that identify a text, and whether something was cut off; as :func:`lithify.media.mime.canonical`.

    >>> canonical("one\r\ntwo")
    (b'one\ntwo', False)
    """
    content = text.replace("\r\n", "\n").encode("utf-8", "replace")
    if len(content) <= mime.READ_LIMIT:
        return content, False
    return content[: mime.READ_LIMIT].decode("utf-8", "ignore").encode(), True


def text_row(
    text: str,
    label: str | None,
    origin: str,
    *,
    time: int | None = None,
    group: str | None = None,
    side: str | None = None,
    truncated: bool = False,
) -> Row | Problem:
    r"""One text as a row: UTF-8, CRLF made LF, otherwise exactly as it was; cut at ``mime.READ_LIMIT`` bytes.

    >>> text_row("one\r\ntwo", "a", "here").content
    b'one\ntwo'
    """
    content, cut = canonical(text)
    if not content.strip():
        return Problem(origin, "empty")
    return Row(content, label, time, group, side, origin=origin, truncated=truncated or cut)
