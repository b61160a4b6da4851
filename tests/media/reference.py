"""The standard library's reading of a mail, as the tests compare with it."""

from __future__ import annotations

import email
from email.message import Message

from lithify.media.mime import Part


def standard(content: bytes) -> list[Part]:
    """The leaves of a message by ``walk()`` and ``get_payload(decode=True)``."""
    return [_part(leaf) for leaf in email.message_from_bytes(content).walk() if not leaf.is_multipart()]


def _part(leaf: Message) -> Part:
    payload = leaf.get_payload(decode=True)
    assert isinstance(payload, bytes)
    attachment = leaf.get_content_disposition() == "attachment"
    return Part(leaf.get_content_type(), leaf.get_content_charset() or "", payload, attachment)
