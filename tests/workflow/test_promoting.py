"""Promote, roll back, history: what is refused, what is written down, and that one of many wins."""

from __future__ import annotations

import getpass
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.workflow.race import Race, small_model, variants

import lithify as lf
from lithify import canon
from lithify.errors import (
    AliasMoved,
    GoldenMismatch,
    HistoryBroken,
    IntegrityError,
    NotFound,
    PromotionRefused,
    SignatureError,
    UsageError,
)
from lithify.evaluation.comparison.gates import Gates
from lithify.model.model import Model
from lithify.store.comparisons import Comparisons
from lithify.store.home import Home, open_home
from lithify.store.signatures import Signatures
from lithify.workflow import promoting


@dataclass(frozen=True)
class Made:
    """A home that trained a model, and files of others that predict alike."""

    home: Path
    files: tuple[Path, ...]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("promoting")
    files = []
    for number, data in enumerate(variants(small_model(folder / "home"), 8)):
        files.append(folder / f"m{number}.lith")
        files[-1].write_bytes(data)
    open_home(folder / "home").catalog.close()
    return Made(folder / "home", tuple(files))


@pytest.fixture
def home(made: Made, tmp_path: Path) -> Iterator[Home]:
    shutil.copytree(made.home, tmp_path / "home")
    home = open_home(tmp_path / "home")
    yield home
    home.catalog.close()


def digest(file: Path) -> str:
    return canon.digest(file.read_bytes())


def compared(home: Home, champion: Path, challenger: Path, verdict: str, gates: Gates | None = None) -> str:
    """Puts a comparison into the home, as the command does."""
    document = {"champion": digest(champion), "verdict": verdict, "gates": (gates or Gates()).to_json()}
    page = home.blobs.put(canon.dumps(document))
    rows = home.catalog.snapshots()[0].digest
    return Comparisons(home.catalog).add(digest(champion), digest(challenger), rows, verdict, page).digest


def test_the_first_model_needs_no_comparison(home: Home, made: Made) -> None:
    entry = lf.promote(made.files[0], "spam", why="to begin with", home=home)
    assert (entry.number, entry.model, entry.previous, entry.forced) == (1, digest(made.files[0]), None, False)
    assert entry.who == f"{getpass.getuser()}@{socket.gethostname()}"
    assert entry.evidence == {"evaluations": [], "comparison": None, "verdict": "first", "gates": None}
    assert lf.history("spam@production", home=home) == [entry]
    assert lf.open("spam", home=home).digest == entry.model
    assert lf.promote(made.files[0], "spam", home=home) == entry


@pytest.mark.parametrize("verdict", ["better", "not worse"])
def test_a_passing_comparison_lets_it_through(home: Home, made: Made, verdict: str) -> None:
    old, new = made.files[:2]
    lf.promote(old, "spam", home=home)
    compared(home, old, new, "worse")
    evidence = compared(home, old, new, verdict)
    evaluation = home.catalog.add_evaluation(digest(new), home.catalog.snapshots()[0].digest, "test", {"auc": 0.9})
    entry = lf.promote(new, "spam", by="me", why="new rows", home=home)
    shown = {"evaluations": [evaluation.digest], "comparison": evidence, "verdict": verdict, "gates": None}
    assert entry.evidence == shown
    assert (entry.previous, entry.who, entry.why, entry.forced) == (digest(old), "me", "new rows", False)


def test_gates_other_than_the_default_ones_are_written_down(home: Home, made: Made) -> None:
    old, new = made.files[:2]
    lf.promote(old, "spam", home=home)
    compared(home, old, new, "not worse", Gates(flips=None, slices=False, metrics={"log_loss": 0.5}))
    gates = lf.promote(new, "spam", home=home).evidence["gates"]
    assert gates == {"flips": None, "slices": False, "metrics": {"log_loss": 0.5}}
    assert lf.rollback("spam", home=home).evidence["gates"] is None


@pytest.mark.parametrize("alias", ["spam.lith", "here"])
def test_swapped_arguments_make_no_alias(
    home: Home, made: Made, alias: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_bytes(made.files[0].read_bytes())
    with pytest.raises(UsageError, match=f"swapped.*lithify promote {alias} income"):
        lf.promote("income", alias, home=home)
    assert home.aliases.all() == {}


def test_aliases_differ_in_more_than_case(home: Home, made: Made) -> None:
    lf.promote(made.files[0], "income", home=home)
    for other in ("Income", "INCOME@canary", "income@Production"):
        with pytest.raises(UsageError, match="There is an alias income already"):
            lf.promote(made.files[0], other, home=home)
    lf.promote(made.files[0], "income@canary", home=home)
    assert list(home.aliases.all()) == ["income@canary", "income@production"]


@pytest.mark.parametrize("verdict", ["worse", "undecided"])
def test_the_newest_comparison_counts(home: Home, made: Made, verdict: str) -> None:
    old, new = made.files[:2]
    lf.promote(old, "spam", home=home)
    compared(home, old, new, "better")
    evidence = compared(home, old, new, verdict)
    with pytest.raises(PromotionRefused) as caught:
        lf.promote(new, "spam", home=home)
    said = str(caught.value)
    assert verdict in said
    assert evidence[7:19] in said
    assert f"lithify compare spam@production {new}" in said
    assert lf.open("spam", home=home).digest == digest(old)


def test_without_a_comparison_it_is_refused_with_the_command(home: Home, made: Made) -> None:
    old, new, other = made.files[:3]
    lf.promote(old, "spam", home=home)
    compared(home, other, new, "better")  # with another than the one served
    compared(home, new, old, "better")  # the other way round
    for asked, shown in ((new, str(new)), (lf.open(new), digest(new)[7:19])):
        with pytest.raises(PromotionRefused, match="not compared") as caught:
            lf.promote(asked, "spam", home=home.path)
        assert f"`lithify compare --home {home.path} spam@production {shown}`" in str(caught.value)
        assert "--force REASON" in str(caught.value)
    assert not home.blobs.has(digest(new))
    assert lf.promote(new, "spam@canary", home=home).number == 1


def test_force_is_written_down_where_it_was_needed(home: Home, made: Made) -> None:
    old, new, third = made.files[:3]
    lf.promote(old, "spam", home=home)
    with pytest.raises(UsageError, match="reason"):
        lf.promote(new, "spam", force=" ", home=home)
    forced = lf.promote(new, "spam", force="a new scam", why="see the log", home=home)
    assert (forced.forced, forced.why, forced.evidence["comparison"]) == (True, "a new scam; see the log", None)
    compared(home, new, third, "better")
    assert not lf.promote(third, "spam", force="to be sure", home=home).forced


def test_compare_and_swap(home: Home, made: Made) -> None:
    old, new, third = made.files[:3]
    with pytest.raises(AliasMoved, match="nothing served yet"):
        lf.promote(old, "spam", expect=digest(new), home=home)
    lf.promote(old, "spam", expect="none", home=home)
    for expect in ("none", digest(new), digest(new)[7:20]):
        with pytest.raises(AliasMoved, match=digest(old)):
            lf.promote(new, "spam", expect=expect, force="trying", home=home)
    for expect in ("1234567", "spam", "sha256:xyz", ""):
        with pytest.raises(UsageError, match="must be a digest"):
            lf.promote(new, "spam", expect=expect, force="trying", home=home)
    lf.promote(new, "spam", expect=digest(old), force="trying", home=home)
    lf.promote(third, "spam", expect=digest(new)[7:15].upper(), force="trying", home=home)
    assert len(lf.history("spam", home=home)) == 3


def test_who_is_overtaken_is_told(home: Home, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody moves the alias between the look at what is served and the move."""
    old, new, third = made.files[:3]
    lf.promote(old, "spam", home=home)
    adopt = promoting.adopt

    def overtaken(home: Home, model: Model) -> str:
        stored = adopt(home, lf.open(third))
        home.aliases.move("spam", stored, action="promote", who="somebody", why="")
        return adopt(home, model)

    monkeypatch.setattr(promoting, "adopt", overtaken)
    with pytest.raises(AliasMoved):
        lf.promote(new, "spam", force="trying", home=home)
    assert lf.history("spam", home=home)[-1].who == "somebody"


def test_a_model_that_predicts_otherwise_is_refused(home: Home, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Model) -> None:
        raise GoldenMismatch("other bits")

    monkeypatch.setattr(Model, "verify", fail)
    with pytest.raises(GoldenMismatch):
        lf.promote(made.files[0], "spam", force="trying", home=home)
    assert home.aliases.all() == {}


def test_a_model_by_path_is_stored_with_its_signature(home: Home, made: Made, tmp_path: Path) -> None:
    file = tmp_path / "new.lith"
    shutil.copy(made.files[0], file)
    (tmp_path / "new.lith.sig").write_bytes(b"a bundle")
    entry = lf.promote(file, "spam", home=home)
    file.unlink()
    (signature,) = Signatures(home.catalog).of(entry.model)
    assert home.blobs.get(signature) == b"a bundle"
    assert home.catalog.model(entry.model).snapshot == home.catalog.snapshots()[0].digest
    assert lf.open(entry.model, home=home).digest == entry.model
    (tmp_path / "large.lith.sig").write_bytes(bytes((1 << 20) + 1))
    shutil.copy(made.files[1], tmp_path / "large.lith")
    with pytest.raises(SignatureError, match="signature beside the model"):
        lf.promote(tmp_path / "large.lith", "spam", force="trying", home=home)


def test_a_model_from_elsewhere_names_no_snapshot(made: Made, tmp_path: Path) -> None:
    home = open_home(tmp_path / "empty")
    entry = lf.promote(lf.open(made.files[0]), "spam@canary", home=home)
    assert home.catalog.model(entry.model).snapshot is None
    promoted = lf.promote("spam@canary", "spam", home=home)
    assert (promoted.alias, promoted.model) == ("spam@production", entry.model)
    home.catalog.close()


# Rolling back


def served(home: Home, *files: Path) -> list[str]:
    for file in files:
        lf.promote(file, "spam", force="to serve it", home=home)
    return [digest(file) for file in files]


def test_roll_back_goes_to_the_exact_earlier_digests(home: Home, made: Made) -> None:
    first, second, third = served(home, *made.files[:3])
    entry = lf.rollback("spam", why="too strict", by="me", home=home)
    assert (entry.action, entry.model, entry.previous) == ("rollback", second, third)
    assert (entry.who, entry.why, entry.forced) == ("me", "too strict", False)
    assert lf.rollback("spam", home=home).model == first
    with pytest.raises(UsageError, match="nothing before") as caught:
        lf.rollback("spam", home=home)
    assert "--to one of " + ", ".join(sorted(each[7:19] for each in (first, second, third))) in str(caught.value)
    assert lf.rollback("spam", to=third, home=home).model == third
    assert lf.rollback("spam", home=home).model == first
    actions = [entry.action for entry in lf.history("spam", home=home)]
    assert actions == ["promote"] * 3 + ["rollback"] * 4
    assert lf.open("spam", home=home).digest == first


def test_roll_back_to_a_model_of_the_history(home: Home, made: Made) -> None:
    first, second, _ = served(home, *made.files[:3])
    assert lf.rollback("spam", to=first[7:19], home=home).model == first
    before = lf.history("spam", home=home)
    assert lf.rollback("spam", to=first, home=home) == before[-1]
    for other in (digest(made.files[5]), "spam", "", first[7:12]):
        with pytest.raises(UsageError, match="never served") as caught:
            lf.rollback("spam", to=other, home=home)
        assert second[7:19] in str(caught.value)
    assert lf.history("spam", home=home) == before


def test_a_damaged_or_lost_model_is_not_gone_back_to(home: Home, made: Made) -> None:
    first, second, third = served(home, *made.files[:3])
    path = home.blobs.path(second)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(IntegrityError, match="damaged"):
        lf.rollback("spam", home=home)
    path.unlink()
    with pytest.raises(NotFound):
        lf.rollback("spam", home=home)
    assert home.aliases.get("spam") == third
    assert lf.rollback("spam", to=first, home=home).model == first


def test_no_roll_back_on_a_broken_history(home: Home, made: Made) -> None:
    served(home, *made.files[:3])
    home.catalog.database.write("DROP TRIGGER history_stays")
    home.catalog.database.write("UPDATE history SET entry = replace(entry, 'to serve', 'to save') WHERE number = 2")
    for ask in (lf.history, lf.rollback):
        with pytest.raises(HistoryBroken, match="entry 2"):
            ask("spam", home=home)


@pytest.mark.parametrize("verb", [lf.history, lf.rollback])
def test_an_alias_that_is_not_there(home: Home, made: Made, verb: Any) -> None:
    with pytest.raises(NotFound, match="lithify promote MODEL spam"):
        verb("spam", home=home)
    served(home, made.files[0])
    with pytest.raises(NotFound, match="Did you mean spam"):
        verb("spma", home=home)


# Many at once, and kills


def test_one_winner_of_each_generation_whoever_is_killed(made: Made, tmp_path: Path) -> None:
    """The soak does this a thousand times."""
    home = open_home(tmp_path / "home")
    models = [promoting.adopt(home, lf.open(file)) for file in made.files]
    home.catalog.close()
    with Race(tmp_path / "home", models, processes=4, whole=True, seed=1) as race:
        for number in range(15):
            race.round(deaths=(0, 0, 1, 0, 0)[number % 5], point=(4, 3, 2)[number // 5] if number % 5 == 0 else None)
        race.check()
        assert race.tries == 60
        assert race.killed >= 3
        assert race.wins < len(race.home.aliases.history("spam")), "the one that died after the commit had won"
