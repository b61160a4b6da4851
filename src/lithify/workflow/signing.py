"""Sign a model, check who signed it, say where it comes from.

A signature of a file lies beside it, under its name and ``.sig``; one of a model in the home is an object of the home.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithify import api, canon, things, writing
from lithify.errors import NotFound, UsageError
from lithify.model import bundle, signing
from lithify.model.signing import SUFFIX, Signer
from lithify.store.signatures import Signatures

if TYPE_CHECKING:
    from lithify.model.model import Model
    from lithify.store.home import Home
    from lithify.things import Place


@dataclass(frozen=True)
class Signed:
    """A signature that was made.

    Attributes
    ----------
    model, digest : str
        Digests of the model and of the signature.
    signer : Signer
    path : Path or None
        The file it was written to.
    kept : bool
        Whether the home has it.
    """

    model: str
    digest: str
    signer: Signer
    path: Path | None
    kept: bool

    def to_json(self) -> dict[str, Any]:
        """``model``, ``signature`` (digests), ``path``, ``home`` (whether it is there) and ``signer``."""
        return {
            "model": self.model,
            "signature": self.digest,
            "path": None if self.path is None else str(self.path),
            "home": self.kept,
            "signer": self.signer.to_json(),
        }


def sign(
    model: Path | str,
    key: Path,
    *,
    certificate: Path | None = None,
    chain: Sequence[Path] = (),
    password: str | None = None,
    out: Path | None = None,
    home: Place = None,
) -> Signed:
    """Signs a model with a private key, or with a certificate of it.

    Parameters
    ----------
    model : path or THING
        Of a file the signature is written beside it; of a model in the home it is kept there, and both where the home
        has the file's model too.
    key : Path
        The private key, PEM; see :func:`lithify.model.signing.sign`.
    certificate, chain : Path, sequence of Path, optional
    password : str, optional
        Of an encrypted key.
    out : Path, optional
        The file to write the signature to.

    Raises
    ------
    SignatureError
        The key or the certificate cannot be used.
    """
    if chain and certificate is None:
        raise UsageError("A chain belongs to a certificate.", expected="--certificate CERT", found="--chain alone")
    sealed, opened = api.open(model, home=home), things.home_if_there(home)
    path = _beside(sealed, opened) if out is None else writing.check_out(out)
    made, signer = signing.sign(sealed, key, certificate=certificate, chain=chain, password=password)
    kept = opened is not None and _keep(opened, sealed.digest, made)
    if path is not None:
        from lithify.store.blobs import write_atomic

        write_atomic(path, made, 0o644)
    return Signed(sealed.digest, canon.digest(made), signer, path, kept)


def verify_signature(
    model: Model | Path | str, key: Path, *, signature: Path | None = None, home: Place = None
) -> Signer:
    """Who signed a model, if that is who is trusted.

    Parameters
    ----------
    model : Model or path or THING
    key : Path
        A public key, or certificates that a chain may end in; see :func:`lithify.model.signing.check`.
    signature : Path, optional
        Where it does not lie beside the file or in the home.

    Raises
    ------
    SignatureError
        There is no signature that fits.
    """
    sealed = api.open(model, home=home) if isinstance(model, (str, Path)) else model
    given = signatures(sealed, home) if signature is None else [bundle.read(signature, "signature")]
    return signing.require(sealed, given, key)


def signatures(model: Model, home: Place = None) -> list[bytes]:
    """What there is of signatures of a model, unchecked: the one beside its file, then those in the home."""
    beside = None if model.path is None else model.path.with_name(model.path.name + SUFFIX)
    found = [bundle.read(beside, "signature")] if beside is not None and beside.exists() else []
    opened = things.home_if_there(home)
    if opened is None:
        return found
    return found + [opened.blobs.get(digest) for digest in Signatures(opened.catalog).of(model.digest)]


def provenance(model: Path | str, *, bom: bool = False, home: Place = None) -> dict[str, Any]:
    """Where a model comes from: an in-toto statement with SLSA provenance; with ``bom`` a CycloneDX ML-BOM.

    See :mod:`lithify.evaluation.provenance`.
    """
    from lithify.evaluation import provenance as origin

    opened = things.open_home(home)
    sealed = api.open(model, home=opened)
    return origin.bill(sealed) if bom else origin.statement(opened, sealed)


def write_document(document: dict[str, Any], out: Path) -> Path:
    """Writes a statement or a bill to a file, whole or not at all; equal ones as equal bytes."""
    from lithify.store.blobs import write_atomic

    path = writing.check_out(out)
    write_atomic(path, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode(), 0o644)
    return path


def _beside(model: Model, home: Home | None) -> Path | None:
    """Where the signature of a model's file lies; None where there is no file but the object of the home."""
    if model.path is None or (home is not None and model.path.absolute() == home.blobs.path(model.digest)):
        return None
    return model.path.with_name(model.path.name + SUFFIX)


def _keep(home: Home, digest: str, signature: bytes) -> bool:
    """Puts a signature into the home where the model is there; whether it is."""
    try:
        home.catalog.model(digest)
    except NotFound:
        return False
    if not home.blobs.has(digest):
        return False
    Signatures(home.catalog).add(digest, home.blobs.put(signature))
    return True
