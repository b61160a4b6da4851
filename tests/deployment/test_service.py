from __future__ import annotations

import gc
import logging
import os
import shutil
import sys
import threading
import weakref
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithify import api
from lithify.deployment.service import Service, warm
from lithify.errors import (
    GoldenMismatch,
    IntegrityError,
    MalformedContainer,
    NewerFormat,
    NotFound,
    SignatureError,
    StoreError,
    UsageError,
)
from lithify.kernels import compiled
from lithify.model import signing
from lithify.model.model import Model
from lithify.model.sealed import GOLDEN
from lithify.store import container, layout
from lithify.store.home import Home, open_home
from lithify.store.signatures import Signatures

ROW = {"size": 40, "colour": "red"}


def rows(shift: int) -> dict[str, list[object]]:
    """Big from some size on."""
    sizes = [number % 50 for number in range(300)]
    return {
        "size": list(sizes),
        "colour": ["red", "blue", "green"] * 100,
        "target": ["big" if size > 20 + shift else "small" for size in sizes],
    }


@dataclass(frozen=True)
class Made:
    """A home with models: three alike, and one of other labels."""

    home: Path
    models: tuple[str, ...]
    other: str


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Made:
    place = tmp_path_factory.mktemp("served") / "home"
    models = tuple(api.train(rows(shift), learner="tree", home=place).digest for shift in (0, 5, 10))
    numbers = rows(0) | {"target": [float(number % 50) for number in range(300)]}
    other = api.train(numbers, learner="tree", task="regression", home=place).digest
    open_home(place).catalog.close()
    return Made(place, models, other)


@pytest.fixture
def served(trained: Made, tmp_path: Path) -> Home:
    """A copy of that home, in which ``shape`` points at the first model."""
    shutil.copytree(trained.home, tmp_path / "served")
    home = open_home(tmp_path / "served")
    move(home, trained.models[0])
    return home


def move(home: Home, digest: str, alias: str = "shape") -> None:
    home.aliases.move(alias, digest, action="promote", who="me", why="")


def adopt(home: Home, data: bytes) -> str:
    """Bytes as a model of the home, whatever they are."""
    return home.catalog.add_model(home.blobs.put(data)).digest


def replaced(home: Home, digest: str, name: str, array: Any) -> bytes:
    """A model with another tensor, sealed."""
    opened = container.unpack(home.blobs.get(digest), "model")
    return container.pack("model", opened.meta, opened.tensors | {name: array})


def test_alias_digest_and_file(served: Home, trained: Made, tmp_path: Path) -> None:
    file = tmp_path / "try out.lith"
    file.write_bytes(served.blobs.get(trained.models[2]))
    move(served, trained.models[1], "shape@canary")
    service = Service(served, ["shape", "shape@canary", trained.models[1][7:20], str(file), "shape@production"])
    named = {deployed.name: (deployed.alias, deployed.digest) for deployed in service.all()}
    digits = trained.models[1][7:19]
    assert named == {
        "shape": ("shape@production", trained.models[0]),
        "shape@canary": ("shape@canary", trained.models[1]),
        digits: (digits, trained.models[1]),
        "try out": ("try out", trained.models[2]),
    }
    assert service.ready()
    assert service.get("shape") is service.get("shape@production")
    assert service.get("shape").model.predict(ROW)[0].label == "big"


def test_a_file_is_served_as_the_first_process_found_it(served: Home, trained: Made, tmp_path: Path) -> None:
    file, folder = tmp_path / "m.lith", tmp_path / "shared"
    folder.mkdir()
    file.write_bytes(served.blobs.get(trained.models[0]))
    assert Service(None, [str(file)], folder=folder).get("m").digest == trained.models[0]
    file.write_bytes(served.blobs.get(trained.models[1]))
    assert Service(None, [str(file)], folder=folder).get("m").digest == trained.models[0]
    assert Service(None, [str(file)]).get("m").digest == trained.models[1]


def test_unknown_names_offer_what_is_there(served: Home) -> None:
    service = Service(served, ["shape"])
    with pytest.raises(NotFound, match="Did you mean shape"):
        service.get("shpae")
    with pytest.raises(NotFound, match="Served here: shape"):
        service.get("x" * 10_000)
    with pytest.raises(NotFound, match="promote MODEL ghost"):
        Service(served, ["ghost"])
    with pytest.raises(NotFound, match="no model file"):
        Service(None, ["shape"])
    with pytest.raises(NotFound, match="no file"):
        Service(None, ["nowhere.lith"])


def test_two_models_of_one_name_are_refused(served: Home, trained: Made, tmp_path: Path) -> None:
    file = tmp_path / "shape.lith"
    file.write_bytes(served.blobs.get(trained.models[2]))
    with pytest.raises(UsageError, match="one name"):
        Service(served, ["shape", str(file)])


def test_a_file_is_read_once(served: Home, trained: Made, tmp_path: Path) -> None:
    file = tmp_path / "shape.lith"
    file.write_bytes(served.blobs.get(trained.models[0]))
    service = Service(None, [str(file)])
    before = service.get("shape").model.predict_proba([ROW])
    file.write_bytes(b"\0" * file.stat().st_size)
    assert service.get("shape").model.predict_proba([ROW]).tolist() == before.tolist()
    assert service.get("shape").model.digest == trained.models[0]


def test_models_of_the_home_are_mapped(served: Home) -> None:
    deployed = Service(served, ["shape"]).get("shape")
    assert str(served.blobs.path(deployed.digest)) in Path("/proc/self/maps").read_text()


def test_follows_the_alias(served: Home, trained: Made) -> None:
    told: Counter[tuple[str, str]] = Counter()
    service = Service(served, ["shape"], tell=lambda *what: told.update([what]))
    for digest in (trained.models[1], trained.models[2], trained.models[0]):
        old = service.get("shape")
        move(served, digest)
        assert service.get("shape") is old
        service.refresh()
        assert service.get("shape").digest == digest
        assert service.get("shape").model.digest == digest
        assert old.model.predict(ROW)[0].model == old.digest  # a request that holds it finishes with it
    service.refresh()
    assert told == {("swap", "shape@production"): 3}


def test_moves_of_other_aliases_change_nothing(served: Home, trained: Made) -> None:
    service = Service(served, ["shape", trained.models[1]])
    before = service.all()
    move(served, trained.models[1], "other")
    service.refresh()
    assert all(a is b for a, b in zip(before, service.all(), strict=True))


def test_the_old_model_goes_with_its_last_request(served: Home, trained: Made) -> None:
    service = Service(served, ["shape"])
    request = service.get("shape")
    old = weakref.ref(request.model)
    move(served, trained.models[1])
    gc.disable()
    try:
        service.refresh()
        assert old() is not None
        del request
        assert old() is None
    finally:
        gc.enable()


def test_takes_over_only_once_warm(served: Home, trained: Made) -> None:
    warmed: list[tuple[str, list[str]]] = []
    services: list[Service] = []

    def note(model: Model) -> None:
        warmed.append((model.digest, [deployed.digest for service in services for deployed in service.all()]))

    services.append(Service(served, ["shape"], warm=note))
    move(served, trained.models[1])
    services[0].refresh()
    assert warmed == [(trained.models[0], []), (trained.models[1], [trained.models[0]])]


@pytest.mark.parametrize("harm", ["golden", "damaged", "missing", "newer", "swapped"])
def test_a_bad_model_is_refused(
    harm: str, served: Home, trained: Made, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: Counter[tuple[str, str]] = Counter()
    service = Service(served, ["shape"], tell=lambda *what: told.update([what]))
    bad, code = trained.models[1], "integrity"
    path = served.blobs.path(bad)
    if harm == "golden":
        raw = container.unpack(served.blobs.get(bad), "model").tensors[GOLDEN]
        bad, code = adopt(served, replaced(served, bad, GOLDEN, raw + 1.0)), GoldenMismatch.code
    elif harm == "missing":
        path.unlink()
        code = NotFound.code
    elif harm == "newer":
        with monkeypatch.context() as patch:
            patch.setattr(container, "FORMAT", layout.FORMAT + 1)
            made = replaced(served, bad, GOLDEN, np.zeros(1))
        bad, code = adopt(served, made), NewerFormat.code
    else:
        data = bytearray(path.read_bytes())
        data[-100] ^= 1
        path.chmod(0o600)
        path.write_bytes(bytes(data) if harm == "damaged" else served.blobs.get(trained.models[2]))
    move(served, bad)
    service.refresh()
    assert service.get("shape").digest == trained.models[0]
    assert service.get("shape").model.predict(ROW)[0].model == trained.models[0]
    for _ in range(3):
        service.refresh()
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(said) == 1
    assert f"({code})" in said[0]
    assert told == {("refused", "shape@production"): 1}
    move(served, trained.models[2])
    service.refresh()
    assert service.get("shape").digest == trained.models[2]
    move(served, bad)
    service.refresh()
    assert told["refused", "shape@production"] == 2
    assert service.get("shape").digest == trained.models[2]


def test_an_unforeseen_failure_is_refused_and_tells_no_content(
    served: Home, trained: Made, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(model: Model) -> None:
        if model.digest != trained.models[0]:
            raise ValueError("secret content")

    service = Service(served, ["shape"], warm=fail)
    move(served, trained.models[1])
    service.refresh()
    assert service.get("shape").digest == trained.models[0]
    assert "secret" not in caplog.text
    assert "ValueError" in caplog.text


def test_a_bad_model_cannot_be_started_with(served: Home, trained: Made) -> None:
    raw = container.unpack(served.blobs.get(trained.models[1]), "model").tensors[GOLDEN]
    move(served, adopt(served, replaced(served, trained.models[1], GOLDEN, raw - 1.0)))
    with pytest.raises(GoldenMismatch):
        Service(served, ["shape"])


def test_a_process_started_anew_has_what_the_others_accepted(served: Home, trained: Made, tmp_path: Path) -> None:
    first = Service(served, ["shape"], folder=tmp_path)
    raw = container.unpack(served.blobs.get(trained.models[1]), "model").tensors[GOLDEN]
    bad = adopt(served, replaced(served, trained.models[1], GOLDEN, raw - 1.0))
    move(served, bad)
    first.refresh()
    told: list[tuple[str, str]] = []
    second = Service(served, ["shape"], folder=tmp_path, tell=lambda *what: told.append(what))
    assert first.get("shape").digest == second.get("shape").digest == trained.models[0]
    assert told == [("refused", "shape@production")]
    second.refresh()
    assert len(told) == 1
    move(served, trained.models[2])
    second.refresh()
    assert second.get("shape").digest == trained.models[2]


def test_another_kind_of_model_is_warned_of(served: Home, trained: Made, caplog: pytest.LogCaptureFixture) -> None:
    service = Service(served, ["shape"])
    move(served, trained.other)
    service.refresh()
    assert service.get("shape").digest == trained.other
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    (line,) = [each for each in warned if "another" in each]
    assert "has another task, labels than model" in line


def test_a_home_out_of_reach_leaves_all_as_it_is(served: Home, trained: Made, caplog: pytest.LogCaptureFixture) -> None:
    service = Service(served, ["shape"])
    away = served.path.with_name("away")
    move(served, trained.models[1])
    served.path.rename(away)
    for _ in range(3):
        service.refresh()
    assert service.get("shape").digest == trained.models[0]
    assert service.get("shape").model.predict(ROW)[0].label == "big"
    assert len([record for record in caplog.records if "(store)" in record.getMessage()]) == 1
    away.rename(served.path)
    service.refresh()
    assert service.get("shape").digest == trained.models[1]


def test_a_home_restored_from_a_backup_is_followed(served: Home, trained: Made) -> None:
    served.catalog.close()
    backup = served.path / "backup.sqlite"
    shutil.copy(served.path / "catalog.sqlite", backup)
    move(served, trained.models[1])
    service = Service(served, ["shape"])
    served.catalog.close()
    os.replace(backup, served.path / "catalog.sqlite")
    service.refresh()
    assert service.get("shape").digest == trained.models[0]


def test_a_disk_that_fails_is_tried_again(
    served: Home, trained: Made, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(digest: str) -> bool:
        raise StoreError("The disk is not there.")

    service = Service(served, ["shape"])
    move(served, trained.models[1])
    with monkeypatch.context() as patch:
        patch.setattr(served.blobs, "has", fail)
        service.refresh()
        service.refresh()
    assert service.get("shape").digest == trained.models[0]
    assert caplog.text.count("The disk is not there.") == 1
    service.refresh()
    assert service.get("shape").digest == trained.models[1]


def test_the_watch_follows_while_requests_go_on(served: Home, trained: Made) -> None:
    changed = threading.Event()
    service = Service(served, ["shape"], tell=lambda *what: changed.set())
    expected = {digest: api.open(digest, home=served).predict_proba([ROW]).tolist() for digest in trained.models}
    wrong: list[str] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            deployed = service.get("shape")
            if deployed.model.predict_proba([ROW]).tolist() != expected[deployed.digest]:
                wrong.append(deployed.digest)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    also = threading.Event()
    service.watch(0.002, also.set)
    try:
        for number in range(1, 21):
            changed.clear()
            move(served, trained.models[number % 3])
            assert changed.wait(20)
            assert service.get("shape").digest == trained.models[number % 3]
    finally:
        ended.set()
        service.stop()
        for thread in asking:
            thread.join()
    assert not wrong
    assert also.is_set()


def test_warm_models_score_single_rows_with_compiled_kernels(served: Home, trained: Made) -> None:
    model = api.open(trained.models[0], home=served)
    warm(model)
    assert compiled("lithify.learners.forest.kernels").__name__ in sys.modules
    many = model.predict_proba([ROW] * 40)
    assert model.predict_proba([ROW]).tolist() == many[:1].tolist()


@pytest.mark.parametrize("where", ["home", "file"])
def test_unsigned_models_are_refused_where_a_key_is_given(
    where: str, served: Home, trained: Made, tmp_path: Path
) -> None:
    pytest.importorskip("lithify.model.openssf")
    public, other = signing.make_key(tmp_path / "mine.pem"), signing.make_key(tmp_path / "other.pem")
    file = tmp_path / "shape.lith"
    file.write_bytes(served.blobs.get(trained.models[0]))
    model = api.open(trained.models[0], home=served)
    bundle, _ = signing.sign(model, tmp_path / "mine.pem")
    thing = "shape" if where == "home" else str(file)
    with pytest.raises(SignatureError, match="shape: The model" if where == "home" else r"shape\.lith: The model"):
        Service(served, [thing], key=public)
    if where == "home":
        Signatures(served.catalog).add(model.digest, served.blobs.put(bundle))
    else:
        file.with_name("shape.lith.sig").write_bytes(bundle)
    service = Service(served, [thing], key=public)
    assert service.get("shape").digest == model.digest
    with pytest.raises(SignatureError):
        Service(served, [thing], key=other)
    if where == "home":
        move(served, trained.models[1])
        service.refresh()
        assert service.get("shape").digest == trained.models[0]


def test_errors_name_the_file_that_was_given(trained: Made, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "mine.lith").write_bytes(b"no model, but text")
    with pytest.raises(MalformedContainer, match=r"^mine\.lith is no model"):
        Service(None, [str(tmp_path / "mine.lith")], folder=tmp_path / "kept")


def test_an_object_that_is_another_model_is_no_start(served: Home, trained: Made) -> None:
    path = served.blobs.path(trained.models[0])
    path.chmod(0o600)
    path.write_bytes(served.blobs.get(trained.models[1]))
    with pytest.raises(IntegrityError, match="another one"):
        Service(served, ["shape"])
