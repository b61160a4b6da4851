"""Aliases: one mover wins, every move is written down, and whoever changes what was written is found out."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify import canon
from lithify.errors import AliasMoved, AmbiguousName, HistoryBroken, NotFound, StoreError, UsageError
from lithify.store import blobs
from lithify.store.aliases import MAX_WORDS, Aliases, canonical
from lithify.store.catalog import Catalog
from lithify.store.comparisons import Comparisons
from lithify.store.gc import collect, mark
from lithify.store.history import Entry, served_before
from lithify.store.home import open_home
from lithify.store.lookup import Thing
from lithify.store.signatures import Signatures

NAMES = "abcdefgh"


def digest(text: str) -> str:
    return canon.digest(text.encode())


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.sqlite")
    for name in NAMES:
        catalog.add_model(digest(name))
    yield catalog
    catalog.close()


@pytest.fixture
def aliases(catalog: Catalog) -> Aliases:
    return Aliases(catalog, clock=lambda: 1000.9)


def promote(aliases: Aliases, *names: str, alias: str = "spam") -> list[Entry]:
    return [aliases.move(alias, digest(name), action="promote", who="me", why=f"to {name}") for name in names]


@pytest.mark.parametrize("alias", ["", "@", "spam@", "@canary", "a@b@c", "deadbeef", "spam@deadbeef", "a b", "x" * 101])
def test_what_cannot_be_an_alias(aliases: Aliases, alias: str) -> None:
    with pytest.raises(UsageError, match="cannot be an alias"):
        canonical(alias)
    with pytest.raises(UsageError):
        promote(aliases, "a", alias=alias)


def test_an_alias_moves_and_tells_how(aliases: Aliases, catalog: Catalog) -> None:
    assert (aliases.get("spam"), aliases.last("spam"), aliases.history("spam"), aliases.all()) == (None, None, [], {})
    serial = aliases.serial()
    evidence = {"evaluations": [digest("e")], "comparison": digest("c"), "verdict": "better"}
    first = aliases.move("spam", digest("a"), action="promote", who="me", why="so", forced=True, evidence=evidence)
    assert first.to_json() == {
        "alias": "spam@production", "number": 1, "action": "promote", "model": digest("a"), "previous": None,
        "who": "me", "at": 1000, "why": "so", "forced": True, "evidence": evidence, "parent": None,
        "digest": first.digest,
    }  # fmt: skip
    assert first.digest == canon.digest_of({k: v for k, v in first.to_json().items() if k != "digest"})
    (second,) = promote(aliases, "b")
    assert (second.number, second.previous, second.parent) == (2, digest("a"), first.digest)
    promote(aliases, "c", alias="spam@canary")
    assert aliases.history("spam") == aliases.history("spam@production") == [first, second]
    assert aliases.all() == {"spam@canary": digest("c"), "spam@production": digest("b")}
    assert aliases.standing()["spam@production"] == aliases.last("spam") == second
    assert serial < aliases.serial()
    assert Aliases(Catalog(catalog.database.path)).history("spam") == [first, second]


def test_the_model_that_is_served_already_changes_nothing(aliases: Aliases) -> None:
    (entry,) = promote(aliases, "a")
    serial = aliases.serial()
    assert promote(aliases, "a") == [entry]
    assert aliases.serial() == serial


def test_only_who_expects_what_is_served_moves_it(aliases: Aliases) -> None:
    move = {"action": "promote", "who": "me", "why": ""}
    aliases.move("spam", digest("a"), expect=None, **move)
    for expect in (None, digest("b")):
        with pytest.raises(AliasMoved, match=digest("a")) as caught:
            aliases.move("spam", digest("a"), expect=expect, **move)
        assert "lithify history spam@production" in str(caught.value)
    with pytest.raises(AliasMoved, match="nothing served yet"):
        aliases.move("eggs", digest("a"), expect=digest("b"), **move)
    assert aliases.move("spam", digest("b"), expect=digest("a"), **move).number == 2
    assert len(aliases.history("spam")) == 2


def test_a_model_that_is_not_in_the_catalog(aliases: Aliases) -> None:
    with pytest.raises(NotFound):
        promote(aliases, "unknown")
    assert aliases.history("spam") == []


@pytest.mark.parametrize("words", ["x" * (MAX_WORDS + 1), "\udc80"])
def test_words_that_a_history_cannot_keep(aliases: Aliases, words: str) -> None:
    for who, why in ((words, ""), ("me", words)):
        with pytest.raises(UsageError):
            aliases.move("spam", digest("a"), action="promote", who=who, why=why)


def test_any_other_words_come_back_as_they_went(aliases: Aliases) -> None:
    for name, why in zip(NAMES, ("", "née\n\0\x1b", "\U0001f600", "x" * MAX_WORDS, "'; DROP"), strict=False):
        aliases.move("spam", digest(name), action="promote", who=why, why=why)
        assert (aliases.history("spam")[-1].who, aliases.history("spam")[-1].why) == (why, why)


# Finding things by alias


def test_an_alias_stands_for_its_model(aliases: Aliases, catalog: Catalog) -> None:
    promote(aliases, "a")
    promote(aliases, "b", alias="spam@canary")
    for text, name in (("spam", "a"), ("spam@production", "a"), ("spam@canary", "b")):
        assert catalog.find(text) == Thing("model", digest(name))
    with pytest.raises(NotFound, match="Did you mean spam"):
        catalog.find("spma")
    with pytest.raises(NotFound):
        catalog.find("spam", "snapshot")
    catalog.add_model(digest("z"), name="spam")
    with pytest.raises(AmbiguousName, match="alias in full"):
        catalog.find("spam")
    assert catalog.resolve("spam@production") == digest("a")


def test_a_model_named_like_its_alias_is_one_thing(aliases: Aliases, catalog: Catalog) -> None:
    catalog.add_model(digest("z"), name="spam")
    aliases.move("spam", digest("z"), action="promote", who="me", why="")
    assert catalog.resolve("spam") == digest("z")


# What was written stays


def test_the_table_only_grows(aliases: Aliases, catalog: Catalog) -> None:
    promote(aliases, "a", "b")
    for statement in ("UPDATE history SET entry = '{}'", "DELETE FROM history"):
        with pytest.raises(StoreError, match="history only grows"):
            catalog.database.write(statement)
    assert len(aliases.history("spam")) == 2


def forge(catalog: Catalog, *statements: str) -> None:
    """What somebody does who can write the file and is in the way of nothing."""
    catalog.close()
    with sqlite3.connect(catalog.database.path) as connection:
        connection.execute("DROP TRIGGER history_stays")
        connection.execute("DROP TRIGGER history_grows")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, "nothing was forged"
    connection.close()


B = digest("b")
FORGERIES = {
    "a reason changed": "UPDATE history SET entry = replace(entry, 'to b', 'to B') WHERE number = 2",
    "a time changed": "UPDATE history SET entry = replace(entry, '1000', '1001') WHERE number = 1",
    "no text": "UPDATE history SET entry = CAST(x'ff00' AS TEXT) WHERE number = 2",
    "first removed": "DELETE FROM history WHERE number = 1",
    "middle removed": "DELETE FROM history WHERE number = 2",
    "middle removed, the rest moved up": (
        "DELETE FROM history WHERE number = 2",
        "UPDATE history SET number = 2 WHERE number = 3",
        "UPDATE history SET number = 3 WHERE number = 4",
    ),
    "last removed": "DELETE FROM history WHERE number = 4",
    "last removed, the count lowered": (
        "DELETE FROM history WHERE number = 4",
        "UPDATE aliases SET entries = 3",
    ),
    "all removed": "DELETE FROM history",
    "alias removed": "DELETE FROM aliases",
    "two exchanged": (
        "UPDATE history SET number = 9 WHERE number = 2",
        "UPDATE history SET number = 2 WHERE number = 3",
        "UPDATE history SET number = 3 WHERE number = 9",
    ),
    "given to another alias": "UPDATE history SET alias = 'eggs@production' WHERE number = 2",
    "alias moved by hand": f"UPDATE aliases SET model = '{B}'",
    "alias set back": (
        f"UPDATE aliases SET model = '{B}', entries = 2",
        "UPDATE aliases SET head = (SELECT digest FROM history WHERE number = 2)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_whatever_is_forged_is_found(aliases: Aliases, catalog: Catalog, name: str) -> None:
    promote(aliases, "a", "b", "c", "d")
    statements = FORGERIES[name]
    forge(catalog, *([statements] if isinstance(statements, str) else statements))
    with pytest.raises(HistoryBroken, match="spam@production"):
        aliases.history("spam")


@pytest.mark.parametrize(("number", "expected"), [(1, "entry 2 to follow"), (2, "the alias to stand")])
def test_an_entry_that_was_made_up_anew(aliases: Aliases, catalog: Catalog, number: int, expected: str) -> None:
    """Its own digest is right; the next entry, or the alias, names another."""
    values = promote(aliases, "a", "b")[number - 1].to_json() | {"why": "another"}
    del values["digest"]
    text = canon.dumps(values)
    forge(
        catalog,
        f"UPDATE history SET entry = '{text.decode()}', digest = '{canon.digest(text)}' WHERE number = {number}",
    )
    with pytest.raises(HistoryBroken, match=expected):
        aliases.history("spam")


@pytest.mark.parametrize("text", ["[]", "{}", "not json", '{"alias": 1}'])
def test_an_entry_that_is_none(aliases: Aliases, catalog: Catalog, text: str) -> None:
    promote(aliases, "a", "b")
    forge(catalog, f"UPDATE history SET entry = '{text}', digest = '{canon.digest(text.encode())}' WHERE number = 1")
    with pytest.raises(HistoryBroken, match="not an entry"):
        aliases.history("spam")


@pytest.mark.parametrize(
    "name",
    ["alias moved by hand", "alias set back", "last removed", "last removed, the count lowered", "all removed"],
)
def test_a_forged_alias_is_neither_served_nor_moved(aliases: Aliases, catalog: Catalog, name: str) -> None:
    promote(aliases, "a", "b", "c", "d")
    statements = FORGERIES[name]
    forge(catalog, *([statements] if isinstance(statements, str) else statements))
    for ask in (lambda: aliases.get("spam"), aliases.all, lambda: promote(aliases, "e")):
        with pytest.raises(HistoryBroken):
            ask()


def test_an_alias_that_was_taken_away_cannot_begin_anew(aliases: Aliases, catalog: Catalog) -> None:
    promote(aliases, "a")
    forge(catalog, "DELETE FROM aliases")
    with pytest.raises(HistoryBroken, match="only a history"):
        promote(aliases, "b")


# Rolling back


def entries(*moves: str) -> list[Entry]:
    """Of ``+a`` and ``-a``: promote and roll back to a model."""
    made: list[Entry] = []
    for number, move in enumerate(moves, 1):
        action = "promote" if move[0] == "+" else "rollback"
        made.append(Entry("spam@production", number, action, move[1:], None, "", 0, "", False, {}, None))
    return made


@pytest.mark.parametrize(
    ("moves", "stack"),
    [
        (["+a"], "a"),
        (["+a", "+b", "+c"], "abc"),
        (["+a", "+b", "-a"], "a"),
        (["+a", "+b", "+c", "-b", "-a"], "a"),
        (["+a", "+b", "+a"], "aba"),
        (["+a", "+b", "+a", "-b"], "ab"),
        (["+a", "+b", "-a", "-b"], "ab"),
        (["+a", "+b", "+c", "-a", "+d"], "ad"),
        (["+a", "+b", "+c", "+b", "+d", "-b"], "abcb"),
    ],
)
def test_a_promotion_is_pushed_and_a_roll_back_pops(moves: list[str], stack: str) -> None:
    assert "".join(served_before(entries(*moves))) == stack


@settings(max_examples=100)
@given(st.lists(st.sampled_from([f"{sign}{name}" for sign in "+-" for name in "abc"]), min_size=1, max_size=20))
def test_what_is_served_is_on_top(moves: list[str]) -> None:
    """Of moves that change something, as all that are written do; and nothing stands twice in a row."""
    kept = [move for at, move in enumerate(moves) if at == 0 or moves[at - 1][1:] != move[1:]]
    stack = served_before(entries(*kept))
    assert stack[-1] == kept[-1][1:]
    assert all(one != other for one, other in itertools.pairwise(stack))


# Many at once, and kills


def test_one_of_many_threads_wins_each_generation(aliases: Aliases, catalog: Catalog) -> None:
    turns, barrier, won = 10, threading.Barrier(6), []
    promote(aliases, "h")

    def run(number: int) -> None:
        own = Aliases(Catalog(catalog.database.path))
        for turn in range(turns):
            served = own.get("spam")
            barrier.wait(30)
            token = f"{turn} {number}"
            others = [digest(name) for name in NAMES if digest(name) != served]
            try:
                own.move("spam", others[number], action="promote", who=token, why="", expect=served)
                won.append(token)
            except AliasMoved:
                pass
            barrier.wait(30)

    racers = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    history = aliases.history("spam")
    assert [entry.who for entry in history[1:]] == won
    assert [token.split()[0] for token in won] == [str(turn) for turn in range(turns)]


KILLED = """
import sys
from pathlib import Path
from lithify.store.aliases import Aliases
from lithify.store.catalog import Catalog
aliases = Aliases(Catalog(Path(sys.argv[1])))
aliases.move("spam", sys.argv[2], action="promote", who="me", why="", expect=sys.argv[3])
print("done")
"""


@pytest.mark.parametrize(("point", "moved"), [(1, False), (2, True)])
def test_a_kill_leaves_both_or_neither(aliases: Aliases, catalog: Catalog, point: int, moved: bool) -> None:
    """Before the commit nothing happened; just after it everything did, though nobody was told."""
    promote(aliases, "a")
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(catalog.database.path), digest("b"), digest("a")],
        env={**os.environ, "LITHIFY_FAULT_KILL": str(point)},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (-9, b"")
    assert aliases.get("spam") == digest("b" if moved else "a")
    assert len(aliases.history("spam")) == 1 + moved
    promote(aliases, "c")
    assert aliases.history("spam")[-1].previous == digest("b" if moved else "a")


def test_a_failure_while_writing_leaves_nothing(aliases: Aliases, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(aliases, "a")

    def fail(point: str) -> None:
        raise RuntimeError(point)

    monkeypatch.setattr(blobs, "fault", fail)
    with pytest.raises(RuntimeError, match="commit"):
        promote(aliases, "b")
    monkeypatch.undo()
    assert (aliases.get("spam"), len(aliases.history("spam"))) == (digest("a"), 1)


# What a collection keeps


def test_what_histories_comparisons_and_signatures_refer_to_is_kept(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    put, catalog = home.blobs.put, home.catalog
    first, second, signature = put(b"first"), put(b"second"), put(b"signature")
    rows, seen, unseen, foreign, stray = (put(canon.dumps({"rows": n})) for n in range(5))
    for each in (rows, seen, unseen):
        catalog.add_snapshot(each, "mail", 1)
    for model in (first, second):
        catalog.add_model(model)
    page = put(canon.dumps({"comparison": 1, "foreign": foreign}))
    Comparisons(catalog).add(first, second, rows, "better", page)
    Signatures(catalog).add(second, signature)
    evaluation = catalog.add_evaluation(second, seen, "test", {"accuracy": {"value": 0.5}})
    catalog.add_evaluation(second, unseen, "test", {"accuracy": {"value": 0.25}})
    evidence = {"evaluations": [evaluation.digest], "comparison": page, "verdict": "better"}
    home.aliases.move("spam", second, action="promote", who="me", why="", evidence=evidence)
    needed = {first, second, signature, rows, seen, foreign, page}
    assert needed <= mark(home)
    then = time.time() - 10_000_000
    for path in sorted(home.path.rglob("*"), reverse=True):
        os.utime(path, (then, then))
    collect(home)
    assert set(home.blobs) == needed
    assert not {unseen, stray} & set(home.blobs)
    home.catalog.close()


def test_the_digest_of_an_evaluation_is_of_what_it_says(catalog: Catalog) -> None:
    metrics = {"accuracy": {"value": 0.5, "low": None, "high": 0.75}}
    made = [catalog.add_evaluation(digest("a"), digest("s"), "test", metrics) for _ in range(2)]
    said = {"model": digest("a"), "snapshot": digest("s"), "split": "test", "metrics": metrics}
    assert made[0].digest == made[1].digest == canon.digest(canon.dumps(said))
    assert catalog.add_evaluation(digest("b"), digest("s"), "test", metrics).digest != made[0].digest
