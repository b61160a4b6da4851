"""Evaluations, reports, heat maps and neighbours of models of images."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lithify import calibration, canon, conformal, novelty
from lithify.data.profile import profile
from lithify.errors import DataError, UsageError
from lithify.evaluation import explained, heat, thumbnails
from lithify.evaluation.evaluate import evaluate
from lithify.evaluation.neighbours import neighbours
from lithify.evaluation.report import render
from lithify.learners import registry
from lithify.media import pixels
from lithify.model import unknowns
from lithify.model.card import card
from lithify.model.model import Model, open_model
from lithify.model.sealed import seal

from .. import imaging
from .test_report import Page

HOSTILE = '</title><script>alert(1)</script>"'


@pytest.fixture(scope="module", autouse=True)
def learner():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "imaging_of_tests", imaging)
        patch.setitem(registry.BUILT_IN, "patches", "imaging_of_tests:Patches")
        yield


def sealed(snapshot: imaging.StandInImages) -> Model:
    draft = imaging.draft(snapshot)
    rows = np.flatnonzero(snapshot.table.side == 2)
    raw, embedding = draft.score_all(snapshot.content(rows))
    y = snapshot.table.label[rows]
    draft = replace(draft, calibration=calibration.fit_temperature(raw, y))
    draft = replace(draft, conformal=conformal.fit_sets(draft.probabilities(raw), y))
    draft = unknowns.with_novelty(draft, snapshot, (raw, embedding))
    test = snapshot.rows("test")
    measured = unknowns.figures(draft, snapshot, test, draft.score_all(snapshot.content(test)))
    codes = {"calibration": calibration.REVISION, "conformal": conformal.REVISION, "novelty": novelty.REVISION}
    facts = card(
        snapshot, {}, {**codes, **draft.features.engine, **draft.learner.engine}, draft, {}, test, {}, measured
    )
    return open_model(seal(draft, facts, profile(draft.probabilities(raw))))


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return imaging.images(wrong=2, home=SimpleNamespace(cache=tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def model(snapshot):
    return sealed(snapshot)


@pytest.fixture(scope="module")
def evaluation(model, snapshot):
    return evaluate(model, snapshot, looks=1)


def test_novelty_and_mistakes_are_measured(evaluation) -> None:
    assert [each.level for each in evaluation.unusual.found] == [0.01, 0.05]
    assert {each.what for each in evaluation.unusual.sealed} == set(unknowns.KINDS)
    document = evaluation.to_json()
    canon.dumps(document)
    assert document["novelty"]["found"][1]["rows"] == evaluation.rows
    assert len(document["mistakes"]) == 6
    for mistake in document["mistakes"]:
        named = {mistake["predicted"], *(each["label"] for each in mistake["others"])}
        assert mistake["truth"] in named
        assert sum(each["probability"] for each in mistake["others"]) + mistake["probability"] <= 1 + 1e-9
    assert "missed_at_1_per_100" not in evaluation.metrics


def test_no_picture_is_in_a_page_unless_asked_for(evaluation, snapshot) -> None:
    plain, shown = render(evaluation), render(evaluation, show_content=True)
    assert "data:image" not in plain.replace("img-src data:", "")
    assert shown.count('<img src="data:image/') == len(evaluation.mistakes)
    for page in (plain, shown):
        assert not Page(page).open
        text = re.sub(r"\s+", " ", Page(page).text)
        for needed in ("Unknown inputs", "made up: noise", "How the loss fell", "How the accuracy rose", "taken for"):
            assert needed in text, needed
        assert "://" not in re.sub(r'xmlns(:xlink)?="[^"]+"', "", page)


def test_a_page_of_many_labels_stays_short(tmp_path: Path) -> None:
    many = imaging.images(8, tuple(f"label {i:03}" for i in range(60)))
    text = re.sub(r"\s+", " ", Page(render(evaluate(sealed(many), many))).text)
    assert "60 labels" in text
    assert "The labels that are found least" in text
    assert "the pairs with the most rows" in text
    assert "of all labels together. Too few calibration rows" in text
    assert text.count("label 007") < 20


def test_labels_do_not_break_out(tmp_path: Path) -> None:
    snapshot = imaging.images(40, (HOSTILE, "b", "c"), wrong=2)
    model = sealed(snapshot)
    pages = [render(evaluate(model, snapshot), show_content=True)]
    found = model.explain_content(snapshot.contents[0])
    path = explained.write(tmp_path / "heat.html", found, snapshot.contents[0], 64)
    pages.append(path.read_text())
    for page in pages:
        assert "<script>alert" not in page
        assert not Page(page).open


def test_a_thumbnail_is_small_and_never_fails() -> None:
    large = pixels.to_pnm(np.zeros((400, 900, 3), dtype=np.uint8))
    shown = thumbnails.thumbnail(large)
    assert shown.startswith("data:image/jpeg;base64,")
    assert len(shown) < 2_000
    assert thumbnails.thumbnail(b"GIF89a") == thumbnails.thumbnail(b"") == ""


def test_heat_is_as_dense_as_weights_are_large() -> None:
    grey = np.full((8, 8, 3), 128, dtype=np.uint8)
    weights = np.array([[2.0, 1.0], [0.0, -2.0]])
    drawn = heat.overlay(grey, weights).astype(int)
    ground = drawn[6, 1]
    assert len(set(ground.tolist())) == 1
    towards, half, away = drawn[1, 1], drawn[1, 6], drawn[6, 6]
    assert towards[0] > ground[0] > away[0]
    assert away[2] > ground[2] > towards[2]
    assert np.abs(2 * (half - ground) - (towards - ground)).max() <= 2
    assert (heat.overlay(grey, np.zeros((2, 2))) == ground).all()


def test_the_two_directions_are_equally_strong() -> None:
    """Same lightness and chroma in OKLab (Ottosson 2020), to what a byte can hold."""

    def oklab(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(colour) / 255]
        lms = np.cbrt(
            np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                      [0.0883024619, 0.2817188376, 0.6299787005]]) @ linear)  # fmt: skip
        return (
            np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                      [0.0259040371, 0.7827717662, -0.8086757660]]) @ lms)  # fmt: skip

    away, towards = oklab(heat.AWAY), oklab(heat.TOWARDS)
    assert away[0] == pytest.approx(towards[0], abs=0.01)
    assert np.hypot(*away[1:]) == pytest.approx(np.hypot(*towards[1:]), abs=0.01)


def test_an_explanation_is_a_picture(model, snapshot, tmp_path: Path) -> None:
    content = snapshot.contents[-1]
    found = model.explain_content(content)
    path = explained.write(tmp_path / "heat.png", found, content, 64)
    image = Image.open(io.BytesIO(path.read_bytes()))
    assert image.format == "PNG"
    side = len(heat.seen(content))
    assert image.width > 2 * side
    assert explained.write(tmp_path / "again.png", found, content, 64).read_bytes() == path.read_bytes()
    with pytest.raises(UsageError):
        explained.write(tmp_path / "heat.jpg", found, content, 64)


def test_a_long_label_is_cut(model, snapshot, tmp_path: Path) -> None:
    found = model.explain_content(snapshot.contents[0])
    longer = replace(found, label="x" * 500 + "\n", prediction=replace(found.prediction, label="blue"))
    with Image.open(explained.write(tmp_path / "a.png", longer, snapshot.contents[0], 64)) as image:
        assert image.width < 1_000


def test_neighbours_are_alike(model, snapshot, tmp_path: Path) -> None:
    train = snapshot.rows("train")
    row = int(train[7])
    found = neighbours(model, snapshot, snapshot.contents[row], 5)
    assert found[0].row == row
    assert found[0].distance == pytest.approx(0.0, abs=1e-12)
    assert [each.distance for each in found] == sorted(each.distance for each in found)
    assert {each.label for each in found} == {snapshot.labels[snapshot.table.label[row]]}
    assert found[0].to_json() == {"key": found[0].key, "label": found[0].label, "distance": found[0].distance}
    assert "row" not in json.dumps(found[0].to_json())
    path = explained.write(
        tmp_path / "near.html",
        model.explain_content(snapshot.contents[row]),
        snapshot.contents[row],
        64,
        found,
        snapshot,
    )
    assert path.read_text().count("<img") == 3  # the two pictures and the scale; keys alone of the others
    explained.write(
        path, model.explain_content(snapshot.contents[row]), snapshot.contents[row], 64, found, snapshot, True
    )
    assert path.read_text().count("<img") == 8


def test_embeddings_are_kept_and_made_again(model, snapshot, tmp_path: Path, monkeypatch) -> None:
    kept = replace(snapshot, home=SimpleNamespace(cache=tmp_path))
    first = neighbours(model, kept, snapshot.contents[1], 3)
    (file,) = tmp_path.glob("embeddings-*/*.block")
    asked = []
    monkeypatch.setattr(type(kept), "batches", lambda self, rows, size=1: asked.append(len(rows)) or iter(()))
    assert neighbours(model, kept, snapshot.contents[1], 3) == first
    assert not asked
    monkeypatch.undo()
    file.write_bytes(file.read_bytes()[:-1])
    assert neighbours(model, kept, snapshot.contents[1], 3) == first
    assert file.stat().st_size


def test_neighbours_of_what_has_none(model, snapshot) -> None:
    with pytest.raises(UsageError):
        neighbours(model, snapshot, snapshot.contents[0], 0)
    with pytest.raises(DataError):
        neighbours(model, replace(snapshot, kind="mail"), snapshot.contents[0])
