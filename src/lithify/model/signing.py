"""Signatures of models: made with a private key or a certificate, checked with a public key or a chain's end.

A seal shows damage; only a signature shows that a file is the one that somebody stands for. Signatures are detached, in
the format of OpenSSF model signing, so that its official tool checks ours and ours checks those of the tool. They name
the SHA-256 of the file and nothing else of it: neither name nor place.

Light to import; the libraries of the extra ``sign`` load when something is signed or checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from lithify.errors import MissingExtra, SignatureError
from lithify.model import bundle
from lithify.model.model import Model

SUFFIX = ".sig"
"""A signature lies beside its model: ``spam.lith`` and ``spam.lith.sig``."""


@dataclass(frozen=True)
class Signer:
    """Who signed.

    Attributes
    ----------
    mode : "key" or "certificate"
    name : str
        The subject of the certificate, after RFC 4514; empty for a key.
    fingerprint : str
        64 hex digits: the SHA-256 of the public key as PEM, or of the certificate as DER.
    """

    mode: Literal["key", "certificate"]
    name: str
    fingerprint: str

    def to_json(self) -> dict[str, str]:
        """The fields as a dict."""
        return asdict(self)


def sign(
    model: Model,
    key: Path,
    *,
    certificate: Path | None = None,
    chain: Sequence[Path] = (),
    password: str | None = None,
) -> tuple[bytes, Signer]:
    """Signs a model.

    Parameters
    ----------
    model : Model
    key : Path
        The private key: PEM, of the curve P-256, P-384 or P-521.
    certificate : Path, optional
        Of that key, PEM; the signature then carries it.
    chain : sequence of Path
        Certificates that lead from it to a root; the root itself may be left out.
    password : str, optional
        Of an encrypted key.

    Returns
    -------
    (bytes, Signer)
        The signature, a Sigstore bundle as JSON, and by whom it is.

    Raises
    ------
    SignatureError
        The key cannot be used, or the certificate is not of that key or not for signing.
    """
    openssf, keys = _tools()
    private = keys.private_key(key, password)
    if certificate is None:
        return openssf.sign(model.digest, private), Signer("key", "", keys.fingerprint(private.public_key()))
    listed = [
        each for path in (certificate, *chain) for each in keys.certificates(bundle.read(path, "certificate"), path)
    ]
    made = openssf.sign(model.digest, private, listed)
    return made, Signer("certificate", listed[0].subject.rfc4514_string(), openssf.fingerprint(listed[0]))


def check(model: Model, signature: bytes, key: Path) -> Signer:
    """Who signed a model, if that is who is trusted.

    Parameters
    ----------
    model : Model
    signature : bytes
        A bundle.
    key : Path
        A public key; or certificates, one of which the signer's must lead to. Told apart by content.

    Raises
    ------
    SignatureError
        The signature is none, is of another file, by another key, or by a certificate that is not trusted now.
    """
    openssf, keys = _tools()
    trusted, found = keys.trusted(key), bundle.parse(signature)
    signed = bundle.signed_digest(found.payload)
    if signed != model.digest:
        raise SignatureError("The signature is of another file.", expected=model.digest, found=signed)
    if isinstance(trusted, tuple):
        _check_mode("a certificate", bool(found.certificates), key)
        own = openssf.check_chain(model.digest, found, trusted)
        return Signer("certificate", own.subject.rfc4514_string(), openssf.fingerprint(own))
    _check_mode("a bare key", not found.certificates, key)
    known = keys.fingerprint(trusted)
    if found.hint != known:
        raise SignatureError("The signature is by another key.", expected=known, found=found.hint)
    openssf.check_key(model.digest, found, trusted)
    return Signer("key", "", known)


def require(model: Model, signatures: Sequence[bytes], key: Path) -> Signer:
    """:func:`check` where one of several signatures must hold.

    Raises ``SignatureError`` when none does: the reason why the first of them does not.
    """
    first: SignatureError | None = None
    for signature in signatures:
        try:
            return check(model, signature, key)
        except SignatureError as error:
            first = first or error
    raise first or SignatureError(
        f"The model {model.digest[7:19]} is not signed.",
        hint="Sign it with `lithify sign MODEL --key KEY`, or fetch the signature that belongs beside it.",
    )


def make_key(path: Path) -> Path:
    """Writes a new private key and, beside it, the public one, whose path it returns."""
    public: Path = _tools()[1].make(path)
    return public


def _check_mode(wanted: str, fits: bool, key: Path) -> None:
    if not fits:
        other = "a bare key" if wanted == "a certificate" else "a certificate"
        raise SignatureError(
            f"The signature was made with {other}.",
            expected=f"one that was made with {wanted}, to be checked with {key}",
            hint="Check it with --key PUB where it was made with a bare key, else with --certificate-chain ROOT.",
        )


def _tools() -> tuple[ModuleType, ModuleType]:
    """The modules that need the extra ``sign``."""
    try:
        from lithify.model import keys, openssf
    except ImportError as error:
        raise MissingExtra(
            "Signatures need packages that are not installed.",
            found=f"no {error.name}",
            hint="Install them: pip install 'lithify[sign]'.",
        ) from None
    return openssf, keys
