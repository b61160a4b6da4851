"""Writes the help texts into docs/cli.md: ``python tools/cli_page.py``; a test fails while they differ."""

from __future__ import annotations

import re
from pathlib import Path

from lithify.cli import app, parser

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
_BLOCK = re.compile(r"(<!-- help: (?P<name>[a-z ]+) -->\n```text\n).*?(```\n)", re.DOTALL)


def filled(page: str) -> str:
    """The page with every help text as the command prints it."""
    return _BLOCK.sub(lambda found: f"{found[1]}{text(found['name'])}\n{found[3]}", page)


def text(name: str) -> str:
    """The help of one command, or of the whole."""
    return app.overview() if name == "lithify" else parser.help_text(name, app.command(name))


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
