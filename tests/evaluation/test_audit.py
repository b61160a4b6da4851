"""Audits of whole snapshots: planted faults are found, clean data raise no alarm, and nothing is given away."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import lithify as lf
from lithify import rng
from lithify.data import split
from lithify.evaluation.audit import drift, held, labels, leaks, messages, repeats, usefulness
from lithify.evaluation.audit import scene as scenes
from lithify.evaluation.audit.audit import audit
from lithify.progress import silent
from lithify.store.home import open_home

N = 1500


def clean(seed=0, n=N):
    """Columns of which two tell the label, with some doubt."""
    g = np.random.default_rng(seed)
    a, b = g.normal(size=n), g.integers(0, 5, n)
    y = a + 0.8 * (b == 2) + 0.4 * g.normal(size=n) > 0.4
    return {
        "a": a,
        "b": [f"kind {one}" for one in b],
        "c": g.gamma(2.0, 3.0, n),
        "d": np.where(g.random(n) < 0.1, np.nan, g.normal(size=n)),
        "y": np.where(y, "yes", "no"),
    }


def faulty():
    """The same with one fault of each kind; also which rows were flipped, by the value of ``c``."""
    g = np.random.default_rng(3)
    data = clean()
    truth = np.array(data["y"])
    data["paid"] = np.where(truth == "yes", 100.0, 0.0) + g.normal(size=N)
    flipped = g.random(N) < 0.05
    data["y"] = np.where(flipped, np.where(truth == "yes", "no", "yes"), truth)
    data["paid"][flipped] = np.where(data["y"][flipped] == "yes", 100.0, 0.0)
    return data, flipped


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return open_home(tmp_path_factory.mktemp("audit") / "home")


@pytest.fixture(scope="module")
def ordinary(home):
    return lf.snapshot(clean(), label="y", home=home)


@pytest.fixture(scope="module")
def untroubled(ordinary):
    return audit(ordinary)


def seen(home, data, **asked):
    return scenes.scene(lf.snapshot(data, label="y", home=home, **asked))


def the(findings, kind):
    found = [finding for finding in findings if finding.kind == kind]
    return found[0] if found else None


def names(finding):
    return [item.name for item in finding.items]


def test_clean_data_raise_no_alarm(untroubled):
    assert untroubled.of("danger") == []
    assert [finding.kind for finding in untroubled.of("warning")] in ([], ["label noise"])
    assert untroubled.find("strongest fields").items[0].name == "a"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_random_data_raise_no_alarm(home, seed, task):
    g = np.random.default_rng(seed)
    data = {f"x{i}": g.normal(size=400) for i in range(30)} | {f"k{i}": g.integers(0, 4, 400) for i in range(5)}
    data["y"] = g.choice(["p", "q", "r"], 400) if task == "classification" else g.normal(size=400)
    one = seen(home, data, task=task)
    strength = leaks.strengths(one)
    looks = (leaks.leaks(one, strength), repeats.repeats(one), drift.drift(one, strength), leaks.identifiers(one))
    looks += (usefulness.emptiness(one), usefulness.copies(one), usefulness.small_labels(one))
    assert [f.kind for look in looks for f in look if f.severity != "note"] == []


def test_the_same_snapshot_gives_the_same_document(ordinary, untroubled):
    assert json.dumps(audit(ordinary).to_json()) == json.dumps(untroubled.to_json())


def test_an_audit_is_no_look_at_the_test_unless_labels_of_it_are_asked_for(home):
    snapshot = lf.snapshot(clean(seed=8, n=300), label="y", home=home)
    first = audit(snapshot)
    assert home.catalog.looks(snapshot.digest, "test") == 0
    assert first.looked_at["test_labels"] == "counted only"
    keys = {key.tobytes().hex() for key in snapshot.table.key[snapshot.table.side == split.TEST]}
    assert not keys & {item.name for f in first.findings if f.kind == "label noise" for item in f.items}
    second = audit(snapshot, test_labels=True)
    assert home.catalog.looks(snapshot.digest, "test") == 1
    assert second.looked_at["learnable_rows"] == 300
    assert any("noted as a look" in remark for remark in second.remarks)


def test_labels_of_test_rows_change_nothing_but_counts(home):
    data = clean(seed=2, n=400)
    data["side"] = np.array(["train", "validation", "test", "train"] * 100)
    snapshot = lf.snapshot(data, label="y", split="given:side", home=home)
    test = data["side"] == "test"
    data["y"] = np.where(test, np.where(np.array(data["y"]) == "yes", "no", "yes"), data["y"])
    other = lf.snapshot(data, label="y", split="given:side", home=home)
    assert snapshot.digest != other.digest
    assert audit(snapshot).to_json()["findings"] == audit(other).to_json()["findings"]


def test_planted_leak_and_planted_noise(home):
    data, flipped = faulty()
    one = seen(home, data)
    found = list(leaks.leaks(one, leaks.strengths(one)))
    assert (found[0].kind, found[0].severity, names(found[0])) == ("leak", "danger", ["paid"])
    del data["paid"]
    snapshot = lf.snapshot(data, label="y", home=home)
    doubted = the(labels.labels(scenes.scene(snapshot), silent), "label noise")
    assert 0.02 < doubted.figures["estimated share of wrong labels"] < 0.15
    cells = {one.name: one.values for one in scenes.scene(snapshot).columns}["c"]
    wrong = set(np.asarray(data["c"])[flipped].tolist())
    number = {key.tobytes().hex(): row for row, key in enumerate(snapshot.table.key)}
    place = {row: at for at, row in enumerate(scenes.scene(snapshot).rows.tolist())}
    hits = [cells[place[number[item.name]]] in wrong for item in doubted.items[:25]]
    assert np.mean(hits) >= 0.8
    assert list(doubted.items[0].figures) == ["label", "predicted", "probability", "of the label"]


def test_planted_leak_of_values_and_planted_outliers(home):
    g = np.random.default_rng(1)
    x = g.normal(size=(600, 3))
    y = x[:, 0] + 0.3 * x[:, 1] + 0.2 * g.normal(size=600)
    y[:5] += 9.0
    data = {"p": x[:, 0], "q": x[:, 1], "r": x[:, 2], "y": y}
    one = seen(home, data, task="regression")
    far = the(labels.labels(one, silent), "far values")
    assert {round(float(item.figures["value"]), 9) for item in far.items[:4]} <= {round(v, 9) for v in y[:5].tolist()}
    data["invoice"] = 2.0 * y + 0.001 * g.normal(size=600)
    leaky = seen(home, data, task="regression")
    assert names(the(leaks.leaks(leaky, leaks.strengths(leaky)), "leak")) == ["invoice"]


def test_fields_that_age(home):
    g = np.random.default_rng(4)
    n = 1200
    day = np.sort(g.integers(0, 1000, n))
    data = clean(seed=5, n=n)
    data["when"] = [str(np.datetime64("2020-01-01") + np.timedelta64(int(one), "D")) for one in day]
    data["counter"] = 1e6 + 31.0 * np.arange(n)
    data["since"] = np.where(day < 500, np.nan, g.normal(size=n))
    one = seen(home, data, time="when", split="time")
    found = list(drift.drift(one, leaks.strengths(one)))
    assert names(the(found, "sides apart")) == ["counter"]
    assert the(found, "sides apart").severity == "warning"
    assert names(the(found, "follows time")) == ["counter"]
    filled = the(found, "filled from a date on")
    assert names(filled) == ["since"]
    assert str(filled.items[0].figures["changes on"]).startswith("2021-05")
    assert [f.severity for f in drift.drift(one, {"counter": 0.9}) if f.kind == "sides apart"] == ["danger"]


def test_labels_gathered_at_different_times(home):
    data = clean(seed=6, n=600)
    data["y"] = np.array(["no"] * 300 + ["yes"] * 300)
    data["when"] = [str(np.datetime64("2020-01-01") + np.timedelta64(i, "D")) for i in range(600)]
    found = the(leaks.label_by_time(seen(home, data, time="when", split="hash")), "target follows time")
    assert found.severity == "danger"


def test_sides_that_were_given_badly(home):
    data = clean(seed=7, n=600)
    data["side"] = np.array(["train"] * 400 + ["validation"] * 50 + ["test"] * 150)
    data["lot"] = np.where(np.arange(600) < 450, 1.0, 2.0) + 0.1 * np.asarray(data["a"])
    one = seen(home, data, split="given:side")
    assert the(drift.drift(one, {}), "sides apart").severity == "danger"


def test_near_copies_across_sides_and_copies_with_two_labels(home):
    data = {name: list(values) for name, values in clean(seed=9, n=800).items()}
    data["side"] = ["train"] * 600 + ["validation"] * 50 + ["test"] * 150
    for i in range(60):  # test rows that are training rows but for their last digits
        for name in ("a", "c", "d"):
            data[name][i] = float(f"{data[name][i]:.3g}")
            data[name][-1 - i] = data[name][i] * 1.00001
        data["b"][-1 - i] = data["b"][i]
    for i in range(100, 120):  # the same inputs, another label
        for name in ("a", "b", "c", "d"):
            data[name][i + 20] = data[name][i]
        data["y"][i], data["y"][i + 20] = "no", "yes"
    found = list(repeats.repeats(seen(home, data, split="given:side")))
    near = the(found, "near copies")
    assert near.severity == "danger"
    assert 60 <= near.found <= 62
    two = the(found, "two labels")
    assert two.figures["contents"] == 20
    assert two.severity == "warning"
    assert the(found, "copies on two sides") is None


def test_useless_fields(home):
    g = np.random.default_rng(2)
    data = clean(seed=10, n=600)
    data["flag"] = [1.0] + [0.0] * 599
    data["sparse"] = np.where(np.arange(600) < 550, np.nan, g.normal(size=600))
    data["a in cents"] = 100.0 * np.asarray(data["a"])
    data["b code"] = [ord(one[-1]) * 1.0 for one in data["b"]]
    data["town"] = [f"town {i // 2}" for i in g.permutation(600)]
    data["row"] = np.arange(600)
    data["y"] = np.where(np.arange(600) < 30, "rare", data["y"])
    kinds = {"town": "category", "row": "number", "b code": "number", "flag": "number"}
    one = seen(home, data, fields=kinds)
    nothing = scenes.Column("empty", "number", np.full(len(one.rows), np.nan))
    empty = list(usefulness.emptiness(replace(one, columns=[*one.columns, nothing])))
    assert names(the(empty, "all missing")) == ["empty"]
    assert names(the(empty, "near constant")) == ["flag"]
    assert names(the(empty, "mostly missing")) == ["sparse"]
    assert names(the(usefulness.copies(one), "fields alike")) == ["a and a in cents", "b and b code"]
    assert names(the(usefulness.cardinality(one), "many values")) == ["town"]
    assert names(the(usefulness.small_labels(one), "small labels")) == ["rare"]
    assert names(the(leaks.identifiers(one), "identifier among inputs")) == ["row"]


def mail(i, label, tagged):
    draws = rng.below(rng.key(0, label, i), 0, 26, 60).reshape(20, 3)
    words = " ".join("".join(chr(97 + one) for one in word) for word in draws.tolist())
    words += " meeting" if label == "ham" else " offer"
    day = np.datetime64("2003-01-01") + np.timedelta64(i, "D")
    date = day.astype(object).strftime("%a, %d %b %Y 10:00:00 +0000")
    tag = "List-Id: <dev.lists.example>\n" if tagged else ""
    return f"From: a{i}@x.example\n{tag}Subject: {words[:9]}\nDate: {date}\n\n{words} secretword{i}\n".encode()


@pytest.fixture(scope="module")
def inbox(home, tmp_path_factory):
    """Mail of which all ham came by a list in the first four fifths, and none later."""
    folder = tmp_path_factory.mktemp("inbox")
    for label in ("ham", "spam"):
        (folder / label).mkdir()
        for i in range(300):
            (folder / label / f"{i}.eml").write_bytes(mail(i, label, label == "ham" and i < 240))
    return lf.snapshot(folder, home=home, split="time")


def test_list_tags_that_give_ham_away_and_are_gone_later(inbox):
    one = scenes.scene(inbox)
    found = the(messages.messages(one, silent), "headers tell the label")
    assert found.severity == "danger"
    tag = found.items[0]
    assert (tag.name.split(":")[0].split(" ")[0], tag.figures["tells"]) == ("list-id", "ham")
    assert tag.figures["margin"] == 1.0
    assert tag.figures["later"] <= 0.0
    assert tag.figures["test"] == 0.0


def test_no_content_is_given_away_unless_asked_for(inbox, ordinary):
    text = json.dumps(audit(inbox).to_json())
    assert "secretword" not in text
    assert "Subject: " not in text
    assert "kind 2" not in json.dumps(audit(ordinary).to_json())
    shown = audit(ordinary, show_content=True)
    held = [item.content for f in shown.findings if f.what == "rows" for item in f.items]
    assert all("b = kind" in content for content in held[:5])
    assert held


def test_words_that_give_the_label_away(home):
    g = np.random.default_rng(0)
    pool = ["red", "green", "blue", "yellow", "brown", "black", "white", "grey"]
    texts = [" ".join(g.choice(pool, 12)) + (" footer" if i % 2 else "") + f" n{i}" for i in range(500)]
    data = {"text": texts, "y": np.array(["a", "b"] * 250)}
    one = seen(home, data, fields={"text": "text"})
    found = the(messages.messages(one, silent), "words tell the label")
    assert (names(found), found.severity) == (["text: footer"], "warning")


def test_without_lightgbm_the_linear_learner_looks_for_wrong_labels(ordinary, monkeypatch):
    monkeypatch.setattr(held, "find_spec", lambda name: None)
    one = scenes.scene(ordinary)
    found = held.held_out(ordinary, one.rows[: one.learn], silent)
    assert found.learner == "linear"
    assert ((found.raw[:, 1] > found.raw[:, 0]) == one.target).mean() > 0.8


def test_many_rows_are_sampled_by_their_keys_and_that_is_said(home, monkeypatch):
    monkeypatch.setattr(scenes, "TABLE_ROWS", 200)
    monkeypatch.setattr(scenes, "FEWEST", 200)
    snapshot = lf.snapshot(clean(seed=11), label="y", home=home)
    found = audit(snapshot)
    assert found.looked_at["learnable_rows"] == 200
    assert found.remarks[0].startswith("Looked at 200 of ")
