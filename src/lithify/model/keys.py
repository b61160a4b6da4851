"""Keys and certificates for signatures: PEM files, told apart by what is in them.

Keys are of elliptic curves, P-256, P-384 or P-521: OpenSSF model signing knows no others.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lithify.errors import SignatureError, UsageError
from lithify.model.bundle import read
from lithify.store.blobs import write_atomic

PublicKey = ec.EllipticCurvePublicKey
PrivateKey = ec.EllipticCurvePrivateKey
Certificates = tuple[x509.Certificate, ...]

_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_EXPECTED = "a key of the curve P-256, P-384 or P-521, as PEM"
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)


def trusted(path: Path) -> PublicKey | Certificates:
    """What signatures are checked with: a public key, or the certificates that a chain may end in.

    Raises ``SignatureError`` for anything else, such as a private key, and ``NotFound``.
    """
    pem = read(path, "key or certificate")
    if b"PRIVATE KEY-----" in pem:
        raise SignatureError(
            "This is a private key, which does not belong where signatures are checked.",
            expected="a public key or a certificate",
            found=str(path),
            hint=f"Make the public one of it: openssl pkey -in {path} -pubout -out KEY.pub",
        )
    if b"-----BEGIN CERTIFICATE-----" in pem:
        return certificates(pem, path)
    try:
        return _supported(serialization.load_pem_public_key(pem), path)
    except _UNREADABLE:
        raise SignatureError("This is no public key.", expected=_EXPECTED, found=str(path)) from None


def private_key(path: Path, password: str | None = None) -> PrivateKey:
    """A private key; ``SignatureError`` when it is none of ours, or its password is missing or wrong."""
    pem = read(path, "private key")
    secret = None if password is None else password.encode()
    if secret is None and b"ENCRYPTED" in pem:
        raise SignatureError(
            "The private key is encrypted.",
            found=str(path),
            hint="Put its password into an environment variable and pass --password-env VARIABLE.",
        )
    try:
        key = serialization.load_pem_private_key(pem, secret if b"ENCRYPTED" in pem else None)
    except _UNREADABLE:
        hint = None if secret is None else "Is the password right?"
        raise SignatureError(
            "The private key cannot be read.", expected=_EXPECTED, found=str(path), hint=hint
        ) from None
    _supported(key.public_key(), path)
    assert isinstance(key, PrivateKey)
    return key


def certificates(pem: bytes, path: Path) -> Certificates:
    """All certificates of a PEM file, at least one; ``SignatureError`` otherwise."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except _UNREADABLE:
        raise SignatureError("This is no certificate.", expected="certificates as PEM", found=str(path)) from None


def public_pem(key: PublicKey) -> bytes:
    """The public key as PEM."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: PublicKey) -> str:
    """64 hex digits: the SHA-256 of the public key as PEM, by which a bundle names its key."""
    return hashlib.sha256(public_pem(key)).hexdigest()


def certificates_pem(found: Sequence[x509.Certificate]) -> bytes:
    """Certificates as PEM, one after the other."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in found)


@contextlib.contextmanager
def unlocked(key: PrivateKey) -> Iterator[Path]:
    """A path from which the key can be read once, unencrypted; it never comes to lie on a disk."""
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    reading, writing = os.pipe()
    try:
        os.write(writing, pem)  # some hundred bytes: a pipe holds at least 4 KiB
        os.close(writing)
        yield Path(f"/dev/fd/{reading}")
    finally:
        os.close(reading)


def make(path: Path) -> Path:
    """Writes a new private key of the curve P-256, readable by its owner alone, and the public one to ``path``.pub.

    Returns the path of the public key; ``UsageError`` when one of the files is there.
    """
    public = path.with_name(path.name + ".pub")
    for file in (path, public):
        if file.exists():
            raise UsageError(f"{file} is there already.", hint="Choose another name: a key is never overwritten.")
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_atomic(path, pem, 0o600)
    write_atomic(public, public_pem(key.public_key()), 0o644)
    return public


def _supported(key: object, path: Path) -> PublicKey:
    if not isinstance(key, PublicKey) or key.curve.name not in _CURVES:
        found = f"{path}, {key.curve.name if isinstance(key, PublicKey) else type(key).__name__.strip('_')}"
        raise SignatureError("Signatures are not made with keys of this type.", expected=_EXPECTED, found=found)
    return key
