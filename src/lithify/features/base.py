"""The contract of features: contents in, blocks out; whatever is fitted is fitted on training rows only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks
from lithify.data.state import State


@dataclass(frozen=True)
class Span:
    """A stretch of a row that one or more features come from.

    Attributes
    ----------
    channel : str
        Which block: ``body``, ``header``, ``fact``, ``text``, ``image``.
    text : str
        What a person would read there.
    start, end : int
        Where it stands in the text of its channel; both 0 for a fact, and for an image both the number of the cell.
    features : (k,) int64
        Bucket numbers (or columns, or cells of an image) of the block ``block``.
    """

    channel: str
    block: str
    text: str
    start: int
    end: int
    features: NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """What one column of a dense block or a block of codes means.

    Attributes
    ----------
    block : str
        Name of the block.
    name : str
        Name of the field, or of what was made of it.
    kind : str
        ``number``, ``boolean``, ``time``, ``category`` or ``word``.
    values : tuple of str
        Of a category: the values that codes 2, 3, ... stand for.
    origin : str
        The field it was made of; empty where that is ``name``.
    """

    block: str
    name: str
    kind: str
    values: tuple[str, ...] = ()
    origin: str = ""

    @property
    def field(self) -> str:
        """The field it was made of."""
        return self.origin or self.name


def codes_of(columns: Iterable[Column]) -> dict[str, tuple[int, ...]]:
    """For each block how many codes each of its columns has, 0 where it holds numbers.

    >>> codes_of([Column("numbers", "age", "number"), Column("categories", "job", "category", ("clerk", "smith"))])
    {'numbers': (0,), 'categories': (4,)}
    """
    found: dict[str, tuple[int, ...]] = {}
    for column in columns:
        codes = 2 + len(column.values) if column.kind == "category" else 0
        found[column.block] = (*found.get(column.block, ()), codes)
    return found


class Features(ABC):
    """A way to turn contents into blocks. Subclasses are final.

    Attributes
    ----------
    Params : type
        Frozen dataclass, parsed strictly.
    engine : mapping of str to int
        What the bits depend on: names of numeric codes and their revisions.
    """

    Params: ClassVar[type]
    engine: ClassVar[Mapping[str, int | str]]

    def __init__(self, params: Any) -> None:
        self.params = params

    @classmethod
    def settle(cls, params: Any, side: int, channels: int) -> Any:
        """The parameters with everything decided that is left to what the rows are like, written into the recipe.

        Parameters
        ----------
        params : Params
        side, channels : int
            Of images: pixels of the short side in the middle of all images, and 1 (grey) or 3; 0 for other rows.
        """
        return params

    @classmethod
    def fingerprint(cls) -> Mapping[str, int | str]:
        """What only the bits of a training depend on: names of libraries and their versions; none by default.

        It enters the engine of a run. A model opens without them.
        """
        return {}

    @abstractmethod
    def fit(self, batches: Iterable[Sequence[bytes]], groups: NDArray[np.int64] | None = None) -> State:
        """What has to be known of the training rows, by an ordered reduction over them.

        Parameters
        ----------
        batches : iterable of sequences of bytes
            The contents of n rows, however they are batched.
        groups : (n,) int64, optional
            Equal for rows of one group. What only few groups have is not kept; without this every row is one.
        """

    @abstractmethod
    def transform(self, state: State, contents: Sequence[bytes]) -> Blocks:
        """The blocks of some rows; each row's features depend on that row and the state alone."""

    @abstractmethod
    def spans(self, state: State, content: bytes) -> list[Span]:
        """Which stretch of a row each of its features comes from."""

    def columns(self, state: State) -> list[Column]:
        """What the columns of the blocks mean, block by block; hashed blocks and pixels have none that mean a thing."""
        return []

    @abstractmethod
    def audit(self, state: State) -> None:
        """Raises ``MalformedContainer`` unless a state read from a file has the arrays and facts it must have."""
