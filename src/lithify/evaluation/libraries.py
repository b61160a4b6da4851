"""The libraries that the bits of a model depend on, as its card names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

_PACKAGES = {
    "lightgbm": "lightgbm",
    "network.torch": "torch",
    "pillow": "pillow",
    "simplejpeg": "simplejpeg",
}
"""Entries of a card's engine that are versions of packages, and the packages."""


class Library(NamedTuple):
    """A package and its version."""

    name: str
    version: str

    @property
    def purl(self) -> str:
        """The package URL.

        >>> Library("torch", "2.13.0+cpu").purl
        'pkg:pypi/torch@2.13.0%2Bcpu'
        """
        return f"pkg:pypi/{self.name}@{quote(self.version, safe='.-_~')}"


def libraries(engine: Mapping[str, Any]) -> list[Library]:
    """The libraries in an engine, by name; what it names besides are revisions of our own code and the machine.

    >>> libraries({"learner.boosting": 1, "lightgbm": "4.7.0", "metrics": 3})
    [Library(name='lightgbm', version='4.7.0')]
    """
    found = [Library(_PACKAGES[name], str(engine[name])) for name in engine if name in _PACKAGES]
    return sorted(library for library in found if library.version != "none")
