"""What a worker and its caller tell each other: one JSON document a line, data only."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lithify.errors import LithifyError, RunError
from lithify.progress import Update


def line(**document: Any) -> bytes:
    """One message."""
    return json.dumps(document, default=_number).encode() + b"\n"


def progress(update: Update) -> bytes:
    """How far the work is."""
    return line(update=asdict(update))


def update_of(document: dict[str, Any]) -> Update:
    """The inverse of :func:`progress`."""
    return Update(**document)


def failure(error: BaseException) -> bytes:
    """An error; of one that is not ours only its kind and place, since its text may quote a row."""
    if isinstance(error, LithifyError):
        return line(error={"code": error.code, "fields": vars(error)})
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return line(error={"code": "", "fields": {"found": f"{type(error).__name__} at {where}"}})


def error_of(document: dict[str, Any]) -> LithifyError:
    """The inverse of :func:`failure`: the same class with the same fields."""
    fields = dict(document["fields"])
    for kind in _kinds(LithifyError):
        if kind.code == document["code"]:
            error = kind.__new__(kind, fields["message"])
            vars(error).update(fields)
            return error
    return RunError("The worker of this run failed.", hint="Run with --threads 1 and no worker to see more.", **fields)


def _kinds(kind: type[LithifyError]) -> Iterator[type[LithifyError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def _number(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    return value.item()
