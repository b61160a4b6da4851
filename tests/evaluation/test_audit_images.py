"""Audits of images: what was planted is found, and nothing in clean ones."""

from __future__ import annotations

import numpy as np
import pytest

from lithify.data import split
from lithify.evaluation.audit import images, page
from lithify.evaluation.audit.finding import Audit, Finding, Item
from lithify.evaluation.audit.scene import Scene

from .. import imaging
from .test_report import Page


def signatures(snapshot: imaging.StandInImages, width=None, height=None, channels=None):
    """As snapshots of images hold them: thumbnails of 8 x 8 pixels, and sizes."""
    n = len(snapshot.contents)
    found = np.zeros((n, 128), dtype=np.uint16)
    small = np.random.default_rng(0).integers(0, 255, (n, 192), dtype=np.uint8)
    found[:, 4:100] = small.view(np.uint16)
    found[:, 100] = 20 if width is None else width
    found[:, 101] = 20 if height is None else height
    found[:, 102] = 3 if channels is None else channels
    return found


def scene(snapshot: imaging.StandInImages) -> Scene:
    side = snapshot.table.side
    learn, test = np.flatnonzero(side < split.TEST), np.flatnonzero(side == split.TEST)
    rows = np.concatenate([learn, test])
    return Scene(snapshot, rows, len(learn), False, (len(learn), len(test)), [], [])


@pytest.fixture
def snapshot() -> imaging.StandInImages:
    made = imaging.images(100)
    made.table.signature = signatures(made)
    return made


def kinds(snapshot: imaging.StandInImages) -> dict[str, Finding]:
    return {finding.kind: finding for finding in images.images(scene(snapshot))}


def test_clean_pictures_raise_nothing(snapshot) -> None:
    assert kinds(snapshot) == {}
    snapshot.kind = "text"
    assert list(images.images(scene(snapshot))) == []


def test_copies_across_sides_are_paired(snapshot) -> None:
    table = snapshot.table
    later, earlier, other = 3, 0, 4
    table.side[later] = split.EXCLUDED
    table.group[[later, earlier, other]] = 0
    table.signature[later, 4:100] = table.signature[earlier, 4:100]
    found = kinds(snapshot)["copies across sides"]
    (item,) = found.items
    assert found.severity == "warning"
    assert item.name == table.key[later].tobytes().hex()
    assert item.figures["like"] == table.key[earlier].tobytes().hex()[:16]
    assert item.figures["levels apart"] == 0.0
    assert found.figures["pictures left out"] == 1


def test_two_labels_are_paired_most_alike_first(snapshot) -> None:
    table = snapshot.table
    blue, green, red = 0, 100, 200
    far = (1, 101)
    table.group[[blue, green]] = 0
    table.group[list(far)] = 1
    table.signature[green, 4:100] = table.signature[blue, 4:100]
    found = kinds(snapshot)["two labels"]
    assert found.found == 4
    assert found.figures == {"rows in them": 4, "groups": 2}
    assert {(item.figures["label"], item.figures["its label"]) for item in found.items} == {
        ("blue", "green"), ("green", "blue")
    }  # fmt: skip
    assert [item.figures["levels apart"] for item in found.items[:2]] == [0.0, 0.0]
    assert found.items[2].figures["levels apart"] > 20
    table.side[green] = split.TEST  # of test rows labels are not looked at
    assert kinds(snapshot)["two labels"].found == 2
    table.group[red] = 99


def test_sizes_that_tell_the_label(snapshot) -> None:
    label = snapshot.table.label
    snapshot.table.signature = signatures(snapshot, width=np.where(label == 0, 24, 20))
    found = kinds(snapshot)["size tells"]
    assert found.severity == "danger"
    assert {item.name for item in found.items} == {"width", "shape (width by height)"}
    noise = np.random.default_rng(1).integers(18, 30, len(label))
    snapshot.table.signature = signatures(snapshot, width=noise)
    assert "size tells" not in kinds(snapshot)


def test_odd_sizes(snapshot) -> None:
    width = np.full(300, 200)
    width[[5, 6]] = 90, 40
    height = np.full(300, 200)
    height[9] = 500
    snapshot.manifest["images"]["side"] = 200
    snapshot.table.signature = signatures(snapshot, width, height)
    found = kinds(snapshot)
    keys = [snapshot.table.key[row].tobytes().hex() for row in (6, 5)]
    assert [item.name for item in found["small pictures"].items] == keys
    narrow = found["narrow pictures"]
    assert narrow.found == 3
    assert narrow.items[0].figures == {"width": 40, "height": 200}


def test_grey_among_colour(snapshot) -> None:
    channels = np.full(300, 3)
    channels[:8] = 1
    snapshot.table.signature = signatures(snapshot, channels=channels)
    found = kinds(snapshot)["grey among colour"]
    assert found.severity == "note"
    assert found.found == 8
    snapshot.table.signature[20, 4:100] = np.full(192, 77, dtype=np.uint8).view(np.uint16)  # coloured, without colour
    assert kinds(snapshot)["grey among colour"].found == 9
    channels[:] = np.where(snapshot.table.label == 0, 1, 3)
    snapshot.table.signature = signatures(snapshot, channels=channels)
    assert kinds(snapshot)["grey among colour"].severity == "warning"
    snapshot.table.signature = signatures(snapshot, channels=np.ones(300))
    assert "grey among colour" not in kinds(snapshot)


def test_bad_files_are_counted_by_reason(snapshot) -> None:
    snapshot.manifest["quarantine"] = {"unreadable": 2, "empty": 9}
    found = kinds(snapshot)["bad files"]
    assert [(item.name, item.figures["files"]) for item in found.items] == [("empty", 9), ("unreadable", 2)]
    assert found.severity == "warning"


def test_a_page_shows_pairs_only_when_asked(snapshot) -> None:
    table = snapshot.table
    table.group[[0, 100]] = 0
    snapshot.manifest["quarantine"] = {"<b>": 1}
    shown = Audit(snapshot.digest, tuple(images.images(scene(snapshot))), {}, ("A remark.",))
    plain, pictures = (page.render(shown, snapshot, ask) for ask in (False, True))
    assert "<img" not in plain
    assert pictures.count("<img") == 4
    for each in (plain, pictures):
        assert not Page(each).open
        assert "<b>" not in Page(each).text.replace("<b>", "", 1)
        assert "A remark." in each
        assert "different labels" in each


def test_a_page_of_other_rows(snapshot) -> None:
    snapshot.kind = "table"
    item = Item("ab" * 32, {"label": "yes", "probability": 0.98765}, "size = 3")
    finding = Finding("label noise", "warning", "T.", "3 rows", "A.", {"share": 0.5}, (item,), "rows", 7)
    shown = page.render(Audit(snapshot.digest, (finding,), {}), snapshot, True)
    assert "0.9877" in shown
    assert "size = 3" in shown
    assert "And 6 more" in shown
    assert "Nothing was found" in page.render(Audit(snapshot.digest, (), {}), snapshot)
