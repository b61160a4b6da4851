"""What evaluation asks of a model and of a snapshot, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lithify.data.schema import Field
from lithify.features.base import Column
from lithify.learners.forest.forest import Forest


class Contribution(Protocol):
    """A span of an input and how far it pushed: above zero towards the explained label."""

    @property
    def channel(self) -> str:
        """Body, header, fact or text."""

    @property
    def text(self) -> str:
        """The span itself."""

    @property
    def weight(self) -> float:
        """How far it pushed."""


class Explanation(Protocol):
    """Why an input got its probabilities."""

    @property
    def label(self) -> str | None:
        """The label that is explained, None in regression; weights above zero push towards it."""

    @property
    def items(self) -> Sequence[Contribution]:
        """The spans, in any order."""


class Draft(Protocol):
    """What a model predicts with."""

    def raw(self, contents: Sequence[bytes], /) -> NDArray[np.float64]:
        """Raw scores (n, C) of canonical contents; (n, 1) in regression."""

    def judge(self, contents: Sequence[bytes], /) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Raw scores of canonical contents and how unusual each is, from 0 to 1; None where that is unknown."""

    def probabilities(self, raw: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Calibrated probabilities (n, C) of raw scores."""

    def values(self, raw: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Predicted values (n,) of raw scores, in regression."""

    def importances(self) -> list[tuple[str, float]] | None:
        """How much each field counts, the most first, summing to one; None where that is unknown."""

    def columns(self) -> list[Column]:
        """What the columns of the blocks mean; empty for hashed blocks."""

    def history(self) -> NDArray[np.float32] | None:
        """How training went, (k, 3 or more): step, loss and accuracy; None where that is unknown."""

    def tree(self) -> Forest | None:
        """The tree that it predicts with, where it is one tree that a person can read; else None."""


class Model(Protocol):
    """A sealed model."""

    @property
    def digest(self) -> str:
        """``sha256:`` and 64 hex digits."""

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The input fields of a table; empty for mail and text."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the columns of scores; empty in regression."""

    @property
    def spam(self) -> str:
        """The label that means spam, or empty."""

    @property
    def card(self) -> Mapping[str, Any]:
        """The facts sealed into the model."""

    @property
    def cutoffs(self) -> Mapping[str, Any] | None:
        """As :func:`lithify.calibration.choose_cutoffs` makes them, or None."""

    @property
    def conformal(self) -> Mapping[str, Any] | None:
        """As :mod:`lithify.conformal` makes it, or None."""

    @property
    def draft(self) -> Draft:
        """What it predicts with."""

    def explain_content(self, content: bytes, /) -> Explanation:
        """Why canonical content is scored as it is."""


class Table(Protocol):
    """Facts of all rows of a snapshot, as arrays."""

    @property
    def key(self) -> NDArray[np.uint8]:
        """(n, 32)"""

    @property
    def label(self) -> NDArray[np.int32]:
        """(n,) codes into the snapshot's labels."""

    @property
    def value(self) -> NDArray[np.float64]:
        """(n,) what regression predicts."""

    @property
    def time(self) -> NDArray[np.int64]:
        """(n,) seconds UTC."""

    @property
    def group(self) -> NDArray[np.int64]:
        """(n,) equal for near-duplicates."""

    @property
    def side(self) -> NDArray[np.uint8]:
        """(n,) see :mod:`lithify.data.split`."""

    @property
    def generation(self) -> NDArray[np.uint16]:
        """(n,)"""


class Snapshot(Protocol):
    """A frozen dataset."""

    @property
    def digest(self) -> str:
        """``sha256:`` and 64 hex digits."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the digest stands for."""

    @property
    def kind(self) -> str:
        """``mail``, ``text``, ``table`` or ``image``."""

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels; empty in regression."""

    @property
    def table(self) -> Table:
        """Facts of the rows."""

    def content(self, rows: NDArray[np.int64], /) -> list[bytes]:
        """Raw inputs of some rows."""

    def batches(self, rows: NDArray[np.int64], size: int = ..., /) -> Iterator[tuple[NDArray[np.integer], list[bytes]]]:
        """Row numbers and raw inputs, some at a time."""
