"""What a server is asked to serve, found and opened."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from lithify import canon
from lithify.errors import IntegrityError, NotFound, SignatureError, as_store_error
from lithify.model import signing
from lithify.model.model import Model, open_model
from lithify.store.home import Home
from lithify.store.lookup import DEFAULT_STAGE, canonical
from lithify.store.signatures import Signatures

SUFFIX = ".lith"
_DIGITS = 12
_HEX = re.compile(r"(sha256:)?[0-9a-fA-F]{8,64}")


@dataclass(frozen=True)
class Place:
    """Where a model to be served is found.

    Attributes
    ----------
    alias : str
        Canonical; for a file or a digest the name.
    name : str
        As it stands in addresses: ``spam`` for ``spam@production``, the stem of a file, or the first 12 digits.
    digest : str
        What it led to when it was looked up; empty for a file.
    entry : str
        Digest of the entry of the history that put the alias there; empty for all that can never move.
    file : Path or None
    """

    alias: str
    name: str
    digest: str = ""
    entry: str = ""
    file: Path | None = None

    @property
    def follows(self) -> bool:
        """Whether another model may come to stand there."""
        return bool(self.entry)


def locate(home: Home | None, thing: str) -> Place:
    """Where a THING is: the path of a model file, a digest or its beginning, or an alias.

    Raises ``NotFound`` when it leads nowhere, ``UsageError`` when it cannot be a name.
    """
    file = Path(thing).expanduser()
    if file.is_file() or thing.endswith(SUFFIX):
        return Place(file.stem, file.stem, file=file.absolute())
    if home is None:
        raise NotFound(f"There is no model file {thing!r}.")
    if _HEX.fullmatch(thing):
        digest = home.catalog.resolve(thing, "model")
        name = digest.rpartition(":")[2][:_DIGITS]
        return Place(name, name, digest)
    last = home.aliases.last(thing)
    if last is None:
        known = ", ".join(list(home.aliases.all())[:10])
        raise NotFound(
            f"Nothing was promoted to {canonical(thing)} yet.",
            found=known and f"only {known}",
            hint=f"Run `lithify promote MODEL {thing}` first, or give a model file.",
        )
    name, _, stage = last.alias.partition("@")
    return Place(last.alias, name if stage == DEFAULT_STAGE else last.alias, last.model, last.digest)


def opened(home: Home | None, place: Place, digest: str, key: Path | None = None, folder: Path | None = None) -> Model:
    """Opens a model and checks structure, seal, digest, and its signature where there is a key.

    A model of the home is mapped, so that all processes share its pages; nobody may change an object of the home. A
    file may be changed by anybody at any time, so what it was at first is what is served.

    Parameters
    ----------
    digest : str
        Of the model to be found there; unused for a file.
    folder : Path, optional
        Private to the processes of one server: keeps what files were when the first of them read them.

    Raises
    ------
    LithifyError
        ``NotFound``, ``MalformedContainer``, ``IntegrityError``, ``NewerFormat``, ``SignatureError``.
    """
    if place.file is not None:
        model, signatures = _of_file(place.file, folder), _beside(place.file, folder)
    else:
        assert home is not None
        model, signatures = _of_home(home, digest), _of(home, digest) if key else []
    if key is not None:
        try:
            signing.require(model, signatures, key)
        except SignatureError as error:
            error.message = f"{place.name if place.file is None else place.file.name}: {error.message}"
            raise
    return model


def _of_home(home: Home, digest: str) -> Model:
    if not home.blobs.has(digest):
        raise NotFound(f"The bytes of model {digest[7:19]} are not in this home.", hint="Restore them from a backup.")
    model = open_model(home.blobs.path(digest))
    if model.digest != digest:  # of the bytes that are mapped, and not of what lay there a moment before
        raise IntegrityError("The object of a model is another one.", expected=digest, found=model.digest)
    return model


def _of(home: Home, digest: str) -> list[bytes]:
    return [home.blobs.get(each) for each in Signatures(home.catalog).of(digest)]


def _of_file(file: Path, folder: Path | None) -> Model:
    return open_model(_read(file) if folder is None else _kept(file, folder))


def _beside(file: Path, folder: Path | None) -> list[bytes]:
    signature = file.with_name(file.name + signing.SUFFIX)
    if folder is None:
        return [_read(signature)] if signature.is_file() else []
    with contextlib.suppress(NotFound):
        return [_read(_kept(signature, folder))]
    return []


def _kept(file: Path, folder: Path) -> Path:
    """A copy of the file as the first process of the server found it; ``NotFound`` where there was none."""
    held = folder / f"file-{canon.digest(os.fsencode(file))[7:39]}" / file.name  # its own name, for messages
    if not held.exists():
        held.parent.mkdir(exist_ok=True)
        own = held.with_name(f"{held.name}.{os.getpid()}")
        own.write_bytes(_read(file))
        with contextlib.suppress(FileExistsError):  # another process was first
            os.link(own, held)
        own.unlink()
    return held


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}.") from None
    except OSError as error:
        raise as_store_error(error, f"reading {file.name}") from error
