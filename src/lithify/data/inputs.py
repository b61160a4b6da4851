"""One thing to score: from a path, bytes or text to the canonical content a model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lithify.data import text
from lithify.data.mail import RAW_LIMIT
from lithify.data.streams import open_regular, shown
from lithify.errors import NotFound, UnknownSource
from lithify.media import mime


def read_input(item: str | bytes | Path, kind: Literal["mail", "text"]) -> bytes:
    r"""The canonical content of one input.

    Parameters
    ----------
    item : str, bytes or Path
        Mail: the path of a message file, or the raw message as bytes. Text: the text itself as str or bytes, or the
        Path of a text file.
    kind : "mail" or "text"
        What it is.

    Returns
    -------
    bytes
        As ``Row.content``; empty for an empty input, since everything can be scored.

    Raises
    ------
    NotFound
        There is no file at the path, or it cannot be read.
    UnknownSource
        The path is a folder, a pipe or a device.

    Examples
    --------
    >>> read_input(b"Subject: hello\r\n\r\nhello", "mail"), read_input("hello\r\n", "text")
    (b'Subject: hello\n\nhello', b'hello\n')
    """
    if kind == "text" and isinstance(item, str):
        return text.canonical(item)[0]
    raw = item if isinstance(item, bytes) else _read(item)
    return mime.canonical(raw)[0] if kind == "mail" else text.canonical(text.decode(raw))[0]


def _read(item: str | Path) -> bytes:
    name = shown(str(item))[:200]
    try:
        path = Path(item)
        if path.exists() and not path.is_file():
            raise UnknownSource(f"{name} is no file.", expected="one message or text", hint="Give the files in it.")
        with open_regular(path) as file:
            return file.read(RAW_LIMIT)
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or "no path"
        hint = "Check the path; a message itself is passed as bytes."
        raise NotFound(f"Cannot read {name}.", found=found, hint=hint) from error
