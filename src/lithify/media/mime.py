"""Reading mail from raw bytes: its parts, its text. Nothing here raises, whatever the bytes.

The reading is that of the standard library's ``email`` package (policy ``compat32``), which copes with everything that
is met in practice, made for speed. It deviates where a bound is needed: ``MAX_DEPTH`` and ``MAX_PARTS``, the lengths in
``parameters``, the closed list of charsets in ``words``. And in one thing more: blanks around the name of a transfer
encoding do not keep it from being undone, as they do not in a mail program.
"""

from __future__ import annotations

from typing import NamedTuple

from lithify.media import transfer
from lithify.media.dates import parse_date, received_time
from lithify.media.headers import READ_LIMIT, canonical, fields, first, split
from lithify.media.html import to_text as html_to_text
from lithify.media.parameters import MAX_VALUE, token
from lithify.media.structure import MAX_DEPTH, MAX_PARTS, Head, leaves
from lithify.media.words import decode_words, to_text

__all__ = [
    "MAX_DEPTH", "MAX_PARTS", "READ_LIMIT", "Part", "canonical", "decode_words", "fields", "first", "parse_date",
    "parts", "read", "received_time", "split", "text", "to_text",
]  # fmt: skip


class Part(NamedTuple):
    """A leaf of a message.

    Attributes
    ----------
    content_type : str
        ``"text/plain"``, in lower case; a multipart without parts is a leaf too.
    charset : str
        As declared, in lower case; empty when it is not.
    payload : bytes
        The content with its transfer encoding undone.
    attachment : bool
        Whether it is declared an attachment.
    """

    content_type: str
    charset: str
    payload: bytes
    attachment: bool


def parts(content: bytes, limit: int = READ_LIMIT) -> list[Part]:
    r"""Every leaf part of a message, in order.

    Parameters
    ----------
    content : bytes
        A canonical message: LF line ends, no mbox ``From `` line.
    limit : int
        Bytes of it that are read.

    Returns
    -------
    list of Part
        At least one, at most ``MAX_PARTS``.

    Examples
    --------
    >>> parts(b"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\nPGI+aGk8L2I+\n")
    [Part(content_type='text/html', charset='utf-8', payload=b'<b>hi</b>', attachment=False)]
    """
    return read(content, limit)[1]


def read(content: bytes, limit: int = READ_LIMIT) -> tuple[bytes, list[Part]]:
    r"""Header block and parts of a message at once: :func:`split` and :func:`parts` for the price of one scan.

    Parameters
    ----------
    content : bytes
        A canonical message.
    limit : int
        Bytes of it that are read.

    Examples
    --------
    >>> header, (part,) = read(b"Subject: hi\n\nbody\n")
    >>> header, part.payload
    (b'Subject: hi\n', b'body\n')
    """
    header, spans = leaves(content[:limit])
    return header, [_part(leaf.head, leaf.end) for leaf in spans]


def text(content: bytes, limit: int = READ_LIMIT) -> str:
    r"""The subject and the text of all text parts, HTML made text: what a person reads, and near-duplicates share.

    Parameters
    ----------
    content : bytes
        A canonical message.
    limit : int
        Bytes of it that are read.

    Examples
    --------
    >>> text(b"Subject: =?utf-8?q?caf=C3=A9?=\nContent-Type: text/html\n\n<p>Come in &amp; sit\n")
    'café\nCome in & sit'
    """
    header, leaves = read(content, limit)
    subject = first(header, b"subject")
    pieces = [decode_words(subject)] if subject else []
    for part in leaves:
        if part.content_type == "text/html":
            pieces.append(html_to_text(to_text(part.payload, part.charset)))
        elif part.content_type.startswith(("text/", "multipart/", "message/")):
            pieces.append(to_text(part.payload, part.charset).strip())
    return "\n".join(piece for piece in pieces if piece)


def _part(head: Head, end: int) -> Part:
    (name, charset, _), encoding, disposition, buffer, _, body, _ = head
    payload = buffer[body:end]
    if encoding is not None:
        payload = transfer.decode(payload, encoding)
    attachment = disposition is not None and token(disposition[:MAX_VALUE].decode("latin-1")) == "attachment"
    return Part(name, charset, payload, attachment)
