"""What stands in rows of mail and text, as tokens, and how well each tells a label.

Of mail: which header fields there are, the words of their values (hosts, gateways, mailing lists, years), and facts of
how the header is made. Of text: its words. Tokens with many digits are left out: they are numbers of messages, and
tell nothing but one row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.media import headers

LEAST_ROWS = 10
"""Rows that must hold a token for it to be named, so that none gives a single row away."""
MIN_SHARE = 0.005
_VALUE = 4096
_READ = 16000
_ATOM = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,48}[a-z0-9])?")
_WORD = re.compile(r"[^\W\d_]{2,40}")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_CONTENT = {"subject", "thread-topic"}
"""Fields that a person wrote: what stands in them is content, not the mark of a gateway."""
_NUMBERED = {"message-id", "in-reply-to", "references", "x-uidl", "content-id"}


@dataclass(frozen=True)
class Tokens:
    """Which rows hold which tokens.

    Attributes
    ----------
    names : list of str
        Tokens, sorted, of at least ``LEAST_ROWS`` rows.
    counts : (tokens, parts) int64
        Rows of each part that hold each token.
    sizes : (parts,) int64
        Rows of each part.
    """

    names: list[str]
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]


def of_mail(content: bytes) -> set[str]:
    r"""Tokens of a message: ``List-Id:`` for a field, ``list-id fork.example`` for a word of its value.

    >>> sorted(of_mail(b"List-Id: <fork.example>\nDate: Mon, 5 Aug 2002 10:00:00 +0000\nSubject: secret\n\nbody"))
    ['date 2002', 'date mon', 'date:', 'list-id fork.example', 'list-id:', 'subject:']
    """
    found = set()
    for raw_name, raw in headers.fields(headers.split(content)[0]):
        name = raw_name.decode("ascii", "replace")
        found.add(f"{name}:")
        if name in _CONTENT:
            continue
        value = raw[:_VALUE].decode("latin-1").lower()
        if name == "date":
            found |= {f"date {word}" for word in [value[:3], *_YEAR.findall(value)] if word.isalnum()}
            continue
        if name in _NUMBERED:
            value = value.rpartition("@")[2]
        found |= {f"{name} {word}" for word in _ATOM.findall(value) if sum(map(str.isdigit, word)) <= 2 < len(word)}
    return found


def of_text(content: bytes) -> set[str]:
    """Words of a text, in lower case.

    >>> sorted(of_text("Ça va 3 times".encode()))
    ['times', 'va', 'ça']
    """
    return set(_WORD.findall(content[: 4 * _READ].decode("utf-8", "replace")[:_READ].lower()))


def count(
    contents: Iterable[bytes], part: NDArray[np.int64], parts: int, tokens_of: Callable[[bytes], set[str]]
) -> Tokens:
    """Counts tokens over rows, each of which is in one of some parts."""
    number: dict[str, int] = {}
    tokens: list[NDArray[np.int64]] = []
    lengths = []
    for content in contents:
        held = [number.setdefault(token, len(number)) for token in sorted(tokens_of(content))]
        tokens.append(np.array(held, dtype=np.int64))
        lengths.append(len(held))
    flat = np.concatenate(tokens) if tokens else np.zeros(0, dtype=np.int64)
    rows = np.bincount(flat, minlength=len(number))
    kept = rows >= max(LEAST_ROWS, MIN_SHARE * len(lengths))
    place = np.cumsum(kept) - 1
    of = np.repeat(part, lengths)[kept[flat]] if len(flat) else flat
    at = place[flat[kept[flat]]] * parts + of
    counts = np.bincount(at, minlength=int(kept.sum()) * parts).reshape(-1, parts)
    names = [name for name, keep in zip(number, kept.tolist(), strict=True) if keep]
    order = sorted(range(len(names)), key=names.__getitem__)
    return Tokens([names[i] for i in order], counts[order], np.bincount(part, minlength=parts))


@dataclass(frozen=True)
class Tell:
    """How well a token tells one label from the others; arrays over tokens.

    Attributes
    ----------
    label : (t,) int64
        The label that it speaks for.
    margin : (t,) float64
        Share of that label's rows that hold it, less the share of the other rows: 1 where it decides alone.
    purity : (t,) float64
        Share of that label among the rows that hold it.
    """

    label: NDArray[np.int64]
    margin: NDArray[np.float64]
    purity: NDArray[np.float64]


def tell(held: NDArray[np.int64], sizes: NDArray[np.int64], label: NDArray[np.int64] | None = None) -> Tell:
    """From rows of each label that hold each token, (t, labels), and rows of each label.

    ``label`` says which label to look at; without, the one with the largest margin.

    >>> found = tell(np.array([[90, 0], [50, 50]]), np.array([100, 100]))
    >>> found.margin.tolist(), found.purity.tolist()
    ([0.9, 0.0], [1.0, 0.5])
    """
    total = held.sum(axis=1, keepdims=True)
    rest = np.maximum(1, sizes.sum() - sizes)
    margin = held / np.maximum(1, sizes) - (total - held) / rest
    at = margin.argmax(axis=1) if label is None else label
    row = np.arange(len(held))
    return Tell(at, margin[row, at], held[row, at] / np.maximum(1, total[:, 0]))


def with_absence(found: Tokens, chosen: Sequence[bool]) -> Tokens:
    """The same with a token ``no X`` for each chosen one: rows that lack it."""
    some = np.flatnonzero(np.asarray(chosen, dtype=bool))
    names = [*found.names, *(f"no {found.names[i]}" for i in some)]
    return Tokens(names, np.concatenate([found.counts, found.sizes - found.counts[some]]), found.sizes)
