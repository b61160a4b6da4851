"""Learners by name; none is imported before it is asked for.

Other packages add theirs as entry points of the group ``lithify.learners``.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from lithify.errors import RecipeError
from lithify.learners.base import Learner

BUILT_IN = {"linear": "lithify.learners.linear:Linear"}
GROUP = "lithify.learners"


def names() -> list[str]:
    """All learners that can be asked for, sorted.

    >>> "linear" in names()
    True
    """
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def learner(name: str) -> type[Learner]:
    """The learner of that name; ``RecipeError`` with the nearest name if there is none."""
    path = BUILT_IN.get(name) or next((p.value for p in entry_points(group=GROUP) if p.name == name), None)
    if path is None:
        near = difflib.get_close_matches(name, names(), n=1)
        raise RecipeError(
            f"There is no learner {name!r}.",
            expected=", ".join(names()),
            hint=f"Did you mean {near[0]!r}?" if near else None,
        )
    module, _, attribute = path.partition(":")
    return cast(type[Learner], getattr(import_module(module), attribute))
