"""Columns of words for mail and text, so that rules can be read: the word "prize" occurs.

A word is two or more letters and digits, not digits alone (those are dates and amounts, which age badly), in lower
case. The words of a model are chosen on training rows alone and
without their labels: those that stand in neither too few nor too many rows, the most frequent ones. Every word kept
stands in at least ten rows that are no copies of each other, so that none gives a single row away.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from lithify.data.batches import Blocks, Dense
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.features import word_facts
from lithify.features.base import Column, Features, Span
from lithify.features.lists import REVISION, Met
from lithify.media import mime

Place = tuple[str, int, int, str]
"""Channel, start, end, and what stands there."""

SUBJECT = "subject: "
"""Before a word that stands in the subject of a mail."""

_WORD = re.compile(r"(?<![^\W_])(?!\d+(?![^\W_]))[^\W_]{2,40}")
_LEAST_GROUPS = 10
_ROUND = 65536


@dataclass(frozen=True)
class WordParams:
    """Parameters of columns of words.

    Attributes
    ----------
    words : int
        Words at most.
    read : int
        Characters of a text that are read.
    least_share, most_share : float
        Of the rows, in how many a word stands at least and at most.
    """

    words: Annotated[int, Ge(0), Le(20_000)] = 1000
    read: Annotated[int, Ge(64), Le(1 << 20)] = 16000
    least_share: Annotated[float, Gt(0), Le(1)] = 0.005
    most_share: Annotated[float, Gt(0), Le(1)] = 0.5


class TextWords(Features):
    """Words that occur in a text, and how long it is.

    >>> features = TextWords(WordParams())
    >>> fitted = features.fit([[b"red apple", b"green apple"] * 10])
    >>> [column.name for column in features.columns(fitted)]
    ['words in the text', 'characters in the text', 'green', 'red']
    >>> features.transform(fitted, [b"A red one"])["words"].values.tolist()
    [[0.0, 1.0]]
    """

    Params: ClassVar[type] = WordParams
    engine: ClassVar[Mapping[str, int | str]] = {"features.words": 1, "unicode": unicodedata.unidata_version}
    _answers: ClassVar[tuple[str, ...]] = ()
    _magnitudes: ClassVar[tuple[str, ...]] = ("words in the text", "characters in the text")

    @classmethod
    def fingerprint(cls) -> Mapping[str, int | str]:
        """How lists are chosen."""
        return {"features.lists": REVISION}

    def fit(self, batches: Iterable[Sequence[bytes]], groups: NDArray[np.int64] | None = None) -> State:
        """The words, by frequency and then by the alphabet."""
        found = (set(self._words(content)) for batch in batches for content in batch)
        counts, rows = _count(found, groups, self.params.least_share)
        least, most = self.params.least_share * rows, self.params.most_share * rows
        kept = [word for word, count in counts.items() if least <= count <= most]
        kept.sort(key=lambda word: (-counts[word], word))
        return State({}, {"words": sorted(kept[: self.params.words])})

    def transform(self, state: State, contents: Sequence[bytes]) -> Blocks:
        """Blocks ``numbers``, float64, and ``words``, float32 of 0 and 1: answers, then words."""
        place = {word: at + len(self._answers) for at, word in enumerate(state.facts["words"])}
        numbers = np.empty((len(contents), len(self._magnitudes)))
        words = np.zeros((len(contents), len(self._answers) + len(place)), dtype=np.float32)
        known = len(self._magnitudes) - 2
        words[:, : len(self._answers)], numbers[:, :known] = self._facts(contents)
        for row, content in enumerate(contents):
            text = self._text(content)
            found = self._words(content, text)
            numbers[row, known:] = sum(not word.startswith(SUBJECT) for word in found), len(text)
            words[row, [place[word] for word in set(found) if word in place]] = 1.0
        blocks = {"numbers": Dense(numbers)}
        return blocks if not words.shape[1] else {**blocks, "words": Dense(words)}

    def columns(self, state: State) -> list[Column]:
        """Numbers, answers and words, by name."""
        return [
            *(Column("numbers", name, "number") for name in self._magnitudes),
            *(Column("words", name, "boolean") for name in self._answers),
            *(Column("words", word, "word") for word in state.facts["words"]),
        ]

    def spans(self, state: State, content: bytes) -> list[Span]:
        """Every place where a word of the columns stands; one span for each other column, words that are absent too."""
        blocks, columns = self.transform(state, [content]), self.columns(state)
        places, spans = self._places(content), []
        at = {"numbers": 0, "words": 0}
        for column in columns:
            number = at[column.block]
            at[column.block] += 1
            value = float(blocks[column.block].values[0, number])  # type: ignore[union-attr]
            if column.kind == "word" and value:
                stands = places[column.name]
            else:
                stands = [("fact", 0, 0, _shown(column, value))]
            for channel, start, end, shown in stands:
                spans.append(Span(channel, column.block, shown, start, end, np.array([number])))
        return spans

    def audit(self, state: State) -> None:
        """The state is the list of words, sorted, each once."""
        words = state.facts.get("words")
        sound = not state.arrays and state.facts.keys() == {"words"} and isinstance(words, list)
        if not sound or not all(isinstance(word, str) for word in words or ()):
            raise MalformedContainer("The state is not that of columns of words.", expected="a list of words")
        assert words is not None
        fit = all(_WORD.fullmatch(word.removeprefix(SUBJECT)) for word in words)
        if not fit or words != sorted(set(words)) or len(words) > self.params.words:
            raise MalformedContainer("The words of the columns are not sorted, or no words, or too many.")

    def _text(self, content: bytes) -> str:
        """What a person would read."""
        return content[: 4 * self.params.read].decode("utf-8", "replace")[: self.params.read]

    def _words(self, content: bytes, text: str | None = None) -> list[str]:
        """All words of a row, repeated ones too."""
        return _WORD.findall(_lower(self._text(content) if text is None else text))

    def _facts(self, contents: Sequence[bytes]) -> tuple[Any, Any]:
        """Answers and magnitudes other than lengths."""
        return 0.0, 0.0

    def _places(self, content: bytes) -> dict[str, list[Place]]:
        """Where each word stands."""
        return _find(self._text(content), "text")


class MailWords(TextWords):
    r"""Words of a mail's subject and body, those of the subject also by themselves, and how its header is made.

    >>> features = MailWords(WordParams())
    >>> fitted = features.fit([[b"Subject: hello\n\nred", b"Subject: bye\n\nblue"] * 10])
    >>> [column.name for column in features.columns(fitted) if column.kind == "word"]
    ['blue', 'bye', 'hello', 'red', 'subject: bye', 'subject: hello']
    """

    engine: ClassVar[Mapping[str, int | str]] = {
        "features.words": 1,
        "unicode": unicodedata.unidata_version,
        "html": version("selectolax"),
    }
    _answers: ClassVar[tuple[str, ...]] = word_facts.ANSWERS
    _magnitudes: ClassVar[tuple[str, ...]] = (*word_facts.MAGNITUDES, *TextWords._magnitudes)

    def _text(self, content: bytes) -> str:
        return mime.text(content)[: self.params.read]

    def _words(self, content: bytes, text: str | None = None) -> list[str]:
        return super()._words(content, text) + [SUBJECT + word for word in _WORD.findall(_lower(_subject(content)))]

    def _facts(self, contents: Sequence[bytes]) -> tuple[Any, Any]:
        return word_facts.read(contents)

    def _places(self, content: bytes) -> dict[str, list[Place]]:
        return _find(self._text(content), "body") | _find(_subject(content), "subject", SUBJECT)


def _subject(content: bytes) -> str:
    found = mime.first(mime.split(content)[0], b"subject")
    return mime.decode_words(found) if found else ""


def _lower(text: str) -> str:
    """In lower case and as long as before: of all characters only the dotted I would become two."""
    return text.replace("\u0130", "i").lower()


def _find(text: str, channel: str, before: str = "") -> dict[str, list[Place]]:
    places: dict[str, list[Place]] = {}
    for match in _WORD.finditer(_lower(text)):
        places.setdefault(before + match[0], []).append((channel, match.start(), match.end(), match[0]))
    return places


def _shown(column: Column, value: float) -> str:
    if column.kind == "number":
        return f"{column.name}: {value:g}" if value >= 0 else f"{column.name}: none"
    if column.kind == "word":
        return f'no "{column.name}"'
    if column.name.startswith("has "):
        return column.name if value else column.name.replace("has", "no", 1)
    return column.name if value else f"not: {column.name}"


def _count(rows: Iterable[set[str]], groups: NDArray[np.int64] | None, least_share: float) -> tuple[Counter[str], int]:
    """In how many rows each word stands that stands in enough groups, and how many rows there are.

    So that memory stays bounded, every 65,536 rows words are forgotten that stood in less than a tenth of the share of
    rows that is asked for (lossy counting; Manku, Motwani 2002, doi:10.1016/B978-155860869-6/50038-X).
    """
    counts: Counter[str] = Counter()
    met: Met[str] = Met(_LEAST_GROUPS)
    seen = 0
    for words in rows:
        counts.update(words)
        group = seen if groups is None else int(groups[seen])
        for word in words:
            met.add(word, group)
        seen += 1
        if seen % _ROUND == 0:
            least = least_share * seen / 10
            counts = Counter({word: count for word, count in counts.items() if count >= least})
            met.forget(counts)
    return Counter({word: count for word, count in counts.items() if met.often(word)}), seen
