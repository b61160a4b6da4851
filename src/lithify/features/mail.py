"""Features of mail: what the decoded body says, how it is typed, and how the header is made.

Three channels with hash tables of their own: ``body`` (4-grams of the subject and the decoded text parts, HTML as it
stands), ``shape`` (grams of byte classes of the same bytes) and ``header`` (structural facts, see
:mod:`lithify.features.facts`). Other header texts are left out on purpose: they tell mailing lists and gateways apart
and age badly. Nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from lithify.data.batches import Blocks
from lithify.data.state import State
from lithify.features import hashed
from lithify.features.base import Features, Span


@dataclass(frozen=True)
class MailParams:
    """Parameters of the features of mail.

    Attributes
    ----------
    read : int
        Decoded bytes of a message that are read.
    body_bits, shape_bits, header_bits : int
        Size of each channel's hash table, as a power of two.
    shape_size : int
        Byte classes in one gram of the ``shape`` channel.
    """

    read: Annotated[int, Ge(64), Le(1 << 20)] = 8000
    body_bits: Annotated[int, Ge(8), Le(24)] = 19
    shape_bits: Annotated[int, Ge(8), Le(24)] = 18
    header_bits: Annotated[int, Ge(8), Le(24)] = 16
    shape_size: Annotated[int, Ge(2), Le(7)] = 6


class Mail(Features):
    r"""See the module.

    >>> mail = Mail(MailParams())
    >>> block = mail.transform(State(), [b"Subject: hello\n\nBuy now!\n"])["hashed"]
    >>> len(block), block.buckets
    (1, 851968)
    """

    Params: ClassVar[type] = MailParams
    engine: ClassVar[Mapping[str, int | str]] = {"features.mail": 1}

    @property
    def buckets(self) -> int:
        """Buckets of all channels together."""
        p = self.params
        return int((1 << p.body_bits) + (1 << p.shape_bits) + (1 << p.header_bits))

    def fit(self, batches: Iterable[Sequence[bytes]], groups: NDArray[np.int64] | None = None) -> State:
        """Nothing is fitted."""
        return hashed.no_fit(batches)

    def transform(self, state: State, contents: Sequence[bytes]) -> Blocks:
        """One hashed block; buckets of a row are distinct, in the order they first occur."""
        return hashed.transform("mail_rows", contents, self._sizes(), self.buckets)

    def spans(self, state: State, content: bytes) -> list[Span]:
        """Words of the decoded body, and one span for each structural fact."""
        kernels, sizes = hashed.plain_kernels(), self._sizes()
        text = np.empty(sizes[0] + 1, dtype=np.uint8)
        bucket = np.empty(2 * sizes[0] + kernels.f.FACTS + 1, dtype=np.uint32)
        where = np.zeros(len(bucket), dtype=np.int64)
        data = np.frombuffer(content or b"\0", dtype=np.uint8)
        with np.errstate(over="ignore"):
            count = kernels.mail_row(data, 0, len(content), sizes, text, bucket, where)
            value = _facts(kernels, data, len(content))
        which = np.flatnonzero(value != kernels.f.ABSENT)
        grams = count - len(which)
        length = int(where[:grams].max()) + 1 if grams else 0
        body = text[: min(length, sizes[0])].tobytes()
        spans = hashed.word_spans(body, "body", bucket[:grams], where[:grams])
        for fact, own in zip(which.tolist(), bucket[grams:count].tolist(), strict=True):
            shown = _fact_text(kernels.f.TITLES[fact], int(value[fact]))
            spans.append(Span("header", hashed.BLOCK, shown, 0, 0, np.array([own])))
        return spans

    def audit(self, state: State) -> None:
        """Mail features have no state."""
        hashed.audit_empty(state)

    def _sizes(self) -> NDArray[np.int64]:
        p = self.params
        return np.array([p.read, p.body_bits, p.shape_bits, p.header_bits, p.shape_size], dtype=np.int64)


def _facts(kernels: Any, data: NDArray[np.uint8], end: int) -> NDArray[np.uint64]:
    m, f = kernels.m, kernels.f
    start, stop = np.empty(m.FIELDS, dtype=np.int64), np.zeros(m.FIELDS, dtype=np.int64)
    route, value = np.zeros(5, dtype=np.int64), np.empty(f.FACTS, dtype=np.uint64)
    m.read_header(data, 0, end, start, stop, route)
    f.collect(data, start, stop, route, value)
    return value


def _fact_text(title: str, value: int) -> str:
    """A fact for people: hashed values are not shown, yes and no read as such."""
    if title.startswith("has "):
        return title if value else title.replace("has", "no", 1)
    return f"{title}: {value}" if value < 256 else title
