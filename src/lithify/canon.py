"""Canonical JSON (RFC 8785) and SHA-256 digests: equal content, equal bytes, equal name."""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

import rfc8785

from lithify.errors import MalformedContainer

DIGEST_PREFIX = "sha256:"
MAX_DEPTH = 64
"""How deeply JSON may be nested; the same for writing and reading."""

_CHUNK = 1 << 20
_SAFE = 2**53 - 1
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def dumps(value: Any) -> bytes:
    """Canonical JSON of ``value`` as UTF-8 bytes, after RFC 8785.

    Raises ``ValueError`` for what JSON cannot carry exactly: NaN, infinities, integers beyond 2**53 - 1, text that is
    not Unicode, other types, nesting deeper than ``MAX_DEPTH``.

    >>> dumps({"b": 1, "a": [1.0, None]})
    b'{"a":[1,null],"b":1}'
    """
    _check_depth(value)
    return rfc8785.dumps(value)


def loads(data: bytes, what: str = "JSON") -> Any:
    """Strict JSON: UTF-8, no duplicate keys, no NaN or infinity, nested at most ``MAX_DEPTH`` deep.

    Raises ``MalformedContainer`` otherwise; ``what`` names the text in the message.

    >>> loads(b'{"a": 1}')
    {'a': 1}
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
        _check_depth(value)
        return value
    except json.JSONDecodeError as error:
        found = f"a mistake at line {error.lineno}, column {error.colno}" if data.strip() else "nothing"
        raise MalformedContainer(f"The {what} is not strict JSON.", found=found) from None
    except (ValueError, RecursionError) as error:
        raise MalformedContainer(f"The {what} is not strict JSON.", found=str(error)[:200]) from None


def digest(data: bytes | bytearray | memoryview) -> str:
    """``sha256:`` and 64 hex digits.

    >>> digest(b"")[:15]
    'sha256:e3b0c442'
    """
    return DIGEST_PREFIX + hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """Digest of the canonical JSON of ``value``."""
    return digest(dumps(value))


def digest_file(path: Path) -> str:
    """Digest of a file's bytes, read in pieces."""
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return DIGEST_PREFIX + hasher.hexdigest()


def is_digest(text: str) -> bool:
    """Whether ``text`` is a whole digest, ``sha256:`` and 64 lower-case hex digits."""
    return _DIGEST.fullmatch(text) is not None


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = [each for each in level if isinstance(each, dict | list | tuple)]
        if not inner:
            return
        level = [each for one in inner for each in (one.values() if isinstance(one, dict) else one)]
    if any(isinstance(each, dict | list | tuple) for each in level):
        raise ValueError(f"nested more than {MAX_DEPTH} deep")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _whole(text: str) -> int | float:
    """Beyond 2**53 - 1 a whole number is a float, as RFC 8785 has it; so floats come back as they went."""
    return int(text) if len(text) < 16 or -_SAFE <= int(text[:40]) <= _SAFE else _finite(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a finite number")
    return value
