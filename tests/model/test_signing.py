"""Signatures: made by us and checked by the official tool, made by it and checked by us; everything else is refused."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lithify.errors import LithifyError, MissingExtra, NotFound, SignatureError, UsageError
from lithify.model import bundle, signing
from lithify.model.model import Model, open_model

from ..signers import DAY, NOW, Authority, Pair, authority, official, pair, private_pem, public_pem, signed, statement


@pytest.fixture(scope="session")
def text(trained: dict[str, Model]) -> Model:
    return open_model(bytes(trained["text"].data))


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("root"), "root", ca=True)


@pytest.fixture(scope="session")
def signature(text: Model, keys: Pair) -> bytes:
    return signing.sign(text, keys.private)[0]


@pytest.fixture
def file(text: Model, tmp_path: Path) -> Path:
    path = tmp_path / "model.lith"
    path.write_bytes(text.data)
    return path


def refused(model: Model, data: bytes | dict[str, Any], key: Path) -> str:
    """The message with which a signature is refused."""
    with pytest.raises(SignatureError) as caught:
        signing.check(model, data if isinstance(data, bytes) else json.dumps(data).encode(), key)
    assert caught.value.exit_status == 65
    return str(caught.value)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_what_a_key_signs_it_checks(text: Model, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    own = pair(tmp_path, curve=curve)
    made, signer = signing.sign(text, own.private)
    assert signing.check(text, made, own.public) == signer
    assert (signer.mode, signer.name) == ("key", "")
    assert text.digest[7:] in bundle.parse(made).payload.decode()


def test_the_official_tool_checks_ours_whatever_the_file_is_called(
    file: Path, signature: bytes, keys: Pair, tmp_path: Path
) -> None:
    (tmp_path / "s").write_bytes(signature)
    renamed = file.rename(tmp_path / "another name")
    words = ("verify", "key", renamed, "--public_key", keys.public, "--signature", tmp_path / "s")
    done = official(*words)
    assert done.returncode == 0, done.stderr
    renamed.write_bytes(renamed.read_bytes() + b"\0")
    assert official(*words).returncode == 1


def test_ours_checks_the_official_tools(file: Path, text: Model, keys: Pair, tmp_path: Path) -> None:
    done = official("sign", "key", file, "--private_key", keys.private, "--signature", tmp_path / "s")
    assert done.returncode == 0, done.stderr
    assert signing.check(text, (tmp_path / "s").read_bytes(), keys.public).mode == "key"


def test_the_official_tool_checks_our_certificates_and_ours_its(
    file: Path, text: Model, root: Authority, tmp_path: Path
) -> None:
    own = authority(tmp_path, "signer", root)
    made, signer = signing.sign(text, own.private, certificate=own.file)
    (tmp_path / "s").write_bytes(made)
    done = official("verify", "certificate", file, "--certificate_chain", root.file, "--signature", tmp_path / "s")
    assert done.returncode == 0, done.stderr
    assert signing.check(text, made, root.file) == signer
    assert (signer.mode, signer.name) == ("certificate", "CN=signer")
    words = ("--private_key", own.private, "--signing_certificate", own.file, "--certificate_chain", root.file)
    assert official("sign", "certificate", file, *words, "--signature", tmp_path / "t").returncode == 0
    assert signing.check(text, (tmp_path / "t").read_bytes(), root.file) == signer


def test_a_chain_leads_over_certificates_between(text: Model, root: Authority, tmp_path: Path) -> None:
    middle = authority(tmp_path, "middle", root, ca=True)
    own = authority(tmp_path, "own", middle, usage="code")
    made, _ = signing.sign(text, own.private, certificate=own.file, chain=[middle.file])
    assert signing.check(text, made, root.file).name == "CN=own"
    alone, _ = signing.sign(text, own.private, certificate=own.file)
    assert "unable to get local issuer" in refused(text, alone, root.file)
    false = authority(tmp_path, "false", root)
    under = authority(tmp_path, "under", false)
    made, _ = signing.sign(text, under.private, certificate=under.file, chain=[false.file])
    assert "not trusted" in refused(text, made, root.file)


def test_encrypted_keys_need_their_password(text: Model, root: Authority, tmp_path: Path) -> None:
    own = authority(tmp_path, "own", root)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(private_pem(own.key, b"open sesame"))
    public = tmp_path / "key.pub"
    public.write_bytes(public_pem(own.key))
    assert signing.check(text, signing.sign(text, locked, password="open sesame")[0], public)
    made, _ = signing.sign(text, locked, certificate=own.file, password="open sesame")
    assert signing.check(text, made, root.file)
    for password, said in (
        (None, "--password-env"),
        ("open", "Is the password right?"),
        ("", "Is the password right?"),
    ):
        with pytest.raises(SignatureError, match=said):
            signing.sign(text, locked, password=password)
    assert signing.sign(text, own.private, password="not needed")


def test_another_file_is_refused(text: Model, trained: dict[str, Model], signature: bytes, keys: Pair) -> None:
    assert "of another file" in refused(trained["mail"], signature, keys.public)


def test_another_key_is_refused(text: Model, signature: bytes, tmp_path: Path) -> None:
    other = pair(tmp_path)
    assert "by another key" in refused(text, signature, other.public)
    made = json.loads(signature)
    made["verificationMaterial"]["publicKey"]["hint"] = signing.sign(text, other.private)[1].fingerprint
    assert "does not fit" in refused(text, made, other.public)


def test_a_changed_statement_is_refused(text: Model, trained: dict[str, Model], signature: bytes, keys: Pair) -> None:
    found = bundle.parse(signature)
    other = trained["mail"].digest
    forged = replace(found, payload=json.dumps(statement(other)).encode())
    assert "does not fit" in refused(trained["mail"], forged.document(), keys.public)
    cut = replace(found, signature=found.signature[:-1])
    assert "does not fit" in refused(text, cut.document(), keys.public)


def test_a_statement_about_this_file_alone_is_accepted(text: Model, keys: Pair) -> None:
    good = signed(keys.key, statement(text.digest))
    assert signing.check(text, json.dumps(good).encode(), keys.public).mode == "key"


OTHER = "ab" * 32


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said | {"subject": said["subject"] * 2},
        lambda said: said | {"subject": []},
        lambda said: said | {"subject": [{"name": "m", "digest": {"sha256": OTHER}}]},
        lambda said: said | {"_type": "https://in-toto.io/Statement/v0.1"},
        lambda said: said | {"predicateType": "https://slsa.dev/provenance/v1"},
        lambda said: said | {"predicateType": "https://model_signing/Digests/v0.1", "predicate": {}},
        lambda said: said | {"predicate": None},
        lambda said: [said],
        lambda said: b"not JSON",
        lambda said: json.dumps(said).replace('"subject"', '"subject": [], "subject"', 1).encode(),
    ],
)  # fmt: skip
def test_other_statements_are_refused(text: Model, keys: Pair, change: Callable[[Any], Any]) -> None:
    refused(text, signed(keys.key, change(statement(text.digest))), keys.public)


def test_the_subject_must_sum_up_the_file(text: Model) -> None:
    said = statement(text.digest)
    assert bundle.signed_digest(json.dumps(said).encode()) == text.digest
    for root in ({"sha256": OTHER}, said["subject"][0]["digest"] | {"sha512": OTHER}, None):
        said["subject"][0]["digest"] = root
        with pytest.raises(SignatureError, match="sums up"):
            bundle.signed_digest(json.dumps(said).encode())


@pytest.mark.parametrize("extra", [".", "other", "./", ""])
def test_statements_about_more_files_are_refused(text: Model, keys: Pair, extra: str) -> None:
    own = {"name": ".", "algorithm": "sha256", "digest": text.digest[7:]}
    more = {"name": extra, "algorithm": "sha256", "digest": OTHER}
    for listed in ([own, more], [more, own], [own | {"name": extra or "other"}] if extra != "." else [own, own]):
        refused(text, signed(keys.key, statement(text.digest, resources=listed)), keys.public)


@pytest.mark.parametrize("manner", [{"method": "shards"}, {"hash_type": "blake3"}, {"method": None}])
def test_statements_by_another_hash_are_refused(text: Model, keys: Pair, manner: dict[str, Any]) -> None:
    said = statement(text.digest)
    if "hash_type" in manner:
        said["predicate"]["resources"][0]["algorithm"] = manner["hash_type"]
    said["predicate"]["serialization"] |= manner
    refused(text, signed(keys.key, said), keys.public)


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.update(mediaType="application/json"),
        lambda made: made.pop("dsseEnvelope"),
        lambda made: made["dsseEnvelope"].update(payloadType="text/plain"),
        lambda made: made["dsseEnvelope"].update(payload="not base64!"),
        lambda made: made["dsseEnvelope"].update(payload=7),
        lambda made: made["dsseEnvelope"].update(signatures=[]),
        lambda made: made["dsseEnvelope"]["signatures"].append(made["dsseEnvelope"]["signatures"][0]),
        lambda made: made.update(verificationMaterial={"tlogEntries": []}),
        lambda made: made.update(verificationMaterial=[]),
        lambda made: made["verificationMaterial"].update(publicKey={}),
        lambda made: made["verificationMaterial"].update(publicKey={"hint": None}),
        lambda made: made["verificationMaterial"].update(x509CertificateChain={"certificates": []}),
        lambda made: made.update(verificationMaterial={"x509CertificateChain": {"certificates": []}}),
        lambda made: made.update(verificationMaterial={"certificate": {"rawBytes": "AAAA"}}),
    ],
)
def test_spoiled_bundles_are_refused(text: Model, signature: bytes, keys: Pair, change: Callable[[Any], Any]) -> None:
    made = json.loads(signature)
    change(made)
    refused(text, made, keys.public)


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"[]", b"7", b"\xff\xfe", b"[" * 100_000, b'{"a":1,"a":1}'])
def test_garbage_is_refused(text: Model, keys: Pair, data: bytes) -> None:
    refused(text, data, keys.public)


def test_huge_files_are_not_read(tmp_path: Path, text: Model, keys: Pair) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)  # a hole: takes no room, but no memory could hold it
    with pytest.raises(SignatureError, match="at most"):
        bundle.read(huge, "signature")
    with pytest.raises(SignatureError, match="at most"):
        signing.sign(text, huge)
    refused(text, b" " * (bundle.LIMIT + 1), keys.public)
    with pytest.raises(SignatureError, match="cannot be read"):
        bundle.read(tmp_path, "signature")
    with pytest.raises(NotFound):
        bundle.read(tmp_path / "none", "signature")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_means_nothing(
    text: Model, signature: bytes, keys: Pair, at: int, value: int
) -> None:
    spoiled = bytearray(signature)
    spoiled[at % len(spoiled)] = value
    try:
        signing.check(text, bytes(spoiled), keys.public)
    except LithifyError as error:
        assert isinstance(error, SignatureError)  # noqa: PT017
    else:
        found, made = bundle.parse(bytes(spoiled)), bundle.parse(signature)
        assert found == made


@settings(max_examples=60)
@given(data=st.binary(max_size=200))
def test_random_bytes_never_break_the_reader(data: bytes) -> None:
    with pytest.raises(SignatureError):
        bundle.parse(data)
    with pytest.raises(SignatureError):
        bundle.signed_digest(data)


def test_keys_of_other_types_are_refused(text: Model, signature: bytes, tmp_path: Path) -> None:
    others = (rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate())
    for key in (*others, ec.generate_private_key(ec.SECP256K1())):
        file = tmp_path / "file.pem"
        file.write_bytes(public_pem(key))
        assert "not made with keys of this type" in refused(text, signature, file)
        file.write_bytes(private_pem(key))
        assert "does not belong" in refused(text, signature, file)
        with pytest.raises(SignatureError, match="not made with keys of this type"):
            signing.sign(text, file)


@pytest.mark.parametrize("data", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_key_is_refused(text: Model, signature: bytes, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    refused(text, signature, tmp_path / "file")
    with pytest.raises(SignatureError):
        signing.sign(text, tmp_path / "file")
    with pytest.raises(NotFound):
        signing.check(text, signature, tmp_path / "none")


def test_keys_are_not_certificates(text: Model, signature: bytes, root: Authority, keys: Pair, tmp_path: Path) -> None:
    assert "with a bare key" in refused(text, signature, root.file)
    own = authority(tmp_path, "own", root)
    made, _ = signing.sign(text, own.private, certificate=own.file)
    assert "with a certificate" in refused(text, made, keys.public)
    assert "not trusted" in refused(text, made, authority(tmp_path, "other", ca=True).file)


@pytest.mark.parametrize(
    ("begins", "ends", "said"),
    [(NOW - 3 * DAY, NOW - DAY, "has expired"), (NOW + DAY, NOW + 3 * DAY, "not yet valid")],
)
def test_certificates_must_be_valid_now(
    text: Model, file: Path, tmp_path: Path, begins: Any, ends: Any, said: str
) -> None:
    root = authority(tmp_path, "root", ca=True, begins=NOW - 9 * DAY, ends=NOW + 9 * DAY)
    own = authority(tmp_path, "own", root, begins=begins, ends=ends)
    with pytest.raises(SignatureError, match="not valid now"):
        signing.sign(text, own.private, certificate=own.file)
    words = ("--private_key", own.private, "--signing_certificate", own.file, "--certificate_chain", root.file)
    assert official("sign", "certificate", file, *words, "--signature", tmp_path / "s").returncode == 0
    assert said in refused(text, (tmp_path / "s").read_bytes(), root.file)


def test_a_root_that_expired_is_refused(text: Model, tmp_path: Path) -> None:
    root = authority(tmp_path, "root", ca=True, begins=NOW - 9 * DAY, ends=NOW - DAY)
    own = authority(tmp_path, "own", root)
    made, _ = signing.sign(text, own.private, certificate=own.file)
    assert "has expired" in refused(text, made, root.file)


def test_certificates_for_other_uses_are_refused(
    text: Model, file: Path, root: Authority, keys: Pair, tmp_path: Path
) -> None:
    own = authority(tmp_path, "own", root, usage="agrees")
    with pytest.raises(SignatureError, match="not for signing"):
        signing.sign(text, own.private, certificate=own.file)
    words = ("--private_key", own.private, "--signing_certificate", own.file, "--certificate_chain", root.file)
    assert official("sign", "certificate", file, *words, "--signature", tmp_path / "s").returncode == 0
    assert "not for signing" in refused(text, (tmp_path / "s").read_bytes(), root.file)
    with pytest.raises(SignatureError, match="cannot be signed with this certificate"):
        signing.sign(text, keys.private, certificate=authority(tmp_path, "good", root).file)


def test_one_of_several_signatures_must_hold(text: Model, signature: bytes, keys: Pair, tmp_path: Path) -> None:
    other = pair(tmp_path)
    others = signing.sign(text, other.private)[0]
    assert signing.require(text, [b"garbage", others, signature], keys.public).mode == "key"
    with pytest.raises(SignatureError, match="is not signed"):
        signing.require(text, [], keys.public)
    with pytest.raises(SignatureError, match="by another key"):
        signing.require(text, [others, b"garbage"], keys.public)


def test_it_is_quiet(
    text: Model,
    root: Authority,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = authority(tmp_path, "own", root, usage="code")  # the library warns of the key usage it lacks
    with caplog.at_level(logging.DEBUG):
        made, _ = signing.sign(text, own.private, certificate=own.file)
        signing.check(text, made, root.file)
    assert capfd.readouterr() == ("", "")
    assert [each.message for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_new_keys_are_private_and_never_overwritten(text: Model, tmp_path: Path) -> None:
    private = tmp_path / "key.pem"
    public = signing.make_key(private)
    assert private.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in public.read_bytes()
    assert signing.check(text, signing.sign(text, private)[0], public)
    with pytest.raises(UsageError, match="is there already"):
        signing.make_key(private)
    private.unlink()
    with pytest.raises(UsageError, match="is there already"):
        signing.make_key(private)


def test_the_private_key_never_lies_on_a_disk(text: Model, keys: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    plain = Path.write_bytes

    def write(path: Path, data: bytes) -> int:
        written.append(bytes(data))
        return plain(path, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    signing.check(text, signing.sign(text, keys.private)[0], keys.public)
    assert len(written) == 2
    assert not any(b"PRIVATE" in data for data in written)


def test_nothing_is_opened_without_need(signature: bytes) -> None:
    """The module is light: servers import it whether they check signatures or not."""
    says = "import sys, lithify.model.signing; print({'cryptography', 'model_signing', 'OpenSSL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr


def test_without_the_libraries_it_says_what_to_install(
    text: Model, signature: bytes, keys: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lithify.model

    monkeypatch.delitem(sys.modules, "lithify.model.openssf")
    monkeypatch.delattr(lithify.model, "openssf")
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(MissingExtra, match=r"pip install 'lithify\[sign\]'"):
        signing.check(text, signature, keys.public)


def test_a_key_as_openssl_writes_it_with_its_curve(text: Model, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    file = tmp_path / "key.pem"
    file.write_bytes(key.private_bytes(encoding, form, serialization.BestAvailableEncryption(b"secret")))
    assert b"Proc-Type: 4,ENCRYPTED" in file.read_bytes()
    with pytest.raises(SignatureError, match="encrypted"):
        signing.sign(text, file)
    assert signing.sign(text, file, password="secret")
