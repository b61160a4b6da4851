"""Bytes to characters: charsets, and the encoded words of header fields (RFC 2047). Nothing here raises.

Charsets come from the messages themselves, so they are looked up in a closed list: an unknown name never reaches the
codec machinery, which would search for a module of that name, and the codecs that are no charsets or that are slow
(`idna` and `punycode` take quadratic time) are not in it.
"""

from __future__ import annotations

import binascii
import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache

_NO_CHARSETS = {
    "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec",
    "idna", "mbcs", "punycode", "tactis",
}  # fmt: skip
_MORE = {
    "utf_8_sig": "utf_8_sig",
    "unicode_1_1_utf_7": "utf_7",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "x_gbk": "gbk",
    "x_sjis": "shift_jis",
    "x_euc_jp": "euc_jp",
    "koi8_ru": "koi8_u",
}
_CODECS = {
    **{name: name for name in aliases.values() if name not in _NO_CHARSETS},
    **{name: target for name, target in aliases.items() if target not in _NO_CHARSETS},
    **_MORE,
}

_WORD = re.compile(rb"=\?([^?\s]{1,80}+)\?([qQbB])\?([^?\n]*+)\?=")
_HEX = re.compile(rb"=([0-9a-fA-F]{2})")


@lru_cache(maxsize=256)
def codec(charset: str) -> str | None:
    """The Python codec for a charset name as found in mail; None when it is none we decode.

    >>> codec("Windows-1252"), codec("zlib"), codec("x-made-up")
    ('cp1252', None, None)
    """
    if not 0 < len(charset) <= 40 or not charset.isascii():
        return None
    return _CODECS.get(normalize_encoding(charset).lower())


def to_text(payload: bytes, charset: str) -> str:
    r"""Decodes a payload, whatever its charset claims.

    An absent, unknown or plainly wrong charset gives UTF-8, and Latin-1 where that does not fit either. A multi-byte
    charset with a few broken bytes stays what it says, with U+FFFD in their place.

    Parameters
    ----------
    payload : bytes
        Decoded bytes of a part.
    charset : str
        As declared; may be empty.

    Examples
    --------
    >>> to_text(b"caf\xc3\xa9", ""), to_text(b"caf\xe9", "us-ascii"), to_text(b"caf\xe9", "no-such")
    ('café', 'café', 'café')
    """
    name = codec(charset) if charset else None
    if name is None or name == "ascii":
        try:
            return payload.decode("utf-8")
        except UnicodeDecodeError:
            return payload.decode("latin-1")
    return payload.decode(name, "replace")


def decode_words(value: bytes) -> str:
    """The text of a header value, encoded words decoded.

    Blanks between two encoded words vanish, and neighbours of one charset are decoded together, since a character may
    be cut in two between them. Words that cannot be decoded stay as they are.

    Examples
    --------
    >>> decode_words(b"Re: =?utf-8?q?caf=C3?= =?utf-8?b?qQ==?= =?x?x?x?=")
    'Re: café =?x?x?x?='
    """
    if b"=?" not in value:
        return to_text(value, "")
    pieces: list[tuple[str | None, bytes]] = []
    end = 0
    for match in _WORD.finditer(value):
        word = _decode_word(match[2], match[3])
        if word is None:
            continue
        charset = match[1].partition(b"*")[0].decode("ascii", "replace").lower()
        between = value[end : match.start()]
        if between and not (pieces and between.isspace()):
            pieces.append((None, between))
        pieces.append((charset, word))
        end = match.end()
    if end < len(value):
        pieces.append((None, value[end:]))
    return "".join(to_text(run, charset or "") for charset, run in _runs(pieces))


def _runs(pieces: list[tuple[str | None, bytes]]) -> list[tuple[str | None, bytes]]:
    """Joins neighbours of one charset."""
    runs: list[tuple[str | None, list[bytes]]] = []
    for charset, piece in pieces:
        if runs and runs[-1][0] == charset:
            runs[-1][1].append(piece)
        else:
            runs.append((charset, [piece]))
    return [(charset, b"".join(run)) for charset, run in runs]


def _decode_word(encoding: bytes, encoded: bytes) -> bytes | None:
    if encoding in b"qQ":
        return _HEX.sub(lambda match: binascii.unhexlify(match[1]), encoded.replace(b"_", b" "))
    try:
        return binascii.a2b_base64(encoded + b"=" * (-len(encoded) % 4))
    except binascii.Error:
        return None
