from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.errors import NotFound, UsageError
from lithify.store import tokens as module
from lithify.store.catalog import Catalog
from lithify.store.tokens import PREFIX, Token, Tokens, match


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite")


def test_a_secret_is_shown_once_and_kept_nowhere(catalog: Catalog, tmp_path: Path) -> None:
    tokens = Tokens(catalog)
    secret = tokens.add("mail", ["spam"])
    catalog.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in written
    assert secret.removeprefix(PREFIX).encode() not in written
    assert hashlib.sha256(secret.encode()).hexdigest().encode() in written
    assert secret not in repr(tokens.all())
    assert tokens.all()[0].hash.hex() not in repr(tokens.all())


def test_secrets_are_long_and_never_the_same(catalog: Catalog) -> None:
    tokens = Tokens(catalog)
    made = [tokens.add(f"client-{number}", ["*"]) for number in range(50)]
    assert len(set(made)) == 50
    assert all(secret.startswith(PREFIX) and len(secret) == len(PREFIX) + 43 for secret in made)


def test_found_by_the_whole_secret_alone(catalog: Catalog) -> None:
    tokens = Tokens(catalog)
    secrets = {name: tokens.add(name, ["spam"]) for name in ("one", "two", "three")}
    for name, secret in secrets.items():
        found = tokens.find(secret)
        assert found is not None
        assert found.name == name
        bare = secret.removeprefix(PREFIX)
        for wrong in (secret[:-1], secret + "x", secret.upper(), bare, "", name, found.hash.hex()):
            assert tokens.find(wrong) is None


@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_any_text_may_be_given(secret: str) -> None:
    known = [Token("one", ("*",), 0, bytes(32))]
    assert match(known, secret) is None


def test_every_token_is_compared_in_constant_time(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(catalog)
    secrets = [tokens.add(f"client-{number}", ["*"]) for number in range(5)]
    compared: list[bytes] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append(a)
        return hmac.compare_digest(a, b)

    monkeypatch.setattr(module, "hmac", SimpleNamespace(compare_digest=compare))
    for secret in (secrets[0], secrets[-1], "wrong"):
        compared.clear()
        tokens.find(secret)
        assert compared == [token.hash for token in tokens.all()]


def test_scopes(catalog: Catalog) -> None:
    tokens = Tokens(catalog)
    tokens.add("narrow", ["spam", "spam@production", "digits@canary"])
    tokens.add("wide", ["spam", "*"])
    narrow, wide = tokens.all()
    assert narrow.aliases == ("digits@canary", "spam@production")
    asked = ("spam@production", "spam@canary", "digits@canary", "digits@production", "spam", "*")
    assert [narrow.allows(alias) for alias in asked] == [True, False, True, False, False, False]
    assert all(wide.allows(alias) for alias in asked[:4])


@pytest.mark.parametrize(
    ("name", "aliases"), [("", ["spam"]), ("a b", ["spam"]), ("deadbeef", ["spam"]), ("ok", []), ("ok", ["a/b"])]
)
def test_what_cannot_be_a_token(catalog: Catalog, name: str, aliases: list[str]) -> None:
    with pytest.raises(UsageError):
        Tokens(catalog).add(name, aliases)
    assert Tokens(catalog).all() == []


def test_a_name_is_taken_until_revoked(catalog: Catalog) -> None:
    tokens = Tokens(catalog)
    first = tokens.add("mail", ["spam"])
    with pytest.raises(UsageError, match="already"):
        tokens.add("mail", ["spam"])
    assert tokens.find(first) is not None
    tokens.revoke("mail")
    assert tokens.find(first) is None
    with pytest.raises(NotFound, match="no token 'mail'"):
        tokens.revoke("mail")
    assert tokens.add("mail", ["spam"]) != first
    assert tokens.find(first) is None
