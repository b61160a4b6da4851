"""The verb `compare`: where the rows come from, what is left out, what is kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lithify as lf
from lithify import canon, things
from lithify.errors import NotFound, TooFewRows, UsageError
from lithify.evaluation.comparison.gates import Gates
from lithify.store.comparisons import Comparisons
from lithify.store.gc import collect
from lithify.store.home import Home, open_home

CANARY = "walrus-canary"


def people(count: int, first: int = 0) -> dict[str, list[Any]]:
    g = np.random.default_rng(first)
    age, town = g.normal(45, 12, count).round(6), g.choice(["Ulm", "Bonn", CANARY], count)
    buys = np.where(age + 8 * (town == "Ulm") + g.normal(size=count) * 6 > 46, "yes", "no")
    return {"age": age.tolist(), "town": town.tolist(), "buys": buys.tolist()}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a snapshot and two models; to be copied, never changed."""
    folder = tmp_path_factory.mktemp("prepared")
    home = things.open_home(folder / "home")
    frozen = lf.snapshot(people(1_500), label="buys", home=home)
    for learner in ("tree", "linear"):
        lf.train(frozen, learner=learner, home=home, out=folder / f"{learner}.lith")
    home.catalog.close()
    return folder


@pytest.fixture
def home(prepared: Path, tmp_path: Path) -> Home:
    shutil.copytree(prepared / "home", tmp_path / "home")
    for learner in ("tree", "linear"):
        shutil.copy(prepared / f"{learner}.lith", tmp_path)
    return open_home(tmp_path / "home")


def models(home: Home) -> tuple[str, str]:
    """Digests of the tree and of the linear model."""
    tree, linear = home.catalog.models()
    return tree.digest, linear.digest


def test_everything_is_kept(home: Home) -> None:
    champion, challenger = models(home)
    (frozen,) = home.catalog.snapshots()
    looks = home.catalog.looks(frozen.digest, "test")
    found = lf.compare(champion, challenger, home=home)
    assert found.snapshot.digest == frozen.digest
    assert found.looks == looks + 2 == home.catalog.looks(frozen.digest, "test")
    assert home.catalog.looks(frozen.digest, "test", 0) == looks + 2
    row = Comparisons(home.catalog).latest(champion, challenger)
    assert row is not None
    assert (row.verdict, row.snapshot) == (found.verdict, frozen.digest)
    kept = home.blobs.get(row.digest)
    assert canon.loads(kept) == canon.loads(canon.dumps(found.to_json()))
    assert CANARY.encode() not in kept
    for role, digest in (("champion", champion), ("challenger", challenger)):
        (evaluation,) = home.catalog.evaluations(digest)
        assert (evaluation.snapshot, evaluation.split) == (frozen.digest, "test")
        assert evaluation.metrics["accuracy"]["value"] == found.figures[role]["accuracy"]["value"]
    assert not [each for each in collect(home, dry_run=True).removed if row.digest[7:] in each.path]


def test_a_comparison_that_fails_leaves_nothing(home: Home) -> None:
    champion, challenger = models(home)
    (frozen,) = home.catalog.snapshots()
    looks = home.catalog.looks(frozen.digest, "test")
    for how in ({"split": "train"}, {"generation": 7}, {"gates": Gates(metric="rmse")}):
        with pytest.raises(lf.errors.LithifyError):
            lf.compare(champion, challenger, home=home, **how)
    assert home.catalog.looks(frozen.digest, "test") == looks
    assert Comparisons(home.catalog).all() == []
    assert home.catalog.evaluations() == []


def test_data_new_to_both(home: Home) -> None:
    """All rows of it count; with rows that were trained on among them, those are left out."""
    champion, challenger = models(home)
    fresh = people(300, 4)
    found = lf.compare(champion, challenger, lf.snapshot(fresh, label="buys", home=home), split="all", home=home)
    assert found.rows == 300
    assert found.seen == {"champion": 0, "challenger": 0}
    old = people(1_500)
    mixed = {name: fresh[name][:50] + old[name][:100] for name in fresh}
    less = lf.compare(champion, challenger, lf.snapshot(mixed, label="buys", home=home), split="all", home=home)
    assert 50 <= less.rows == 150 - less.seen["champion"] < 80
    assert f"Left out: {less.seen['champion']} that the champion learned from" in " ".join(less.notes)


def test_copies_of_what_was_learned_from_are_left_out_too(home: Home) -> None:
    """Rows of a table that are equal to a training row are one group with it, however many there are."""
    champion, challenger = models(home)
    old, fresh = people(1_500), people(100, 4)
    row = trained_rows(home)[0]
    copied = {name: fresh[name] + [old[name][row]] * 5 for name in old}
    found = lf.compare(champion, challenger, lf.snapshot(copied, label="buys", home=home), split="all", home=home)
    assert (found.rows, found.seen["challenger"]) == (100, 5)


def test_nothing_new(home: Home) -> None:
    champion, challenger = models(home)
    old = people(1_500)
    only = {name: [old[name][row] for row in trained_rows(home)] for name in old}
    seen = lf.snapshot(only, label="buys", home=home)
    with pytest.raises(TooFewRows):
        lf.compare(champion, challenger, seen, split="all", home=home)


def trained_rows(home: Home) -> list[int]:
    """Rows of the source, in its order, that the models learned from: by their cells."""
    frozen = things.find_snapshot(home, home.catalog.snapshots()[0].digest)
    from lithify.data.cells import encode_row
    from lithify.data.schema import Row

    known = {frozen.table.key[row].tobytes() for row in frozen.rows("train").tolist()}
    old = people(1_500)
    cells = [{name: column[row] for name, column in old.items()} for row in range(1_500)]
    found = [row for row, each in enumerate(cells) if Row(encode_row(frozen.fields, each)[0]).key in known]
    assert len(found) > 1_000
    return found[:200]


def test_a_table_is_read_with_the_fields_of_both(home: Home, tmp_path: Path) -> None:
    """Rows as a file: what both models read is in the snapshot, though one of them reads less."""
    narrow = lf.train({name: column for name, column in people(900, 8).items() if name != "town"}, label="buys",
                      learner="tree", home=home)  # fmt: skip
    wide = home.catalog.models()[0].digest
    columns = people(400, 11)
    file = tmp_path / "new.csv"
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    file.write_text("\n".join(lines) + "\n")
    for pair in ((wide, narrow), (narrow, wide)):
        found = lf.compare(*pair, file, split="all", home=home)
        assert found.rows == 400
        assert {field.name for field in found.snapshot.inputs} == {"age", "town"}


def test_models_from_files_and_gates_from_a_file(home: Home, tmp_path: Path) -> None:
    gates = tmp_path / "gates.toml"
    gates.write_text("margin = 0.5\nflips = false\nslices = false\n")
    found = lf.compare(tmp_path / "tree.lith", tmp_path / "linear.lith", gates=gates, home=home)
    assert found.verdict in ("better", "not worse")
    gates.write_text("marginn = 0.5\n")
    with pytest.raises(UsageError, match="Did you mean margin"):
        lf.compare(tmp_path / "tree.lith", tmp_path / "linear.lith", gates=str(gates), home=home)
    with pytest.raises(UsageError, match="no metric"):
        lf.compare(tmp_path / "tree.lith", tmp_path / "linear.lith", gates=Gates(metric="acc"), home=home)


def test_a_foreign_challenger_needs_data(tmp_path: Path, prepared: Path) -> None:
    elsewhere = open_home(tmp_path / "elsewhere")
    pair = (prepared / "tree.lith", prepared / "linear.lith")
    with pytest.raises(NotFound, match="Say what to compare on"):
        lf.compare(*pair, home=elsewhere)
    fresh = lf.snapshot(people(300, 4), label="buys", home=elsewhere)
    found = lf.compare(*pair, fresh, split="all", home=elsewhere)
    assert found.seen == {}
    assert sum("is not in this home" in note for note in found.notes) == 2


def test_a_passing_comparison_opens_the_way_to_promotion(home: Home) -> None:
    champion, challenger = models(home)
    lf.promote(champion, "buyers", home=home)
    with pytest.raises(lf.errors.PromotionRefused):
        lf.promote(challenger, "buyers", home=home)
    found = lf.compare("buyers", challenger, gates=Gates(margin=1.0, flips=None, slices=False), home=home)
    assert found.champion.digest == champion
    entry = lf.promote(challenger, "buyers", home=home)
    assert entry.evidence["verdict"] == found.verdict
