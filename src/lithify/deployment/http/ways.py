"""Where a path leads: which methods it takes, whose model it is about, who may go there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lithify.errors import NotFound

if TYPE_CHECKING:
    from lithify.deployment.http.app import App, Asked
    from lithify.deployment.http.judging import Task
    from lithify.deployment.http.message import Request, Response

Act = Callable[["App", "Asked", "Request"], "Response | Task"]
"""What answers a request."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where a path leads.

    Attributes
    ----------
    route : str
        Name for logs and metrics, one of a fixed set.
    acts : mapping of str to callable
        By method, without HEAD and OPTIONS.
    alias : str
        The model in the path; empty where there is none.
    version : str or None
        The version in the path.
    public : bool
        Whether it takes no token.
    plain : bool
        Whether errors are told as the Open Inference Protocol has it.
    slow : bool
        Whether it always takes longer than some milliseconds.
    """

    route: str
    acts: Mapping[str, Act]
    alias: str = ""
    version: str | None = None
    public: bool = False
    plain: bool = False
    slow: bool = False

    @property
    def allowed(self) -> str:
        """Its methods, as the header ``Allow`` lists them."""
        return ", ".join((*self.acts, *(("HEAD",) if "GET" in self.acts else ()), "OPTIONS"))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A way for every model: the parts of its path, ``{alias}`` and ``{version}`` standing for any."""

    parts: tuple[str, ...]
    route: str
    acts: Mapping[str, Act]
    plain: bool = False
    slow: bool = False

    def match(self, parts: tuple[str, ...]) -> Way | None:
        """The way of a path, by its parts; None where it is another."""
        if len(parts) != len(self.parts):
            return None
        alias, version = "", None
        for own, part in zip(self.parts, parts, strict=True):
            if own == "{alias}" and part:
                alias = part
            elif own == "{version}" and part:
                version = part
            elif own != part:
                return None
        return Way(self.route, self.acts, alias, version, plain=self.plain, slow=self.slow)


KEPT: Final = 4096
"""Paths that are remembered."""


class Ways:
    """All ways of a server; those found are remembered, so that a path is taken apart once."""

    def __init__(self, fixed: Mapping[str, Way], patterns: tuple[Pattern, ...]) -> None:
        self._fixed, self._patterns = dict(fixed), patterns
        self._found: dict[str, Way] = dict(fixed)

    def find(self, path: str) -> Way:
        """The way of a path; ``NotFound`` where there is none."""
        way = self._found.get(path)
        return way if way is not None else self._look(path)

    def _look(self, path: str) -> Way:
        parts = tuple(path.split("/", 8)[1:])
        way = next((found for pattern in self._patterns if (found := pattern.match(parts)) is not None), None)
        if way is None:
            raise NotFound(f"There is nothing at {path[:100]!r}.", hint="See / for people, /openapi.json for programs.")
        if len(path) <= 200:
            if len(self._found) >= KEPT:
                self._found = dict(self._fixed)
            self._found[path] = way
        return way
