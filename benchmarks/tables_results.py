"""Results of ``tables``: a file with one JSON line for each table, seed and system, to which lines are only added."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Line = dict[str, Any]
Key = tuple[str, int, str]


def key(line: Line) -> Key:
    """What a line is about."""
    return line["table"], line["seed"], line["system"]


def read(path: Path) -> list[Line]:
    """The lines that succeeded, the last of several about the same; a last line that was cut off is left out."""
    found: dict[Key, Line] = {}
    for text in path.read_text().splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if "failed" not in line:
            found[key(line)] = line
    return list(found.values())


def failures(path: Path) -> list[Line]:
    """The last failure of each that never succeeded."""
    done = {key(line) for line in read(path)}
    texts = path.read_text().splitlines() if path.exists() else []
    lines = {key(line): line for line in map(json.loads, filter(_whole, texts)) if "failed" in line}
    return [line for name, line in lines.items() if name not in done]


def append(path: Path, line: Line) -> None:
    """Adds a line in one piece; one that was cut off before it is ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        start = b""
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            start = b"" if file.read(1) == b"\n" else b"\n"
        file.write(start + json.dumps(line, sort_keys=True).encode() + b"\n")


def _whole(text: str) -> bool:
    return text.startswith("{") and text.endswith("}")
