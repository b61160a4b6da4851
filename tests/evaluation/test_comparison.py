"""Two models on the same rows of a snapshot."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lithify as lf
from lithify import canon, things
from lithify.data.schema import Field
from lithify.data.split import SIDES
from lithify.errors import DataError, TooFewRows, UsageError
from lithify.evaluation.comparison.compare import compare
from lithify.evaluation.comparison.cost import latency
from lithify.evaluation.comparison.gates import Gates
from lithify.evaluation.comparison.reading import check, readers, translate
from lithify.evaluation.comparison.rows import choose
from lithify.store.home import Home

NONCE = "walrus-canary"


def people(count: int, first: int = 0) -> dict[str, list[Any]]:
    g = np.random.default_rng(first)
    age, pay = g.normal(45, 12, count).round(6), g.normal(30, 8, count).round(6)
    town = g.choice(["Ulm", "Bonn", NONCE], count)
    buys = np.where(age + 8 * (town == "Ulm") + g.normal(size=count) * 6 > 46, "yes", "no")
    spent = 3 * age + pay * (town == "Bonn") + g.normal(size=count) * 4
    return {
        "age": age.tolist(),
        "pay": pay.tolist(),
        "town": town.tolist(),
        "buys": buys.tolist(),
        "spent": spent.tolist(),
    }


def without(columns: dict[str, list[Any]], *names: str) -> dict[str, list[Any]]:
    return {name: column for name, column in columns.items() if name not in names}


@dataclass
class World:
    """A home with snapshots and models of all kinds that are quickly trained."""

    home: Home
    snapshots: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, made: Path) -> World:
    home = things.open_home(tmp_path_factory.mktemp("world") / "home")
    found = World(home)
    rows = people(2_400)
    found.snapshots["labels"] = lf.snapshot(without(rows, "spent"), label="buys", home=home)
    found.snapshots["values"] = lf.snapshot(without(rows, "buys"), label="spent", home=home)
    found.snapshots["narrow"] = lf.snapshot(without(rows, "spent", "pay"), label="buys", home=home)
    for kind, learner in (("labels", "tree"), ("labels", "linear"), ("values", "tree"), ("values", "linear"),
                          ("narrow", "tree")):  # fmt: skip
        found.models[f"{kind} {learner}"] = lf.train(found.snapshots[kind], learner=learner, home=home)
    texts = made.parent / "texts.csv"
    found.snapshots["texts"] = lf.snapshot(texts, label="label", text="text", kind="text", home=home, split="hash")
    for steps in (1, 8):
        found.models[f"texts {steps}"] = lf.train(found.snapshots["texts"], set={"linear.steps": steps}, home=home)
    return found


def test_both_on_the_same_rows(world: World) -> None:
    snapshot, a, b = world.snapshots["labels"], world.models["labels tree"], world.models["labels linear"]
    found = compare(a, b, snapshot, looks=4)
    rows = snapshot.rows("test")
    assert found.rows == len(rows) == sum(found.counts.values())
    assert found.metrics.keys() == lf.evaluate(a, snapshot, home=world.home).metrics.keys()
    for role, model in (("champion", a), ("challenger", b)):
        own = lf.evaluate(model, snapshot, home=world.home)
        for name, each in found.metrics.items():
            assert getattr(each, role) == pytest.approx(own.metrics[name]["value"], abs=1e-12)
        assert found.figures[role]["accuracy"]["value"] == own.metrics["accuracy"]["value"]
    first, second = (model.predict_proba(rows_of(snapshot, rows)) for model in (a, b))
    truth = np.array(snapshot.labels)[snapshot.table.label[rows]]
    right = [np.array(snapshot.labels)[p.argmax(axis=1)] == truth for p in (first, second)]
    assert found.flips is not None
    assert found.flips.negative.rows == (right[0] & ~right[1]).sum()
    assert found.flips.positive.rows == (right[1] & ~right[0]).sum()
    assert {one.field for one in found.slices} == {"label", "age", "pay", "town"}
    assert {flip.truth for flip in found.worst} <= {"no", "yes"}
    assert all(flip.champion == flip.truth != flip.challenger for flip in found.worst)
    assert all(flip.challenger == flip.truth != flip.champion for flip in found.best)
    assert canon.loads(canon.dumps(found.to_json()))["looks"] == 4
    assert NONCE not in str(found.worst + found.best)


def rows_of(snapshot: Any, rows: np.ndarray) -> list[dict[str, Any]]:
    from lithify.data.cells import decode_row, layout

    at = layout(snapshot.inputs)
    names = [one.name for one in (*at.numbers, *at.strings)]
    contents = snapshot.content(rows)
    cells = [[*numbers, *strings] for numbers, strings in (decode_row(at, content) for content in contents)]
    return [
        {name: cell.decode() if isinstance(cell, bytes) else cell for name, cell in zip(names, row, strict=True)}
        for row in cells
    ]


def test_the_other_way_round_is_the_mirror_image(world: World) -> None:
    snapshot, a, b = world.snapshots["labels"], world.models["labels tree"], world.models["labels linear"]
    there, back = compare(a, b, snapshot), compare(b, a, snapshot)
    assert there.flips is not None
    assert back.flips is not None
    assert there.flips.negative == back.flips.positive
    for name, each in there.metrics.items():
        other = back.metrics[name]
        assert [each.difference, each.low, each.high] == pytest.approx(
            [-other.difference, -other.high, -other.low], abs=1e-9
        )


def test_regression(world: World) -> None:
    found = compare(world.models["values linear"], world.models["values tree"], world.snapshots["values"])
    assert found.flips is None
    assert found.findings.deciding == "rmse"
    assert {"rmse", "mae", "r_squared"} <= found.metrics.keys()
    assert "true value" in {one.field for one in found.slices}
    grown = [abs(flip.truth - flip.challenger) - abs(flip.truth - flip.champion) for flip in found.worst]
    assert grown == sorted(grown, reverse=True)
    assert min(grown) > 0.0
    assert len(found.worst) == 50
    document = found.to_json()
    assert document["flips"] is document["mcnemar"] is None
    assert len(document["moved"]["further_off"]) == 50


def test_rows_that_either_learned_from_are_left_out(world: World) -> None:
    ours = world.snapshots["labels"]
    fresh, old = people(400, 5), without(people(2_400), "spent")
    mixed = {name: [*old[name][:600], *fresh[name]] for name in old}
    other = lf.snapshot(mixed, label="buys", home=world.home, split="hash")
    pair = (world.models["labels tree"], world.models["labels linear"])
    found = choose(pair, other, "all", trained={ours.digest: ours})
    keys = {key.tobytes() for key in ours.table.key[np.isin(ours.table.side, SIDES["train"] + SIDES["validation"])]}
    of = [key.tobytes() in keys for key in other.table.key]
    assert found.seen == {"champion": sum(of), "challenger": sum(of)}
    assert 400 < sum(of) < 600
    assert len(found.rows) == len(other) - sum(of)
    assert not any(of[row] for row in found.rows)
    compared = compare(*pair, other, split="all", trained={ours.digest: ours})
    assert "that the champion learned from" in " ".join(compared.notes)


def test_an_unknown_origin_is_said(world: World) -> None:
    other = lf.snapshot(without(people(300, 9), "spent"), label="buys", home=world.home)
    found = choose((world.models["labels tree"], world.models["labels linear"]), other, "all")
    assert found.seen == {}
    assert [note.split(",")[1].strip()[:27] for note in found.notes] == [
        "which the champion was trai",
        "which the challenger was tr",
    ]


def test_nothing_left(world: World) -> None:
    pair = (world.models["labels tree"], world.models["labels linear"])
    with pytest.raises(TooFewRows, match="neither model has learned from"):
        choose(pair, world.snapshots["labels"], "train")
    with pytest.raises(UsageError, match="no such split"):
        choose(pair, world.snapshots["labels"], "tests")
    with pytest.raises(UsageError, match="generation 3"):
        choose(pair, world.snapshots["labels"], generation=3)


def test_generations(world: World) -> None:
    old = world.snapshots["labels"]
    both = {
        name: a + b
        for (name, a), b in zip(
            without(people(2_400), "spent").items(), without(people(500, 3), "spent").values(), strict=True
        )
    }
    grown = lf.snapshot(both, label="buys", parent=old, home=world.home)
    pair = (world.models["labels tree"], world.models["labels linear"])
    newest, oldest, every = (
        choose(pair, grown, generation=each, trained={old.digest: old}) for each in ("newest", 0, "all")
    )
    assert newest.generations.keys() == {1}
    assert oldest.generations.keys() == {0}
    assert every.generations == newest.generations | oldest.generations
    assert "generation" in {
        one.field for one in compare(*pair, grown, generation="all", trained={old.digest: old}).slices
    }


def test_models_that_cannot_be_compared(world: World) -> None:
    tree, linear = world.models["labels tree"], world.models["labels linear"]
    with pytest.raises(UsageError, match="same model"):
        compare(tree, tree, world.snapshots["labels"])
    with pytest.raises(DataError, match="challenger is for other rows"):
        compare(tree, world.models["values tree"], world.snapshots["labels"])
    with pytest.raises(DataError, match="champion is for other rows"):
        compare(world.models["texts 1"], tree, world.snapshots["labels"])
    more = without(people(300), "spent")
    more["buys"] = ["perhaps" if n % 3 == 0 else label for n, label in enumerate(more["buys"])]
    wider = lf.snapshot(more, label="buys", home=world.home)
    with pytest.raises(DataError, match=r"does not know every label.*perhaps"):
        compare(tree, linear, wider)
    with pytest.raises(DataError, match="same labels apart"):
        check(tree, lf.train(wider, learner="tree", home=world.home), world.snapshots["labels"])
    quantile = lf.train(
        world.snapshots["values"], learner="boosting", home=world.home,
        set={"boosting.objective": "quantile", "boosting.quantile": 0.9, "boosting.rounds": 3},
    )  # fmt: skip
    with pytest.raises(DataError, match="predict a quantile"):
        compare(world.models["values tree"], quantile, world.snapshots["values"])


def test_fields_that_one_model_lacks(world: World) -> None:
    """A model of fewer fields gets its own cells; one that needs others is refused."""
    narrow, wide = world.models["narrow tree"], world.models["labels tree"]
    found = compare(narrow, wide, world.snapshots["labels"])
    rows = world.snapshots["labels"].rows("test")
    expected = narrow.predict_proba(rows_of(world.snapshots["labels"], rows))
    np.testing.assert_array_equal(found.champion_output, expected)
    with pytest.raises(DataError, match=r"challenger cannot read.*no pay"):
        compare(narrow, wide, world.snapshots["narrow"])
    read = readers((narrow, wide), world.snapshots["labels"])
    contents = world.snapshots["labels"].content(rows[:3])
    assert read[1](contents) == contents


def test_cells_are_translated_as_they_would_be_written() -> None:
    from lithify.data.cells import encode_row

    have = tuple(
        Field(name, kind, "input")
        for name, kind in (("a", "number"), ("b", "category"), ("c", "text"), ("d", "boolean"), ("e", "category"))
    )
    want = (have[4], have[0], have[2])
    rows = [{"a": 1.5, "b": "x", "c": "ü" * 3, "d": True, "e": None}, {"b": None, "c": "", "e": "long text"}]
    contents = [encode_row(have, row)[0] for row in rows]
    assert translate(have, want, contents) == [encode_row(want, row)[0] for row in rows]
    assert translate(have, have[:1], contents) == [encode_row(have[:1], row)[0] for row in rows]
    assert translate(have, have[1:2], []) == []


def test_time_is_taken_by_turns(world: World) -> None:
    ticking = (0.001 * tick for tick in itertools.count())
    pair = (world.models["labels tree"], world.models["labels linear"])
    snapshot = world.snapshots["labels"]
    contents = snapshot.content(snapshot.rows("test")[:20])
    found = latency(pair, readers(pair, snapshot), contents, clock=lambda: next(ticking))
    assert found.champion == found.challenger == pytest.approx(0.001, rel=1e-6)
    assert found.times == pytest.approx(1.0)


def page(found: Any, path: Path, show_content: bool = False) -> str:
    return found.report(path, show_content=show_content).read_text()


def test_pages(world: World, tmp_path: Path) -> None:
    pairs = {"labels": ("labels tree", "labels linear"), "values": ("values linear", "values tree"),
             "texts": ("texts 1", "texts 8")}  # fmt: skip
    for name, (a, b) in pairs.items():
        found = compare(world.models[a], world.models[b], world.snapshots[name])
        text = page(found, tmp_path / f"{name}.html")
        assert found.champion.digest in text
        assert found.challenger.digest in text
        assert re.search(r'class="lead">[^<]*(challenger|Undecided)', text)
        assert text.count("<svg") >= 2 + len(found.metrics)
        assert not re.search(r'(src|href)="(?!data:)', text)
        assert not (tmp_path / f".{name}.html").exists()


def test_a_page_shows_content_only_when_asked(world: World, tmp_path: Path) -> None:
    found = compare(world.models["texts 8"], world.models["texts 1"], world.snapshots["texts"])
    assert found.worst, "one step is meant to be worse than eight"
    whole = world.snapshots["texts"].content(np.array([found.worst[0].row]))[0].decode()
    assert whole not in page(found, tmp_path / "plain.html")
    assert whole in page(found, tmp_path / "whole.html", show_content=True)


def test_hostile_names_stay_text(world: World, tmp_path: Path) -> None:
    rows = without(people(600), "spent")
    rows["buys"] = ["<script>alert(1)</script>" if each == "yes" else each for each in rows["buys"]]
    snapshot = lf.snapshot(rows, label="buys", home=world.home)
    pair = [lf.train(snapshot, learner=learner, home=world.home) for learner in ("tree", "linear")]
    text = page(compare(*pair, snapshot), tmp_path / "hostile.html", show_content=True)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_gates_reach_the_verdict(world: World) -> None:
    pair = (world.models["labels tree"], world.models["labels linear"], world.snapshots["labels"])
    found = compare(*pair, gates=Gates(metric="log_loss", margin=100.0, flips=None, slices=False))
    assert found.findings.deciding == "log_loss"
    assert found.verdict in ("better", "not worse")
    assert found.passes
    tight = compare(*pair, gates=Gates(size=1e-6))
    assert tight.verdict == "worse"
    assert not tight.passes


def test_no_verdict_is_hidden_by_a_rule_for_something_else():
    """The section of the answer has its verdict as a class; a rule for that class alone would take it away."""
    from importlib.resources import files

    style = files("lithify.evaluation").joinpath("templates/report.css").read_text()
    hidden = [rule.partition("{")[0] for rule in style.split("}") if "display: none" in rule.rpartition("{")[2]]
    assert hidden
    alone = {selector.strip().rpartition("{")[2].strip() for rule in hidden for selector in rule.split(",")}
    assert not alone & {".better", ".worse", ".undecided", ".not", ".answer"}
