"""The home: one private folder on one machine's disk that holds everything Lithify keeps.

HOME/version           version of this layout
HOME/catalog.sqlite    what is known
HOME/blobs/            immutable objects by digest
HOME/runs/<key>/       checkpoints and the lock of a run
HOME/cache/            what can be computed again
HOME/work/             what is being made
"""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lithify import canon
from lithify.engines import check_platform
from lithify.errors import IntegrityError, NewerFormat, UsageError, as_store_error
from lithify.store.aliases import Aliases
from lithify.store.blobs import Blobs, write_atomic
from lithify.store.catalog import Catalog
from lithify.store.lock import Lock
from lithify.store.place import check_there, choose

VERSION = 1
_FOLDERS = ("blobs", "runs", "cache", "work")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_log = logging.getLogger("lithify")


@dataclass(frozen=True)
class Home:
    """An opened home.

    >>> import tempfile
    >>> home = open_home(Path(tempfile.mkdtemp()) / "home")
    >>> home.blobs.has(home.blobs.put(b"bytes")), home.catalog.snapshots()
    (True, [])
    """

    path: Path

    @cached_property
    def blobs(self) -> Blobs:
        """The objects."""
        return Blobs(self.path / "blobs")

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog; opened when first asked for."""
        return Catalog(self.path / "catalog.sqlite")

    @cached_property
    def aliases(self) -> Aliases:
        """The aliases and their histories."""
        return Aliases(self.catalog)

    @property
    def runs(self) -> Path:
        """Folder of the runs' folders."""
        return self.path / "runs"

    @property
    def cache(self) -> Path:
        """Folder for what can be computed again; may be emptied at any time nothing runs."""
        return self.path / "cache"

    @property
    def work(self) -> Path:
        """Folder for what is being made. An entry with a ``lock`` that is held is never collected."""
        return self.path / "work"

    def run_folder(self, key: str) -> Path:
        """The folder of a run, made when it is not there."""
        folder = self._run_path(key)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise as_store_error(error, "making the folder of a run") from error
        return folder

    def lock(self, key: str) -> Lock:
        """The lock of a run."""
        return Lock(self._run_path(key) / "lock")

    def _run_path(self, key: str) -> Path:
        if not canon.is_digest(key):
            raise ValueError(f"not the key of a run: {key[:80]!r}")
        return self.runs / key.removeprefix(canon.DIGEST_PREFIX)


def open_home(path: Path | str | None = None, create: bool = True) -> Home:
    """Opens a home, making it when it is not there.

    Parameters
    ----------
    path : path, optional
        Default: the variable ``LITHIFY_HOME``, else the platform's folder for user data.
    create : bool
        Whether to make it; for those who only read, a home that is not there is an error.

    Raises
    ------
    NotFound
        There is none, and none is to be made.
    NewerFormat
        A later Lithify wrote it.
    UsageError
        The folder is in use for something else.
    StoreFull
        It cannot be written.
    """
    check_platform()
    folder = choose(path)
    try:
        if not create:
            check_there(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_free(folder)
        _check_version(folder / "version")
        _tighten(folder)
        for name in _FOLDERS:
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied", str(folder))
    except (FileExistsError, NotADirectoryError):
        raise UsageError("The home is not a folder.", found=str(folder), hint="Choose another with --home.") from None
    except OSError as error:
        raise as_store_error(error, "opening the home") from error
    home = Home(folder)
    _ = home.catalog
    return home


def _check_free(folder: Path) -> None:
    """A folder that holds something else is left alone: its permissions would be changed."""
    names = {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")}
    if names and not names & {"version", "catalog.sqlite"}:
        raise UsageError(
            "The home must be a folder of its own.",
            expected="an empty folder or a Lithify home",
            found=f"{folder}, which holds other things",
            hint="Choose another with --home or LITHIFY_HOME.",
        )


def _check_version(file: Path) -> None:
    try:
        text = file.read_text("ascii").strip()
    except FileNotFoundError:
        write_atomic(file, f"{VERSION}\n".encode())
        return
    except UnicodeDecodeError:
        text = ""
    if not text.isdigit():
        raise IntegrityError("The home's version cannot be read.", expected=f"{VERSION}", found=str(file))
    if int(text) > VERSION:
        raise NewerFormat(
            "This home was written by a newer Lithify.",
            expected=f"version {VERSION} or older",
            found=f"version {text}",
            hint="Install a newer Lithify, or choose another home with --home.",
        )


def _tighten(folder: Path) -> None:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not mode & _OTHERS:
        return
    try:
        folder.chmod(0o700)
    except PermissionError:
        _log.warning("Other users can reach the home %s and it cannot be closed to them.", folder)
        return
    _log.warning("Other users could reach the home %s (mode %04o); it is now yours alone (0700).", folder, mode)
