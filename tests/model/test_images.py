"""Models of images: sealed with what tells unknown inputs, refused when it is spoiled, predicting and explaining."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lithify import novelty
from lithify.errors import MalformedContainer, Unsupported
from lithify.learners import registry
from lithify.media import pixels
from lithify.model import golden, unknowns
from lithify.model.card import card
from lithify.model.model import open_model
from lithify.model.sealed import open_sealed, seal
from lithify.store import container

from .. import imaging

ENGINE = {"calibration": 3, "conformal": 3, "features.image": 1, "novelty": 1, "patches": 1}


@pytest.fixture(autouse=True)
def learner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imaging_of_tests", imaging)
    monkeypatch.setitem(registry.BUILT_IN, "patches", "imaging_of_tests:Patches")


@pytest.fixture(scope="module")
def snapshot() -> imaging.StandInImages:
    return imaging.images()


@pytest.fixture(scope="module")
def sealed(snapshot: imaging.StandInImages) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "imaging_of_tests", imaging)
        patch.setitem(registry.BUILT_IN, "patches", "imaging_of_tests:Patches")
        return make(snapshot)


def make(snapshot: imaging.StandInImages) -> bytes:
    found = imaging.draft(snapshot)
    calibrate = np.flatnonzero(snapshot.table.side == 2)
    found = unknowns.with_novelty(found, snapshot, found.score_all(snapshot.content(calibrate)))
    test = snapshot.rows("test")
    measured = unknowns.figures(found, snapshot, test, found.score_all(snapshot.content(test)))
    reference = {"rows": 1, "predicted": [1, 0, 0], "histograms": [[0] * 20] * 3}
    from lithify.data.profile import profile

    reference = profile(found.probabilities(found.raw(snapshot.content(test))))
    facts = card(snapshot, {}, engine(found), found, {}, test, {}, measured)
    return seal(found, facts, reference)


def engine(found: Any) -> dict[str, Any]:
    from lithify import calibration, conformal

    codes = {"calibration": calibration.REVISION, "conformal": conformal.REVISION, "novelty": novelty.REVISION}
    return {**codes, **found.features.engine, **found.learner.engine}


def test_it_says_how_unusual_a_picture_is(sealed: bytes, snapshot: imaging.StandInImages) -> None:
    model = open_model(sealed, verify=True)
    contents = snapshot.content(snapshot.rows("test"))
    found = list(model.predictions([""] * len(contents), contents))
    values = np.array([each.novelty for each in found])
    assert values.min() >= 0.0
    assert values.max() <= 90 / 91
    assert 0.25 < np.median(values) < 0.75
    assert found[0].to_json()["novelty"] == found[0].novelty
    (noise,) = model.predictions(["noise"], unknowns.made("noise", np.zeros((1, 16, 16, 3), np.uint8)))
    assert noise.novelty == 90 / 91
    assert not noise.unlike  # 90 rows are too few to show one in a hundred
    shown = model.explain_content(contents[0]).to_json()
    assert shown["novelty"] == found[0].novelty


def test_a_row_alone_is_as_unusual_as_among_others(sealed: bytes, snapshot: imaging.StandInImages) -> None:
    draft = open_model(sealed).draft
    contents = snapshot.contents[:40]
    raw, together = draft.judge(contents)
    for at, content in enumerate(contents):
        alone = draft.judge([content])
        assert alone[0][0].tolist() == raw[at].tolist()
        assert alone[1].tolist() == [together[at]]
    assert draft.judge([])[1] is None


def test_the_card_says_what_is_caught(sealed: bytes) -> None:
    test = open_model(sealed).card["test"]
    found = test["novelty"]
    assert found["levels"] == [0.01, 0.05]
    assert found["rows"] == found["made"] == test["rows"] == 90
    assert set(found["unknown"]) == set(unknowns.KINDS)
    assert found["unknown"]["inverted"][1] > 0.9
    assert found["test"][1] < 0.2
    limits = open_model(sealed).card["limits"]
    assert any("made-up pictures" in line for line in limits)
    assert any("it would take 99" in line for line in limits)


def test_equal_content_gives_equal_bytes(sealed: bytes, snapshot: imaging.StandInImages) -> None:
    assert make(snapshot) == sealed


def test_golden_inputs_cover_sizes_and_channels() -> None:
    for side, channels in ((32, 3), (28, 1), (224, 3)):
        made = golden.inputs("image", side=side, channels=channels)
        assert len(made) == len(set(made)) == golden.COUNT
        seen = [pixels.look(each) for each in made]
        assert {(look.width, look.height) == (side, side) for look in seen} == {True, False}
        assert {look.channels for look in seen} == {1, 3}
        assert all(pixels.decode(each, side, channels).shape == (side, side, channels) for each in made)
    digest = hashlib.sha256(b"".join(golden.inputs("image", side=32, channels=3))).hexdigest()
    assert digest == GOLDEN_DIGEST


GOLDEN_DIGEST = "f19bd4750ad9b953c33f5a5419998aa68a18ab44fbdf49b3cc8bf9c9269c345b"


def spoiled(sealed: bytes, change: Any) -> bytes:
    opened = container.unpack(sealed)
    meta, tensors = opened.meta, {name: array.copy() for name, array in opened.tensors.items()}
    change(meta, tensors)
    return container.pack("model", meta, tensors)


def _nan(meta: Any, tensors: Any) -> None:
    tensors["novelty/means"][0, 0] = np.nan


def _no_quantile(meta: Any, tensors: Any) -> None:
    meta["novelty"]["quantiles"].pop()


def _falling(meta: Any, tensors: Any) -> None:
    meta["novelty"]["quantiles"][3] = meta["novelty"]["quantiles"][90] + 1


def _no_spread(meta: Any, tensors: Any) -> None:
    meta["novelty"]["energy"][1] = 0


def _extra(meta: Any, tensors: Any) -> None:
    tensors["novelty/more"] = np.zeros(1)


def _gone(meta: Any, tensors: Any) -> None:
    del tensors["novelty/precision"]


def _negative(meta: Any, tensors: Any) -> None:
    tensors["novelty/precision"][0] = -1


def _wide(meta: Any, tensors: Any) -> None:
    tensors["novelty/means"] = np.zeros((4, 48), dtype=np.float32)


def _double(meta: Any, tensors: Any) -> None:
    tensors["novelty/means"] = tensors["novelty/means"].astype(np.float64)


def _null(meta: Any, tensors: Any) -> None:
    meta["novelty"] = None


def _few(meta: Any, tensors: Any) -> None:
    meta["novelty"]["rows"] = 1


def _other(meta: Any, tensors: Any) -> None:
    meta["novelty"]["more"] = 1


def _missing(meta: Any, tensors: Any) -> None:
    del meta["novelty"]


def _card(meta: Any, tensors: Any) -> None:
    meta["card"]["test"]["novelty"]["unknown"]["noise"] = [0.5]


def _share(meta: Any, tensors: Any) -> None:
    meta["card"]["test"]["novelty"]["test"][0] = 1.5


def _other_kind(meta: Any, tensors: Any) -> None:
    meta["kind"] = meta["card"]["data"]["kind"] = "mail"


@pytest.mark.parametrize(
    "change",
    [_nan, _no_quantile, _falling, _no_spread, _extra, _gone, _negative, _wide, _double, _null, _few, _other, _missing,
     _card, _share, _other_kind],
)  # fmt: skip
def test_what_is_spoiled_is_refused(sealed: bytes, change: Any) -> None:
    with pytest.raises(MalformedContainer):
        open_sealed(spoiled(sealed, change))


def test_another_revision_is_refused(sealed: bytes) -> None:
    def older(meta: Any, tensors: Any) -> None:
        meta["card"]["engine"]["novelty"] = 0

    with pytest.raises(Unsupported):
        open_sealed(spoiled(sealed, older))


def test_a_model_without_novelty_is_one_too(snapshot: imaging.StandInImages) -> None:
    from lithify.data.profile import profile

    found = imaging.draft(snapshot)
    test = snapshot.rows("test")
    reference = profile(found.probabilities(found.raw(snapshot.content(test))))
    facts = card(snapshot, {}, {name: v for name, v in engine(found).items() if name != "novelty"}, found, {}, test, {})
    model = open_model(seal(found, facts, reference))
    assert model.novelty is None
    assert model.card["test"]["novelty"] is None
    (said,) = model.predictions(["a"], snapshot.contents[:1])
    assert said.novelty is None
    assert "novelty" not in said.to_json()


def test_too_few_calibration_rows_say_nothing(snapshot: imaging.StandInImages) -> None:
    found = imaging.draft(snapshot)
    some = np.flatnonzero(snapshot.table.side == 2)[: novelty.LEAST_ROWS - 1]
    assert unknowns.with_novelty(found, snapshot, found.score_all(snapshot.content(some))).novelty is None
    assert unknowns.with_novelty(replace(found, kind="mail"), snapshot, (np.zeros((0, 3)), None)).novelty is None


def test_unknown_pictures_are_what_they_say() -> None:
    seen = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    made = {kind: np.stack([pixels.decode(each) for each in unknowns.made(kind, seen)]) for kind in unknowns.KINDS}
    assert (made["inverted"] == 255 - seen).all()
    assert (np.sort(made["shuffled"].ravel()) == np.sort(seen.ravel())).all()
    assert (made["shuffled"] != seen).any()
    assert (np.ptp(made["flat"].reshape(2, -1, 3), axis=1) == 0).all()
    assert len(np.unique(made["noise"])) > 100
    assert (made["noise"][0] != made["noise"][1]).any()


def test_contributions_are_cells_and_add_up(sealed: bytes, snapshot: imaging.StandInImages) -> None:
    found = open_model(sealed).explain_content(snapshot.contents[0])
    assert {item.channel for item in found.items} == {"image"}
    assert all(0 <= item.start == item.end < 64 for item in found.items)
    assert found.base + sum(item.weight for item in found.items) == pytest.approx(found.score)
