"""Writes the parameters of learners into docs/learners.md: ``python tools/learners_page.py``; a test compares them."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import Any

from lithify.features.image import ImageParams
from lithify.features.table import TableParams
from lithify.learners.registry import BUILT_IN, learner

PAGE = Path(__file__).parents[1] / "docs" / "learners.md"
FEATURES: dict[str, type] = {"features": TableParams, "image": ImageParams}
_TABLE = re.compile(r"(<!-- parameters: (?P<name>[a-z]+) -->\n).*?(?=\n\n|\Z)", re.DOTALL)
_ROLE = re.compile(r":(?:mod|func|class|data):(?=`)")
_ENTRY = re.compile(r"^(?P<names>\w+(?:, \w+)*) : .*$\n(?P<text>(?:^ +.*$\n?)+)", re.MULTILINE)


def filled(page: str) -> str:
    """The page with every table as the classes of parameters have it."""
    return _TABLE.sub(lambda found: found[1] + table(_params(found["name"])), page)


def table(params: type) -> str:
    """The parameters of one class: name, default, what other qualities take instead, meaning."""
    qualities = getattr(params, "QUALITIES", {})
    head = ["parameter", "default", *(f"`{quality}`" for quality in qualities), "meaning"]
    lines = [head, ["---"] * len(head)]
    defaults = {field.name: field.default for field in dataclasses.fields(params)}
    for names, text in _documented(params):
        known = (defaults, *qualities.values())
        values = [", ".join(_value(values[name]) for name in names if name in values) for values in known]
        lines.append([", ".join(f"`{name}`" for name in names), *values, text])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _params(name: str) -> type:
    return FEATURES[name] if name in FEATURES else learner(name).Params


def _documented(params: type) -> list[tuple[list[str], str]]:
    """Names and meanings under "Attributes", in their order."""
    listed = inspect.cleandoc(params.__doc__ or "").partition("----------\n")[2]
    found = [(entry["names"].split(", "), " ".join(entry["text"].split())) for entry in _ENTRY.finditer(listed + "\n")]
    return [(names, _ROLE.sub("", text).replace("``", "`").replace("|", "\\|")) for names, text in found]


def _value(value: Any) -> str:
    """As a recipe has it; nothing for what is not set."""
    return "" if value is None else f"`{json.dumps(value)}`"


if __name__ == "__main__":
    assert set(BUILT_IN) | set(FEATURES) == set(re.findall(r"<!-- parameters: (\w+) -->", PAGE.read_text("utf-8")))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
