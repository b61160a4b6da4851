from __future__ import annotations

from pathlib import Path

import pytest

from lithify.deployment.guard import Guard
from lithify.deployment.http.message import Head
from lithify.errors import Forbidden, StoreError, Unauthorized
from lithify.store.catalog import Catalog
from lithify.store.tokens import Tokens


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(Catalog(tmp_path / "catalog.sqlite"))


def asking(said: str | None) -> Head:
    return Head("GET", "/", headers={} if said is None else {"authorization": said})


def test_everybody_gets_in_where_no_token_is_asked_for(tokens: Tokens) -> None:
    for guard in (Guard(None, required=False), Guard(None, required=True), Guard(tokens, required=False)):
        assert not guard.closed
        assert guard.client(asking(None)) is None
        assert guard.client(asking("Bearer lith_whatever")) is None
        guard.allow(None, "spam@production")


def test_nobody_gets_in_where_one_is_required_and_there_is_none(tokens: Tokens) -> None:
    guard = Guard(tokens, required=True)
    with pytest.raises(Unauthorized):
        guard.client(asking(None))
    with pytest.raises(Forbidden):
        guard.allow(None, "spam@production")


def test_a_token_and_what_it_is_for(tokens: Tokens) -> None:
    secret, other = tokens.add("mail", ["spam"]), tokens.add("all", ["*"])
    guard = Guard(tokens, required=False)
    token, wide = guard.client(asking(f"Bearer {secret}")), guard.client(asking(f"bearer  {other} "))
    assert token is not None
    assert wide is not None
    assert (token.name, wide.name) == ("mail", "all")
    guard.allow(token, "spam@production")
    guard.allow(wide, "digits@canary")
    for alias in ("spam@canary", "digits@production", "spam"):
        with pytest.raises(Forbidden):
            guard.allow(token, alias)


@pytest.mark.parametrize(
    "said", [None, "", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer x{}", "Bearer {}x", "Bearer {}, Bearer {}"]
)
def test_all_else_is_refused_and_no_secret_is_repeated(tokens: Tokens, said: str | None) -> None:
    secret = tokens.add("mail", ["spam"])
    with pytest.raises(Unauthorized) as caught:
        Guard(tokens, required=False).client(asking(said and said.format(secret, secret)))
    assert secret not in str(caught.value)
    assert caught.value.http_status == 401


def test_follows_the_home(tokens: Tokens) -> None:
    guard = Guard(tokens, required=False)
    guard.client(asking(None))
    secret = tokens.add("mail", ["spam"])
    guard.refresh()
    with pytest.raises(Unauthorized):
        guard.client(asking(None))
    assert guard.client(asking(f"Bearer {secret}")) is not None
    tokens.revoke("mail")
    guard.refresh()
    for said in (None, f"Bearer {secret}"):  # the last one gone opens nothing
        with pytest.raises(Unauthorized):
            guard.client(asking(said))


def test_tokens_stay_while_the_home_cannot_be_read(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tokens.add("mail", ["spam"])
    guard = Guard(tokens, required=False)

    def fail() -> None:
        raise StoreError("The disk is not there.")

    with monkeypatch.context() as patch:
        patch.setattr(tokens, "all", fail)
        guard.refresh()
        guard.refresh()
    assert guard.client(asking(f"Bearer {secret}")) is not None
    assert caplog.text.count("The disk is not there.") == 1
