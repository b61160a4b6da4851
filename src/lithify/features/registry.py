"""Features by the kind of rows they read; none is imported before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from lithify.errors import Unsupported
from lithify.features.base import Features

_PATHS = {"mail": "lithify.features.mail:Mail", "text": "lithify.features.text:Text"}


def features(kind: str) -> type[Features]:
    """The features for rows of that kind; ``Unsupported`` if there are none."""
    if kind not in _PATHS:
        raise Unsupported(f"There are no features for rows of kind {kind!r}.", expected=", ".join(sorted(_PATHS)))
    module, _, attribute = _PATHS[kind].partition(":")
    return cast(type[Features], getattr(import_module(module), attribute))
