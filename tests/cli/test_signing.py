"""sign, verify --key, provenance: for people and with --json."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ..signers import Pair, authority, pair, private_pem
from .conftest import Place, Run


@pytest.fixture
def model(place: Place, tmp_path: Path) -> Path:
    """A copy of the model's file; the home of the tests knows nothing of it."""
    return Path(shutil.copy(place.model, tmp_path / "spam.lith"))


@pytest.fixture
def keys(tmp_path: Path) -> Pair:
    return pair(tmp_path)


def test_from_a_new_key_to_a_signature_that_is_checked(lithify: Run, model: Path) -> None:
    done = lithify("sign", "--make-key", "own.pem")
    assert done.status == 0, done.err
    assert "own.pem.pub  public" in done.out
    done = lithify("sign", model, "--key", "own.pem")
    assert done.status == 0, done.err
    assert "written to spam.lith.sig" in done.out
    assert "kept" not in done.out
    done = lithify("verify", "spam.lith", "--key", "own.pem.pub")
    assert done.status == 0, done.err
    assert "signature: signed by the key" in done.out
    assert lithify("verify", "spam.lith", "--key", "own.pem.pub", "--signature", "spam.lith.sig").status == 0


def test_json(lithify: Run, model: Path, keys: Pair, place: Place) -> None:
    made = lithify("sign", model, "--key", keys.private, "--out", "s", "--json").json
    assert set(made) == {"model", "signature", "path", "home", "signer"}
    assert set(made["signer"]) == {"mode", "name", "fingerprint"}
    assert made["home"] is False
    assert Path(made["path"]).name == "s"
    found = lithify("verify", model, "--key", keys.public, "--signature", "s", "--json").json
    assert found["checked"] == ["structure", "seal", "golden predictions", "signature"]
    assert found["signer"] == made["signer"]
    assert set(lithify("sign", "--make-key", "new.pem", "--json").json) == {"private", "public"}
    assert "signer" not in lithify("verify", place.model, "--json").json


def test_with_certificates(lithify: Run, model: Path, tmp_path: Path) -> None:
    root = authority(tmp_path, "root", ca=True)
    middle = authority(tmp_path, "middle", root, ca=True)
    own = authority(tmp_path, "own", middle)
    own.private.write_bytes(private_pem(own.key, b"secret"))
    words = ("sign", model, "--key", own.private, "--certificate", own.file, "--chain", middle.file)
    done = lithify(*words, "--password-env", "PASSWORD_OF_KEY")
    assert (done.status, "PASSWORD_OF_KEY is not set" in done.err) == (2, True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSWORD_OF_KEY", "secret")
        done = lithify(*words, "--password-env", "PASSWORD_OF_KEY")
    assert done.status == 0, done.err
    assert "by CN=own" in done.out
    done = lithify("verify", model, "--certificate-chain", root.file)
    assert done.status == 0, done.err
    assert "signed by CN=own" in done.out
    other = authority(tmp_path, "other", ca=True)
    assert lithify("verify", model, "--certificate-chain", other.file).status == 65


def test_what_does_not_hold_is_65_and_says_so(lithify: Run, model: Path, keys: Pair, tmp_path: Path) -> None:
    done = lithify("verify", model, "--key", keys.public, "--json")
    assert (done.status, done.json["code"]) == (65, "signature")
    assert "lithify sign" in done.json["hint"]
    lithify("sign", model, "--key", keys.private)
    done = lithify("verify", model, "--key", pair(tmp_path, "other").public)
    assert done.status == 65
    assert "by another key" in done.err
    assert "Traceback" not in done.err
    beside = tmp_path / "spam.lith.sig"
    beside.write_bytes(beside.read_bytes()[:-9])
    assert lithify("verify", model, "--key", keys.public).status == 65
    beside.unlink()
    beside.mkdir()
    assert lithify("verify", model, "--key", keys.public).status == 65


@pytest.mark.parametrize(
    "words",
    [
        ("sign",),
        ("sign", "spam.lith"),
        ("sign", "--key", "key.pem"),
        ("sign", "spam.lith", "--make-key", "new.pem"),
        ("sign", "--make-key", "key.pem"),
        ("verify", "spam.lith", "--key", "key.pub", "--certificate-chain", "key.pub"),
        ("verify", "spam.lith", "--signature", "s"),
    ],
)
def test_what_cannot_be_meant(lithify: Run, model: Path, keys: Pair, words: tuple[str, ...]) -> None:
    done = lithify(*words)
    assert done.status == 2, done.err


def test_only_models_are_signed(lithify: Run, place: Place, keys: Pair) -> None:
    done = lithify("verify", "inbox", "--key", keys.public, "--home", place.home)
    assert done.status == 2
    assert "Only a model can be signed" in done.err


def test_provenance_is_a_statement_about_the_model(lithify: Run, place: Place) -> None:
    done = lithify("provenance", place.model, "--home", place.home)
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert found["predicateType"] == "https://slsa.dev/provenance/v1"
    assert lithify("provenance", place.model, "--home", place.home, "--json").json == found
    assert "metadata" in found["predicate"]["runDetails"]
    assert "metadata" not in lithify("provenance", place.model).json["predicate"]["runDetails"]


def test_bill_of_materials_goes_to_a_file(lithify: Run, place: Place, tmp_path: Path) -> None:
    done = lithify("provenance", place.model, "--bom", "--out", "spam.cdx.json")
    assert (done.status, done.out) == (0, "")
    assert json.loads((tmp_path / "spam.cdx.json").read_text())["bomFormat"] == "CycloneDX"


def test_a_bare_key_is_no_certificate(lithify: Run, model: Path, keys: Pair) -> None:
    lithify("sign", model, "--key", keys.private)
    done = lithify("verify", model, "--certificate-chain", keys.public)
    assert done.status == 2
    assert "--key" in done.err
