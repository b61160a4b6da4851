"""How long work tells how far it is: a function that is called with an :class:`Update` now and then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Update:
    """One word on how far the work is.

    Attributes
    ----------
    stage : str
        What is being done, in a few words: ``reading``, ``training``.
    done : int
        How much of it.
    total : int or None
        Of how much; None when that is not known.
    facts : dict
        What else there is to say, by name: a validation figure, the time of the last checkpoint.
    note : str
        A line to keep on the screen; empty for none.
    """

    stage: str
    done: int = 0
    total: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    note: str = ""


Reporter = Callable[[Update], None]


def silent(update: Update) -> None:
    """A reporter that says nothing."""
