"""Commands on images: a folder is learned from, and pictures are judged, explained and audited."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lithify.cli import main
from lithify.learners import registry

from .. import imaging
from .conftest import Run


@dataclass(frozen=True)
class Photos:
    """A home with the snapshot ``photos`` of a folder, and a model trained on it."""

    home: Path
    folder: Path
    model: Path

    def one(self, label: str = "red") -> Path:
        return self.folder / label / "007.png"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Photos]:
    """Of each label 160 pictures; one file that is none."""
    place = tmp_path_factory.mktemp("photos")
    for label in imaging.LABELS:
        (place / "data" / label).mkdir(parents=True)
        for number in range(160):
            picture = Image.fromarray(imaging.picture(label, number))
            picture.save(place / "data" / label / f"{number:03}.png")
    (place / "data" / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "imaging_of_tests", imaging)
        patch.setitem(registry.BUILT_IN, "patches", "imaging_of_tests:Patches")
        words = ["train", place / "data", "--name", "photos", "--learner", "patches", "--set", "features.side=16"]
        words += ["--out", place / "photos.lith", "--home", place / "home", "-q"]
        assert main([str(word) for word in words]) == 0
        yield Photos(place / "home", place / "data", place / "photos.lith")


def test_pictures_are_judged(lithify: Run, photos: Photos) -> None:
    done = lithify("predict", photos.model, photos.folder / "red", "--json")
    assert done.status == 65  # for the broken one
    judged = [line for line in done.lines if "problem" not in line]
    assert len(judged) == 160
    assert sum(line["label"] == "red" for line in judged) > 140
    assert all(0 <= line["novelty"] < 1 for line in judged)
    assert {"labels", "probabilities", "model", "input"} <= judged[0].keys()
    (alone,) = lithify("predict", photos.model, judged[3]["input"], "--json").lines
    assert alone == judged[3]


def test_bad_images_are_named_and_the_others_are_judged(lithify: Run, photos: Photos) -> None:
    whole = photos.one().read_bytes()
    for name, content in (("a.png", whole), ("b.png", whole[:-200]), ("c.png", b"none"), ("d.png", whole)):
        Path("some").mkdir(exist_ok=True)
        Path("some", name).write_bytes(content)
    done = lithify("predict", photos.model, "some")
    assert done.status == 65
    words = [line.split()[0] for line in done.out.splitlines()]
    assert words == ["red", "?", "?", "red"]
    assert "b.png: unreadable" in done.out.replace("\n", " ")
    assert "2 inputs of 4 could not be judged" in done.err
    assert lithify("predict", photos.model, "some/b.png").status == 65


def test_many_labels_stand_below_each_other(lithify: Run) -> None:
    for code in range(24):
        label = Path("data", f"a rather long label {code:02}")
        label.mkdir(parents=True)
        for number in range(3 if code == 7 else 2):
            noise = np.random.default_rng([code, number]).integers(0, 255, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(noise).save(label / f"{number}.png")
    shown = lithify("snapshot", "data", "--home", "home").out.splitlines()
    assert "49 images (24 labels)" in " ".join(shown)
    assert "all 8 x 8, colour" in " ".join(shown)
    table = [line for line in shown if line.startswith("  a rather long label")]
    assert len(table) == 20
    assert table[7].split()[:5] == ["a", "rather", "long", "label", "07"]
    assert any(line.startswith("  and 4 labels of fewer rows") for line in shown)


def test_what_is_unlike_anything_is_said(lithify: Run, photos: Photos) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    Image.fromarray(noise).save("noise.png")
    (line,) = lithify("predict", photos.model, "noise.png", "--json").lines
    shown = lithify("predict", photos.model, "noise.png").out
    assert ("unlike anything it was trained on" in shown) == (line["novelty"] >= 0.99)
    assert line["novelty"] > 0.9
    assert "unlike" not in lithify("predict", photos.model, photos.one()).out


def test_explanation_names_cells_and_draws_them(lithify: Run, photos: Photos) -> None:
    done = lithify("explain", photos.model, photos.one(), "--out", "heat.png", "--json").json
    assert done["picture"].endswith("heat.png")
    assert done["contributions"][0]["channel"] == "image"
    assert done["base"] + sum(item["weight"] for item in done["contributions"]) == pytest.approx(done["score"])
    assert Image.open(io.BytesIO(Path("heat.png").read_bytes())).format == "PNG"
    shown = lithify("explain", photos.model, photos.one(), "--top", "4").out
    assert "row " in shown
    assert "weaker cells" in shown
    assert lithify("explain", photos.model, photos.one(), "--out", "heat.bmp").status == 2
    assert lithify("explain", photos.model, photos.folder / "red").status == 2


def test_neighbours_are_found_in_the_snapshot(lithify: Run, photos: Photos) -> None:
    words = ["explain", photos.model, photos.one(), "--neighbours", "3", "--home", photos.home]
    found = lithify(*words, "--json").json["neighbours"]
    assert len(found) == 3
    assert [each["label"] for each in found] == ["red"] * 3
    assert "nearest training rows" in lithify(*words, "--snapshot", "photos").out
    lithify(*words, "--out", "near.html", "--show-content")
    assert Path("near.html").read_text().count("<img") == 6
    assert lithify("explain", photos.model, photos.one(), "--neighbours", "3").status != 0  # not in this home


def test_options_for_images_are_for_images(lithify: Run, photos: Photos) -> None:
    done = lithify("explain", photos.model, photos.one(), "--row", "3")
    assert done.status == 2
    assert "--row is for tables" in done.err
    assert "mail and texts" in lithify("predict", photos.model, photos.one(), "--text", "x").err


def test_evaluation_and_card(lithify: Run, photos: Photos) -> None:
    found = lithify("evaluate", photos.model, "photos", "--home", photos.home, "--report", "r.html", "--json").json
    assert found["metrics"]["accuracy"]["value"] > 0.9
    assert {each["level"] for each in found["novelty"]["found"]} == {0.01, 0.05}
    assert "data:image" not in Path("r.html").read_text().replace("img-src data:", "")
    shown = lithify("show", photos.model, "--home", photos.home).out
    assert "Unknown inputs" in shown
    assert "made up: noise" in shown
    assert lithify("verify", photos.model).status == 0


def test_audit_writes_a_page(lithify: Run, photos: Photos) -> None:
    done = lithify("audit", "photos", "--home", photos.home, "--report", "audit.html", "--show-content", "--json")
    assert done.status == 0, done.err
    kinds = {finding["kind"] for finding in done.json["findings"]}
    assert "bad files" in kinds
    assert "label noise" not in kinds
    assert "<h1>" in Path("audit.html").read_text()
