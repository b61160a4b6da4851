"""Where the home lies, and whether there is one; loads next to nothing."""

from __future__ import annotations

import os
from pathlib import Path

from lithify.errors import NotFound


def choose(path: Path | str | None = None) -> Path:
    """The folder that is given, that of the variable ``LITHIFY_HOME``, or the platform's for user data."""
    chosen = path or os.environ.get("LITHIFY_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("lithify", appauthor=False))


def check_there(folder: Path) -> None:
    """Raises ``NotFound`` unless there is something in the folder, be it a home or not.

    >>> check_there(Path("/nonexistent"))
    Traceback (most recent call last):
    lithify.errors.NotFound: ...
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        return
    raise NotFound(
        f"There is no home at {folder}.",
        hint="Name it with --home or LITHIFY_HOME, or begin one: lithify demo, or lithify snapshot DATA --name NAME.",
    )
