"""What a person wrote, parsed: lengths of time, sizes, recipes and how to run them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithify.errors import UsageError

if TYPE_CHECKING:
    from lithify.recipe import Recipe
    from lithify.training.run import Settings

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?=.)(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")

_POWERS = ["", "k", "m", "g", "t"]
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?:(?P<unit>[kmgt])(?P<binary>i(?=b))?)?b?", re.IGNORECASE)


def duration(text: str | float | None) -> float | None:
    """Seconds of ``90s``, ``10m``, ``1h30m``, ``2d``, or of a plain number; None stays None.

    Raises ``UsageError`` for anything else, and for zero.

    >>> duration("90s"), duration("10m"), duration("1h30m"), duration("45"), duration(2.5)
    (90.0, 600.0, 5400.0, 45.0, 2.5)
    """
    if text is None:
        return None
    found = _DURATION.fullmatch(str(text).strip().lower().replace(" ", ""))
    seconds = sum(float(n) * unit for n, unit in zip(found.groups(), _UNITS.values(), strict=True) if n) if found else 0
    if not seconds:
        raise UsageError("Not a length of time.", expected="such as 90s, 10m or 1h30m", found=repr(text))
    return seconds


def size(text: str | int | None) -> int | None:
    """Bytes of ``800M``, ``5G``, ``1.5 TB`` (powers of 1000) or ``4GiB`` (of 1024), or of a plain number.

    None stays None. Raises ``UsageError`` for anything else, and for zero.

    >>> size("800M"), size("5G"), size("4GiB"), size(4096)
    (800000000, 5000000000, 4294967296, 4096)
    """
    if text is None:
        return None
    found = _SIZE.fullmatch(str(text).strip().replace(" ", ""))
    base = 1024 if found and found["binary"] else 1000
    count = int(float(found["number"]) * base ** _POWERS.index((found["unit"] or "").lower())) if found else 0
    if not count:
        raise UsageError("Not a size.", expected="such as 800M, 5G or 4GiB", found=repr(text))
    return count


def make_recipe(
    recipe: Recipe | Mapping[str, Any] | Path | str | None,
    *,
    learner: str | None = None,
    quality: str | None = None,
    budget: str | float | None = None,
    assignments: Iterable[str] = (),
) -> Recipe:
    """The recipe that was asked for; ``RecipeError`` for what it cannot hold."""
    from lithify import recipe as recipes

    if isinstance(recipe, recipes.Recipe):
        plain = {name: value for name, value in vars(recipe).items() if name != "params"}
        recipe = plain | ({recipe.learner: dict(recipe.params)} if recipe.params else {})
    document = dict(recipes.load(Path(recipe)) if isinstance(recipe, (str, Path)) else recipe or {})
    single = {"learner": learner, "quality": quality, "budget": duration(budget)}
    document |= {name: value for name, value in single.items() if value is not None}
    asked = recipes.parse(document, assignments)
    recipes.check(asked)
    return asked


def assignments(values: Mapping[str, Any] | Iterable[str]) -> list[str]:
    """``key=value`` texts of a mapping, of one such text or of several."""
    from json import dumps

    if isinstance(values, str):
        return [values]
    if not isinstance(values, Mapping):
        return list(values)
    return [f"{key}={value if isinstance(value, str) else dumps(value)}" for key, value in values.items()]


def field_kinds(values: Mapping[str, str] | Iterable[str] | None) -> dict[str, str]:
    """Kinds of fields by name, of a mapping or of ``name=kind`` texts.

    Raises ``UsageError`` for a text without ``=``, and for two kinds of one field.

    >>> field_kinds(["age=number", "a=b=category"])
    {'age': 'number', 'a=b': 'category'}
    """
    if isinstance(values, Mapping):
        return dict(values)
    found: dict[str, str] = {}
    for value in [values] if isinstance(values, str) else values or ():
        name, _, kind = value.rpartition("=")
        if not name:
            raise UsageError(
                "A field's kind is not clear.", expected="NAME=KIND, such as age=number", found=repr(value)
            )
        if found.setdefault(name, kind) != kind:
            raise UsageError(f"The field {name!r} has two kinds.", found=f"{found[name]} and {kind}")
    return found


def make_settings(
    threads: int | None = None,
    session: str | float | None = None,
    checkpoint_every: int | None = None,
    processes: int | None = None,
    cache_limit: str | int | None = None,
) -> Settings:
    """How to run; ``UsageError`` for what cannot be meant."""
    from lithify.training.run import Settings

    for name, value in (("threads", threads), ("checkpoint-every", checkpoint_every), ("processes", processes)):
        if value is not None and value < 1:
            raise UsageError(f"--{name} must be at least 1.", found=str(value))
    return Settings(
        threads=threads,
        session=duration(session),
        checkpoint_every=checkpoint_every,
        processes=processes,
        cache_limit=size(cache_limit),
    )
