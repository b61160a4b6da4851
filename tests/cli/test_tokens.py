from __future__ import annotations

from pathlib import Path

from lithify.store.home import open_home
from lithify.store.tokens import Tokens

from .conftest import Run


def test_made_listed_and_revoked(lithify: Run, tmp_path: Path) -> None:
    made = lithify("token", "mailserver", "--alias", "spam", "--alias", "digits@canary")
    secret = made.out.strip()
    assert made.status == 0
    assert secret.startswith("lith_")
    assert "kept nowhere" in " ".join(made.err.split())
    found = Tokens(open_home(tmp_path / "home").catalog).find(secret)
    assert found is not None
    assert found.aliases == ("digits@canary", "spam@production")
    listed = lithify("token")
    assert "mailserver" in listed.out
    assert "spam@production" in listed.out
    assert secret not in listed.out + listed.err
    assert lithify("token", "mailserver", "--revoke").out == "Revoked the token mailserver.\n"
    assert lithify("token").out.startswith("There are no tokens.")
    assert Tokens(open_home(tmp_path / "home").catalog).find(secret) is None


def test_documents(lithify: Run) -> None:
    made = lithify("token", "all", "--alias", "*", "--json").json
    assert set(made) == {"token", "aliases", "created", "secret"}
    listed = lithify("token", "--json").json
    assert listed == {"tokens": [{key: made[key] for key in ("token", "aliases", "created")}]}
    assert "every alias" in lithify("token").out
    assert lithify("token", "all", "--revoke", "--json").json == {"token": "all", "revoked": True}


def test_mistakes(lithify: Run) -> None:
    for words in (["--revoke"], ["--alias", "spam"], ["mail"], ["mail", "--alias", "a b"], ["a b", "--alias", "spam"],
                  ["mail", "--revoke", "--alias", "spam"]):  # fmt: skip
        done = lithify("token", *words)
        assert (done.status, done.out) == (2, ""), words
        assert done.err.startswith("Error: ")
    assert lithify("token", "ghost", "--revoke").status == 66


def test_an_alias_that_serves_nothing_yet_is_said(lithify: Run) -> None:
    assert "Nothing was promoted to nothere yet." in lithify("token", "me", "--alias", "nothere").err
    assert "Nothing was promoted" not in lithify("token", "you", "--alias", "*").err
