"""The drawn tree: well-formed, escaped, nothing over anything else, nothing lost that is cut short."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from lithify.evaluation.tree_drawing import draw
from lithify.features.base import Column
from lithify.learners.forest.forest import CATEGORICAL, Forest

SVG = "{http://www.w3.org/2000/svg}"
NASTY = '<script>alert("x")</script> & so on'
CITIES = tuple(f"city number {number}" for number in range(28))


def chain(depth: int, outputs: int, name: str = "age") -> tuple[Forest, list[Column]]:
    """A tree that asks about a category first and then, again and again, about a number."""
    nodes, leaves = depth, depth + 1
    flags = np.array([CATEGORICAL] + [0] * (nodes - 1), np.uint8)
    once = {
        "feature": np.array([1] + [0] * (nodes - 1), np.int32),
        "threshold": np.arange(nodes) * 1000.0,
        "left": ~np.arange(nodes, dtype=np.int32),
        "right": np.array([*range(1, nodes), ~(leaves - 1)], np.int32),
        "flags": flags,
        "gain": np.ones(nodes),
        "value": np.linspace(-3, 3, leaves),
        "cover": np.linspace(1, 5000, leaves).round(),
        "set_bits": np.array([0x3FFFF], np.uint32),
    }
    forest = Forest(
        **{key: np.tile(array, outputs) for key, array in once.items()},
        start=np.arange(outputs + 1) * leaves,
        output=np.arange(outputs, dtype=np.int32),
        set_start=np.arange(outputs + 1),
        scale=np.ones(outputs),
        bias=np.zeros(outputs),
    )
    return forest, [Column("numbers", name, "number"), Column("categories", "place", "category", CITIES)]


@pytest.mark.parametrize(("labels", "outputs"), [((), 1), (("no", "yes"), 1), (tuple("abcdefghi"), 9)])
def test_every_leaf_and_question_is_drawn(labels: tuple[str, ...], outputs: int) -> None:
    root = ET.fromstring(draw(*chain(23, outputs), labels, unit="m"))
    titles = [title.text or "" for title in root.iter(f"{SVG}title")]
    assert len(titles) == 23 + 24
    assert all("training row" in title for title in titles)
    assert sum(text.text == "yes" for text in root.iter(f"{SVG}text") if text.get("font-size") == "10") == 23
    assert (root.get("role"), root.get("aria-label")) == ("img", "Decision tree with 24 leaves")
    shown = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert ("3 other labels" in shown) == (len(labels) == 9)
    assert any(text[-1:] == "m" for text in shown) == (not labels)


def test_long_lists_are_shortened_and_whole_in_the_title() -> None:
    root = ET.fromstring(draw(*chain(3, 1), ("no", "yes")))
    titles = " ".join(title.text or "" for title in root.iter(f"{SVG}title"))
    assert all(city in titles for city in CITIES[16:])
    shown = " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))
    assert "+11" in shown
    assert CITIES[20] not in shown


def test_texts_are_escaped() -> None:
    picture = draw(*chain(3, 1, NASTY), (NASTY, f"{NASTY}!"), unit=NASTY)
    assert "<script" not in picture
    ET.fromstring(picture)


def test_names_that_are_cut_keep_their_end() -> None:
    picture = draw(*chain(3, 1, "horizontal distance to the next hydrant"), ())
    assert "hydrant" in re.sub("<title>.*?</title>", "", picture, flags=re.S)


def test_boxes_do_not_overlap_and_stay_inside() -> None:
    root = ET.fromstring(draw(*chain(12, 1), ("no", "yes")))
    width, height = (float(part) for part in (root.get("viewBox") or "").split()[2:])
    boxes = [
        tuple(float(box.get(name) or 0) for name in ("x", "y", "width", "height"))
        for box in root.iter(f"{SVG}rect")
        if box.get("rx")
    ]
    assert len(boxes) == 12
    for at, (x, y, wide, high) in enumerate(boxes):
        assert 0 <= x <= width - wide
        assert 0 <= y <= height - high
        for other in boxes[:at]:
            assert x >= other[0] + other[2] or x + wide <= other[0] or abs(y - other[1]) >= high


def test_colours_follow_the_page() -> None:
    picture = draw(*chain(3, 1), ("no", "yes"))
    assert not re.findall(r'(?:fill|stroke)="(?!none|var\(--)', picture)
