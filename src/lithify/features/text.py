"""Features of plain text: 4-grams of its letters and grams of its byte classes, hashed. Nothing is fitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from lithify.data.batches import Blocks
from lithify.data.state import State
from lithify.features import hashed
from lithify.features.base import Features, Span


@dataclass(frozen=True)
class TextParams:
    """Parameters of the features of text.

    Attributes
    ----------
    read : int
        Bytes of a text that are read.
    body_bits, shape_bits : int
        Size of each channel's hash table, as a power of two.
    shape_size : int
        Byte classes in one gram of the ``shape`` channel.
    """

    read: Annotated[int, Ge(64), Le(1 << 20)] = 16000
    body_bits: Annotated[int, Ge(8), Le(24)] = 19
    shape_bits: Annotated[int, Ge(8), Le(24)] = 16
    shape_size: Annotated[int, Ge(2), Le(7)] = 5


class Text(Features):
    """See the module.

    >>> block = Text(TextParams()).transform(State(), [b"hello world"])["hashed"]
    >>> len(block), block.buckets
    (1, 589824)
    """

    Params: ClassVar[type] = TextParams
    engine: ClassVar[Mapping[str, int | str]] = {"features.text": 1}

    @property
    def buckets(self) -> int:
        """Buckets of both channels together."""
        return int((1 << self.params.body_bits) + (1 << self.params.shape_bits))

    def fit(self, batches: Iterable[Sequence[bytes]], groups: NDArray[np.int64] | None = None) -> State:
        """Nothing is fitted."""
        return hashed.no_fit(batches)

    def transform(self, state: State, contents: Sequence[bytes]) -> Blocks:
        """One hashed block; buckets of a row are distinct, in the order they first occur."""
        return hashed.transform("text_rows", contents, self._sizes(), self.buckets)

    def spans(self, state: State, content: bytes) -> list[Span]:
        """Words of the text."""
        sizes = self._sizes()
        text = content[: int(sizes[0])]
        bucket = np.empty(2 * sizes[0] + 1, dtype=np.uint32)
        where = np.zeros(len(bucket), dtype=np.int64)
        data = np.frombuffer(text or b"\0", dtype=np.uint8)
        with np.errstate(over="ignore"):
            count = hashed.plain_kernels().text_row(data, len(text), sizes, bucket, where)
        return hashed.word_spans(text, "text", bucket[:count], where[:count])

    def audit(self, state: State) -> None:
        """Text features have no state."""
        hashed.audit_empty(state)

    def _sizes(self) -> NDArray[np.int64]:
        p = self.params
        return np.array([p.read, p.body_bits, p.shape_bits, 8, p.shape_size], dtype=np.int64)
