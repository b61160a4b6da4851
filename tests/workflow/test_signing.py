"""Where signatures go, and where they are looked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import lithify as lf
from lithify.errors import NotFound, SignatureError, UsageError
from lithify.model.model import Model
from lithify.store.gc import collect
from lithify.store.home import Home, open_home
from lithify.store.signatures import Signatures
from lithify.workflow.signing import signatures, write_document

from ..signers import Pair, authority, pair

ROWS = {"size": [n % 50 for n in range(400)], "colour": ["red", "blue"] * 200}
ROWS["target"] = ["big" if int(size) > 24 else "small" for size in ROWS["size"]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = open_home(tmp_path / "home")
    yield opened
    opened.catalog.close()


@pytest.fixture
def model(home: Home, tmp_path: Path) -> Model:
    return lf.train(ROWS, learner="tree", home=home, out=tmp_path / "tree.lith")


@pytest.fixture
def keys(tmp_path: Path) -> Pair:
    return pair(tmp_path)


def test_of_a_file_beside_it_and_in_the_home_that_has_it(model: Model, home: Home, keys: Pair, tmp_path: Path) -> None:
    made = lf.sign(tmp_path / "tree.lith", keys.private, home=home)
    assert (made.path, made.kept, made.model) == (tmp_path / "tree.lith.sig", True, model.digest)
    assert Signatures(home.catalog).of(model.digest) == [made.digest]
    assert home.blobs.get(made.digest) == (tmp_path / "tree.lith.sig").read_bytes()
    assert lf.verify_signature(model, keys.public, home=home) == made.signer
    assert lf.verify_signature(model.digest, keys.public, home=home) == made.signer
    (tmp_path / "tree.lith.sig").unlink()
    assert lf.verify_signature(model, keys.public, home=home) == made.signer


def test_of_a_file_alone_where_the_home_has_it_not(model: Model, keys: Pair, tmp_path: Path) -> None:
    elsewhere = open_home(tmp_path / "elsewhere")
    made = lf.sign(tmp_path / "tree.lith", keys.private, home=elsewhere)
    assert (made.path, made.kept) == (tmp_path / "tree.lith.sig", False)
    assert Signatures(elsewhere.catalog).all() == []
    (tmp_path / "tree.lith").rename(tmp_path / "other.lith")
    with pytest.raises(SignatureError, match="not signed"):
        lf.verify_signature(tmp_path / "other.lith", keys.public, home=elsewhere)
    beside = tmp_path / "tree.lith.sig"
    assert lf.verify_signature(tmp_path / "other.lith", keys.public, signature=beside, home=elsewhere)


def test_of_a_model_in_the_home_there_and_where_it_is_asked_for(
    model: Model, home: Home, keys: Pair, tmp_path: Path
) -> None:
    made = lf.sign(model.digest[7:19], keys.private, home=home)
    assert (made.path, made.kept) == (None, True)
    assert not list(home.blobs.folder.glob("*/*.sig"))
    again = lf.sign(model.digest, keys.private, out=tmp_path / "s", home=home)
    assert again.path == tmp_path / "s"
    assert Signatures(home.catalog).of(model.digest) == [again.digest, made.digest]
    assert {each.why for each in collect(home, grace=-10).removed} == {"the run is over"}
    assert len(signatures(model, home)) == 2


def test_a_file_is_checked_with_all_that_is_known(model: Model, home: Home, keys: Pair, tmp_path: Path) -> None:
    lf.sign(model.digest, keys.private, home=home)
    root = authority(tmp_path, "root", ca=True)
    own = authority(tmp_path, "own", root)
    lf.sign(tmp_path / "tree.lith", own.private, certificate=own.file, home=home)
    assert lf.verify_signature(model, keys.public, home=home).mode == "key"
    assert lf.verify_signature(model, root.file, home=home).name == "CN=own"


def test_files_are_checked_where_no_home_can_be(model: Model, keys: Pair, tmp_path: Path) -> None:
    lf.sign(tmp_path / "tree.lith", keys.private, home=tmp_path / "elsewhere")
    (tmp_path / "plain file").write_bytes(b"")
    with pytest.raises(UsageError):  # what is wrong is said
        lf.verify_signature(model, keys.public, home=tmp_path / "plain file")
    assert lf.verify_signature(model, keys.public, home="/proc/none")


def test_a_chain_without_its_certificate_means_nothing(model: Model, home: Home, keys: Pair, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="belongs to a certificate"):
        lf.sign(model.digest, keys.private, chain=[keys.public], home=home)
    with pytest.raises(NotFound, match="no folder"):
        lf.sign(model.digest, keys.private, out=tmp_path / "none" / "s", home=home)


def test_signing_changes_nothing_of_the_model(model: Model, home: Home, keys: Pair, tmp_path: Path) -> None:
    before = (tmp_path / "tree.lith").read_bytes()
    lf.sign(tmp_path / "tree.lith", keys.private, home=home)
    assert (tmp_path / "tree.lith").read_bytes() == before
    assert lf.open(tmp_path / "tree.lith", verify=True).digest == model.digest


def test_documents_of_equal_models_are_equal_files(model: Model, home: Home, tmp_path: Path) -> None:
    for bom in (False, True):
        paths = [
            write_document(lf.provenance(thing, bom=bom, home=home), tmp_path / name)
            for thing, name in ((model.digest, "a.json"), (tmp_path / "tree.lith", "b.json"))
        ]
        assert paths[0].read_bytes() == paths[1].read_bytes()
        assert model.digest[7:] in paths[0].read_text()
