"""Signatures of models as files: Sigstore bundles as OpenSSF model signing writes them, read strictly.

A bundle is JSON: who signed (the digest of a public key, or a chain of certificates), and a DSSE envelope with a signed
in-toto statement, which lists the files of a model with their digests. A model of ours is one file, which the
statement calls ``.`` whatever its name is, so a signature still fits when the file is renamed. What is read here is not
yet believed: :mod:`lithify.model.openssf` checks who signed it.

Sources: OpenSSF model signing v1.0 (the statement), in-toto attestation v1, DSSE v1.0.0, Sigstore bundle v0.3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lithify import canon
from lithify.errors import MalformedContainer, NotFound, SignatureError

LIMIT = 1 << 20
"""Bytes of the largest signature, key or chain of certificates that is read."""

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"

_HEX = re.compile(r"[0-9a-f]{64}")
_AGAIN = "Fetch it again, or sign the model again."


@dataclass(frozen=True)
class Bundle:
    """What a signature says, unchecked.

    Attributes
    ----------
    hint : str
        64 hex digits, the SHA-256 of the signer's public key as PEM; empty when signed with a certificate.
    certificates : tuple of bytes
        DER, the signer's first; empty when signed with a bare key.
    payload : bytes
        The in-toto statement that is signed.
    signature : bytes
    """

    hint: str
    certificates: tuple[bytes, ...]
    payload: bytes
    signature: bytes

    def document(self) -> bytes:
        """The bundle written anew from what was understood, so that no other reader can understand it otherwise."""
        chain = {"certificates": [{"rawBytes": _text(each)} for each in self.certificates]}
        signer: dict[str, Any] = {"publicKey": {"hint": self.hint}} if self.hint else {"x509CertificateChain": chain}
        envelope = {
            "payload": _text(self.payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": _text(self.signature), "keyid": ""}],
        }
        material = signer | {"tlogEntries": []}
        return canon.dumps({"mediaType": MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope})


def read(path: Path, what: str) -> bytes:
    """The bytes of a small file; ``NotFound``, or ``SignatureError`` when it cannot be read or is too large."""
    try:
        with open(path.expanduser(), "rb") as file:
            data = file.read(LIMIT + 1)
    except FileNotFoundError:
        raise NotFound(f"There is no {what} {path}.") from None
    except OSError as error:
        raise SignatureError(f"The {what} cannot be read.", found=f"{path}: {error.strerror}") from None
    if len(data) > LIMIT:
        raise SignatureError(
            f"This is no {what}.", expected=f"at most {LIMIT:,} bytes", found=f"{path}, which has more"
        )
    return data


def parse(data: bytes) -> Bundle:
    """Reads a bundle; ``SignatureError`` unless it is one that was made with one key or one certificate.

    >>> parse(b"{}")
    Traceback (most recent call last):
    lithify.errors.SignatureError: This is not a signature. Expected: a Sigstore bundle, application/vnd.dev.sigstore...
    """
    if len(data) > LIMIT:
        raise _malformed("a signature", f"at most {LIMIT:,} bytes", "more")
    bundle = _json(data, "signature")
    if not isinstance(bundle, dict) or bundle.get("mediaType") != MEDIA_TYPE:
        raise _malformed("a signature", f"a Sigstore bundle, {MEDIA_TYPE}")
    try:
        envelope, material = bundle["dsseEnvelope"], bundle["verificationMaterial"]
        (signed,) = envelope["signatures"]
        if envelope["payloadType"] != PAYLOAD_TYPE:
            raise _malformed("a signature of a model", PAYLOAD_TYPE, str(envelope["payloadType"])[:80])
        return Bundle(*_signer(material), _bytes(envelope["payload"]), _bytes(signed["sig"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _malformed("a signature of a model", "a bundle with one signature over one statement") from None


def signed_digest(payload: bytes) -> str:
    """The digest of the one file that a statement is about.

    Raises ``SignatureError`` when it is a statement about anything else, such as several files or a folder.
    """
    statement = _json(payload, "signed statement")
    try:
        (subject,), (resource,) = statement["subject"], statement["predicate"]["resources"]
        types = statement["_type"], statement["predicateType"]
        manner = statement["predicate"]["serialization"]
        about = manner["method"], resource["name"], resource["algorithm"]
        hexes, root = resource["digest"], subject["digest"]
    except (KeyError, TypeError, ValueError):
        raise _malformed("a signature of a model file", "a statement about one file") from None
    if types != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise _malformed("a signature of a model", PREDICATE_TYPE, str(types[1])[:80])
    if about != ("files", ".", "sha256") or not isinstance(hexes, str) or not _HEX.fullmatch(hexes):
        raise _malformed("a signature of a model file", "one file and its SHA-256", "a folder, or another hash")
    if root != {"sha256": hashlib.sha256(bytes.fromhex(hexes)).hexdigest()}:
        raise _malformed("a signature of a model", "a subject that sums up the file it lists")
    return canon.DIGEST_PREFIX + hexes


def _signer(material: Any) -> tuple[str, tuple[bytes, ...]]:
    """The hint or the certificates; exactly one of both."""
    key: Any = material.get("publicKey")
    chain: Any = material.get("x509CertificateChain")
    if (key is None) == (chain is None):
        raise _malformed("a signature with a key or a certificate", "one of both", "Sigstore's keyless mode, perhaps")
    if chain is not None:
        certificates = tuple(_bytes(each["rawBytes"]) for each in chain["certificates"])
        if not certificates:
            raise ValueError("no certificate")
        return "", certificates
    hint = key["hint"]
    if not isinstance(hint, str) or not _HEX.fullmatch(hint):
        raise _malformed("a signature that says which key it is by", "a SHA-256 as hint")
    return hint, ()


def _json(data: bytes, what: str) -> Any:
    try:
        return canon.loads(data, what)
    except MalformedContainer as error:
        raise SignatureError(error.message, found=error.found, hint=_AGAIN) from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise TypeError("not text")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _malformed(what: str, expected: str, found: str = "something else") -> SignatureError:
    return SignatureError(f"This is not {what}.", expected=expected, found=found, hint=_AGAIN)
