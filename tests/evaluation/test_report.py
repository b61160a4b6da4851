from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from lithify.errors import StoreError
from lithify.evaluation import drawing, plots
from lithify.evaluation.evaluate import evaluate
from lithify.evaluation.report import render

from .conftest import HOSTILE, make

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, visible text, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page(evaluation):
    return render(evaluation)


@pytest.fixture(scope="module")
def hostile():
    """Labels, card, quarantine and spans that try to break out; whole texts shown."""
    model, snapshot = make(300, (HOSTILE, HOSTILE + "\"'&"), 3.0, spam=HOSTILE + "\"'&")
    model.card = {HOSTILE: HOSTILE, "list": [HOSTILE], "data": {"snapshot": snapshot.digest}}
    snapshot.manifest = {
        "split": {"rule": HOSTILE, "reason": HOSTILE},
        "quarantine": {HOSTILE: 1},
        "parent": None,
        "copies": 0,
        "truncated": 0,
    }
    snapshot.contents = [content + b"\n" + HOSTILE.encode() + b"\xff\x00" for content in snapshot.contents]
    return render(evaluate(model, snapshot), show_content=True)


def test_answer_comes_first(page, evaluation):
    text = re.sub(r"\s+", " ", Page(page).text)  # also of no-break spaces
    lost, hams = evaluation.verdicts["ham"]["spam"], evaluation.counts["ham"]
    said = f"At the sealed cut-off {lost or 'none'} of {hams} ham would be lost"
    assert said in text
    for needed in ("split by time", "looked at 3 times", "7 two labels", "recipe.learner", "linear", "95 % interval"):
        assert needed in text, needed
    assert text.index(said) < text.index("Measured on") < text.index("All figures") < text.index("Worst mistakes")


def test_every_figure_of_the_table_is_shown(page, evaluation):
    text = re.sub(r"\s+", " ", Page(page).text)
    for row in evaluation.table():
        assert row.name in text
        assert row.value in text
        assert row.interval in text


def test_curves_of_many_labels_are_named(many):
    picture = drawing.svg(plots.roc(many.y, many.probabilities, many.labels))
    for name in many.labels:
        assert f">{name}</text>" in picture


def test_pictures(page, many):
    assert page.count("<svg") == 5
    assert render(many).count("<svg") == 4
    assert "var(--positive" in page


def test_nothing_is_fetched(page, hostile):
    for text in (page, hostile):
        for tag, attributes in Page(text).elements:
            assert tag not in {"img", "iframe", "object", "embed", "link", "image", "use", "base", "form", "a"}, tag
            assert not {"src", "href", "xlink:href", "srcset", "action"} & attributes.keys()
        assert "url(" not in text
        assert "@import" not in text


def test_only_our_script_may_run(page, hostile):
    import base64
    import hashlib

    for text in (page, hostile):
        elements = Page(text).elements
        assert [tag for tag, _ in elements].count("script") == 1
        assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]
        script = re.search(r"<script>(.*?)</script>", text, re.S).group(1)
        allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = next(a["content"] for _, a in elements if a.get("http-equiv") == "Content-Security-Policy")
        assert f"script-src 'sha256-{allowed}'" in policy
        assert policy.startswith("default-src 'none'")


def test_hostile_text_is_shown_as_text(hostile):
    parsed = Page(hostile)
    assert parsed.open == []
    assert "<script>alert(1)</script>" in parsed.text
    assert "<script>alert" not in hostile


def test_control_characters_of_spans_are_gone(page):
    assert "The Bat!" in page
    assert "\u202e" not in page
    assert "\x00" not in page


def test_content_only_when_asked_for(evaluation, tmp_path):
    secret = "Subject: number"
    body = "hello"
    short = evaluation.report(tmp_path / "a.html").read_text()
    assert secret not in short
    assert body not in short
    assert '<details class="text">' not in short
    whole = evaluation.report(tmp_path / "b.html", show_content=True).read_text()
    assert whole.count('<details class="text">') == len(evaluation.mistakes) > 0
    assert body in whole


def test_equal_evaluations_give_equal_pages(evaluation):
    again = evaluate(*make(), looks=3)
    assert render(again) == render(evaluation)


def test_no_mistakes_one_label_and_tiny_splits():
    model, snapshot = make(60, noise=0.01, cutoffs=False)
    assert "every row" in render(evaluate(model, snapshot))
    snapshot.table.side[snapshot.table.label == 1] = 0
    assert "No row is labelled spam" in render(evaluate(model, snapshot))
    snapshot.table.side[np.flatnonzero(snapshot.table.side == 3)[1:]] = 0
    assert "1 rows" in render(evaluate(model, snapshot))


def test_a_report_that_cannot_be_written_leaves_nothing(evaluation, tmp_path):
    target = tmp_path / "folder"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(StoreError, match="report"):
        evaluation.report(target)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
