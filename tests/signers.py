"""Keys, certificates and signatures for tests, good ones and others."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


def private_pem(key: Any, password: bytes | None = None) -> bytes:
    locked = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    return bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))


def public_pem(key: Any) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_key().public_bytes(encoding, form))


@dataclass(frozen=True)
class Pair:
    """A private key with the files of it and of the public one."""

    key: ec.EllipticCurvePrivateKey
    private: Path
    public: Path


def pair(folder: Path, name: str = "key", curve: ec.EllipticCurve | None = None) -> Pair:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(private_pem(key))
    public.write_bytes(public_pem(key))
    return Pair(key, private, public)


@dataclass(frozen=True)
class Authority:
    """A certificate with its key, and their files."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    private: Path
    file: Path


def authority(
    folder: Path,
    name: str,
    by: Authority | None = None,
    *,
    ca: bool = False,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + DAY,
    usage: str = "signs",
) -> Authority:
    """A certificate that ``by`` issued, or itself; ``usage`` is ``signs``, ``code`` or ``agrees``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if usage == "code":
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    else:
        signs = usage == "signs" and not ca
        bits = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "encipher_only", "decipher_only"), False
        )
        made = made.add_extension(
            x509.KeyUsage(
                digital_signature=signs, key_agreement=usage == "agrees", key_cert_sign=ca, crl_sign=ca, **bits
            ),
            critical=True,
        )
    signed = made.sign(by.key if by else key, hashes.SHA256())
    private, file = folder / f"{name}.key", folder / f"{name}.pem"
    private.write_bytes(private_pem(key))
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return Authority(key, signed, private, file)


def statement(digest: str, **changed: Any) -> dict[str, Any]:
    """What a signature of the file of that digest says; ``resources`` and ``subject`` may be changed."""
    hexes = digest.removeprefix("sha256:")
    root = hashlib.sha256(bytes.fromhex(hexes)).hexdigest()
    said: dict[str, Any] = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
            "resources": [{"name": ".", "algorithm": "sha256", "digest": hexes}],
        },
    }
    for name, value in changed.items():
        (said if name in said else said["predicate"])[name] = value
    if "resources" in changed:
        raw = b"".join(bytes.fromhex(each["digest"]) for each in changed["resources"])
        said["subject"][0]["digest"]["sha256"] = hashlib.sha256(raw).hexdigest()
    return said


def signed(key: ec.EllipticCurvePrivateKey, said: Any) -> dict[str, Any]:
    """A bundle over any statement, rightly signed."""
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    kind = "application/vnd.in-toto+json"
    envelope = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    signature = key.sign(envelope, ec.ECDSA(hashes.SHA256()))
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "publicKey": {"hint": hashlib.sha256(public_pem(key)).hexdigest()},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }


def official(*words: object) -> subprocess.CompletedProcess[str]:
    """The command line of OpenSSF model signing."""
    command = [sys.executable, "-m", "model_signing", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)
