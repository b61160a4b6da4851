"""The page at /: whole, from this server alone, and of parts that are there."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from tests.deployment.routed import Asker, application


@pytest.fixture(scope="module")
def ask() -> Asker:
    return Asker(application(kinds=("people",)))


class Page(HTMLParser):
    """What stands in a document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


@pytest.fixture(scope="module")
def page(ask: Asker) -> Page:
    return Page(ask("GET", "/").body.decode())


def test_policy_lets_nothing_in_from_elsewhere(ask: Asker) -> None:
    found = ask("GET", "/")
    assert found.media == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in dict(found.headers)["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in str(policy)


def test_page_needs_nothing_that_the_policy_forbids(page: Page, ask: Asker) -> None:
    for tag, attributes in page.found:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        link = attributes.get("src") or attributes.get("href") or ""
        assert link.startswith("/") or link in ("", "data:,"), link
        if tag == "script":
            assert attributes["src"] == "/page.js"
        if tag in ("script", "link") and link.startswith("/"):
            assert ask("GET", link).status == 200
    script = ask("GET", "/page.js").body.decode()
    assert "innerHTML" not in script
    assert "localStorage" not in script
    assert not re.findall(r"https?://", script)


def test_script_finds_the_elements_that_it_names(page: Page, ask: Asker) -> None:
    script = ask("GET", "/page.js").body.decode()
    there = {attributes["id"] for _, attributes in page.found if attributes.get("id")}
    made = set(re.findall(r'id: "([a-z-]+)"', script))
    assert set(re.findall(r'\$\("([a-z-]+)"\)', script)) <= there | made


def test_style_has_what_the_script_uses(ask: Asker) -> None:
    script, style = (ask("GET", f"/page.{kind}").body.decode() for kind in ("js", "css"))
    used = {name for names in re.findall(r'class: "([a-z ]+)"', script) for name in names.split()}
    assert not [name for name in used if f".{name}" not in style]


def test_light_and_dark_tell_text_from_ground(ask: Asker) -> None:
    style = ask("GET", "/page.css").body.decode()
    light, dark = re.findall(r":root \{([^}]*)\}", style)
    for colours in (light, dark):
        named = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", colours))
        for ink, ground in (
            ("ink", "paper"), ("soft", "sheet"), ("soft", "paper"), ("accent", "paper"), ("on-accent", "accent"),
            ("ink", "alarm-ground"), ("ink", "warn-ground"),
        ):  # fmt: skip
            assert _contrast(named[ink], named[ground]) >= 4.5, (ink, ground)


def _contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2.2 defines it."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
