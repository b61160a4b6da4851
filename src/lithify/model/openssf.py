"""Signing and checking by the official library of OpenSSF model signing, wholly offline.

The library reads keys and signatures from files and hashes the model's file itself. It is given a digest that is known
already instead (:class:`_Known`), so that what is signed and checked are the bytes a model was opened with, wherever
they lie. Where the library is lenient we are not: certificates must be valid now, not only when they began.

Only imported when something is signed or checked; it needs the extra ``sign``.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from model_signing import hashing, signing, verifying
from model_signing._hashing.hashing import Digest
from model_signing.manifest import FileManifestItem, Manifest, SerializationType
from OpenSSL import crypto

from lithify import canon
from lithify.errors import LithifyError, SignatureError
from lithify.model import keys
from lithify.model.bundle import Bundle

_SERIALIZATION = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}


class _Known(hashing.Config):
    """Lists one file whose digest is known, in place of hashing a path."""

    def __init__(self, digest: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known = bytes.fromhex(digest.removeprefix(canon.DIGEST_PREFIX))

    def hash(self, model_path: Any, *, files_to_hash: Any = None) -> Manifest:
        """The list, as the library makes it of the path of a single file."""
        item = FileManifestItem(path=PurePosixPath("."), digest=Digest("sha256", self._known))
        return Manifest(Path(model_path).name, [item], SerializationType.from_args(_SERIALIZATION))


def sign(digest: str, key: keys.PrivateKey, chain: Sequence[x509.Certificate] = ()) -> bytes:
    """A bundle for the file of that digest.

    Parameters
    ----------
    digest : str
    key : PrivateKey
    chain : sequence of Certificate
        The signer's certificate first, then what leads to the root; empty to sign with the bare key.
    """
    config = signing.Config().set_hashing_config(_Known(digest))  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder, keys.unlocked(key) as secret, _quiet():
        if chain:
            _check_use(chain[0])
            _check_dates(chain[0])
            own, others = Path(folder, "own.pem"), Path(folder, "others.pem")
            own.write_bytes(keys.certificates_pem(chain[:1]))
            others.write_bytes(keys.certificates_pem(chain[1:] or chain))  # the library takes no empty list
            with _refused("The model cannot be signed with this certificate."):
                config.use_certificate_signer(private_key=secret, signing_certificate=own, certificate_chain=[others])
        else:
            config.use_elliptic_key_signer(private_key=secret)
        made = Path(folder, "signature")
        config.sign(f"{digest[7:19]}.lith", made)
        return made.read_bytes()


def check_key(digest: str, found: Bundle, key: keys.PublicKey) -> None:
    """Raises ``SignatureError`` unless ``key`` signed the file of that digest."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        public = Path(folder, "key.pub")
        public.write_bytes(keys.public_pem(key))
        config = verifying.Config()  # type: ignore[no-untyped-call]
        _verify(config.use_elliptic_key_verifier(public_key=public), digest, found, folder)


def check_chain(digest: str, found: Bundle, roots: keys.Certificates) -> x509.Certificate:
    """The signer's certificate, if it leads to one of ``roots``, all are valid now and it signed the file.

    Raises ``SignatureError`` otherwise.
    """
    with _refused("The signature's certificates cannot be read."):
        own, *others = [x509.load_der_x509_certificate(each) for each in found.certificates]
    _check_valid(own, others, roots)
    _check_use(own)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        anchors = Path(folder, "roots.pem")
        anchors.write_bytes(keys.certificates_pem(roots))
        with _refused("These certificates cannot be trusted."):
            config = verifying.Config()  # type: ignore[no-untyped-call]
            config.use_certificate_verifier(certificate_chain=[anchors])
        _verify(config, digest, found, folder)
    return own


def fingerprint(certificate: x509.Certificate) -> str:
    """64 hex digits: the SHA-256 of a certificate."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _verify(config: verifying.Config, digest: str, found: Bundle, folder: str) -> None:
    signature = Path(folder, "signature")
    signature.write_bytes(found.document())
    with _refused("The signature does not fit: it is by another key, or was changed."):
        config.set_hashing_config(_Known(digest)).verify(Path(f"{digest[7:19]}.lith"), signature)


def _check_valid(own: x509.Certificate, others: Sequence[x509.Certificate], roots: keys.Certificates) -> None:
    """The chain as OpenSSL checks it at this moment; the library goes by the moment when ``own`` began."""
    store = crypto.X509Store()
    try:
        for root in roots:
            store.add_cert(crypto.X509.from_cryptography(root))
        untrusted = [crypto.X509.from_cryptography(each) for each in others]
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(own), untrusted).verify_certificate()
    except (crypto.X509StoreContextError, crypto.Error, ValueError) as error:
        raise SignatureError(
            "The signer's certificate is not trusted.",
            expected="one that is valid now and leads to the given certificates",
            found=f"{error}: {own.subject.rfc4514_string()[:200]}",
            hint="Sign the model again with a certificate that is valid; the model stays the same.",
        ) from None


def _check_use(certificate: x509.Certificate) -> None:
    """A certificate signs when its key usage says so, or its extended key usage says code signing."""
    with _refused("The signer's certificate cannot be read."):
        found = {type(each.value): each.value for each in certificate.extensions}
    usage, extended = found.get(x509.KeyUsage), found.get(x509.ExtendedKeyUsage)
    signs = isinstance(usage, x509.KeyUsage) and usage.digital_signature
    if not signs and not (isinstance(extended, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CODE_SIGNING in extended):
        raise SignatureError(
            "The certificate is not for signing.",
            expected="the key usage digitalSignature, or the extended key usage codeSigning",
            found=certificate.subject.rfc4514_string()[:200],
        )


def _check_dates(certificate: x509.Certificate) -> None:
    """What is signed with a certificate that is not valid could never be checked."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begins <= datetime.now(UTC) <= ends:
        raise SignatureError(
            "The certificate is not valid now.",
            found=f"{certificate.subject.rfc4514_string()[:200]}, valid from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}",
        )


@contextlib.contextmanager
def _refused(message: str) -> Iterator[None]:
    """Whatever a library raises on bad input means that there is no valid signature."""
    try:
        yield
    except LithifyError:
        raise
    except Exception as error:
        raise SignatureError(message, found=str(error)[:200] or type(error).__name__) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's warnings about old ways of its own to itself."""
    logger = logging.getLogger("model_signing")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
