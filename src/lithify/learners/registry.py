"""Learners by name; none is imported before it is asked for.

Other packages add theirs as entry points of the group ``lithify.learners``.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import cast

from lithify.errors import RecipeError
from lithify.learners.base import Learner

BUILT_IN = {
    "boosting": "lithify.learners.boosting.boosting:Boosting",
    "ensemble": "lithify.learners.ensemble.ensemble:Ensemble",
    "linear": "lithify.learners.linear.linear:Linear",
    "network": "lithify.learners.network.network:Network",
    "tree": "lithify.learners.tree.tree:Tree",
}
GROUP = "lithify.learners"


def names() -> list[str]:
    """All learners that can be asked for, sorted.

    >>> "linear" in names()
    True
    """
    return sorted({*BUILT_IN, *_added()})


def learner(name: str) -> type[Learner]:
    """The learner of that name; ``RecipeError`` with the nearest name if there is none."""
    path = BUILT_IN.get(name) or _added().get(name)
    if path is None:
        near = difflib.get_close_matches(name, names(), n=1)
        raise RecipeError(
            f"There is no learner {name!r}.",
            expected=", ".join(names()),
            hint=f"Did you mean {near[0]!r}?" if near else None,
        )
    module, _, attribute = path.partition(":")
    return cast(type[Learner], getattr(import_module(module), attribute))


def _added() -> dict[str, str]:
    """Learners of other packages; looked for only when a built-in one was not asked for."""
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=GROUP)}
