"""Content-Transfer-Encoding: the decoders of the standard library's mail reader, in C and tolerant as it is."""

from __future__ import annotations

import binascii


def decode(payload: bytes, encoding: bytes) -> bytes:
    r"""Undoes a transfer encoding; bytes that cannot be decoded come back as they are.

    Parameters
    ----------
    payload : bytes
        The body of a part.
    encoding : bytes
        The value of its Content-Transfer-Encoding; blanks around it and upper case do not matter.

    Examples
    --------
    >>> decode(b"aGVs\nbG8", b"Base64"), decode(b"a=3Db=\n", b"quoted-printable"), decode(b"as is", b"8bit")
    (b'hello', b'a=b', b'as is')
    """
    encoding = encoding.strip().lower()
    if encoding == b"base64":
        return _base64(payload)
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(payload)
    if encoding in (b"x-uuencode", b"uuencode", b"uue", b"x-uue"):
        return _uu(payload)
    return payload


def _base64(payload: bytes) -> bytes:
    # Lenient first: where it succeeds it gives what the strict reading gives, and it needs no copy without line ends.
    try:
        return binascii.a2b_base64(payload)
    except binascii.Error:
        pass
    encoded = payload.replace(b"\n", b"").replace(b"\r", b"")
    for padding, strict in ((b"=" * (-len(encoded) % 4), True), (b"==", False)):
        try:
            return binascii.a2b_base64(encoded + padding, strict_mode=strict)
        except binascii.Error:
            continue
    return encoded


def _uu(payload: bytes) -> bytes:
    lines = iter(payload.splitlines())
    if not any(_begins(line) for line in lines):
        return payload
    decoded = []
    for line in lines:
        if not line:
            return payload
        if line.strip(b" \t\r\n\f") == b"end":
            break
        try:
            decoded.append(_uu_line(line))
        except binascii.Error:
            return payload
    return b"".join(decoded)


def _begins(line: bytes) -> bool:
    if not line.startswith(b"begin "):
        return False
    try:
        int(line[6:].partition(b" ")[0], base=8)
    except ValueError:
        return False
    return True


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders pad lines with garbage: take as many bytes as the length says.
        return binascii.a2b_uu(line[: (((line[0] - 32) & 63) * 4 + 5) // 3])
