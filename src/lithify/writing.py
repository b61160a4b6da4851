"""Files that are written for a person: checked before the work that fills them, and never half there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lithify.errors import NotFound, StoreFull, UsageError

if TYPE_CHECKING:
    from lithify.model.model import Model

SUFFIX = ".lith"


def write_model(model: Model, out: Path) -> Model:
    """Writes a model's bytes to a file, whole or not at all, and opens that."""
    from lithify.model.model import open_model
    from lithify.store.blobs import write_atomic

    path = check_out(out)
    if not (path.exists() and path.read_bytes() == model.data):
        write_atomic(path, bytes(model.data), 0o644)
    return open_model(path)


def check_out(out: Path) -> Path:
    """The place of a file to be written; ``NotFound``, ``UsageError`` or ``StoreFull`` when it cannot be one."""
    path = out.expanduser().absolute()
    if not path.parent.is_dir():
        raise NotFound(f"There is no folder {path.parent} to write to.", hint="Make it first.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", expected="the name of a file")
    if not os.access(path.parent, os.W_OK):
        raise StoreFull(
            f"Not allowed to write to the folder {path.parent}.", hint="Choose another folder for the file."
        )
    return path
