"""The usual scikit-learn text classifiers, on what the standard library decodes."""

from __future__ import annotations

import email
from abc import ABC, abstractmethod
from dataclasses import dataclass
from email.header import decode_header
from email.message import Message
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from benchmarks.corpus import Corpus
from benchmarks.cuts import Part
from benchmarks.judging import Scores
from lithify.media import html

MIN_ROWS = 2
"""Training rows in which a term must occur."""

READ = 8000
"""Characters that the character filters read, which is what Lithify reads in bytes."""


@dataclass(frozen=True)
class Letter:
    """A message as the standard library decodes it; ``plain`` is the body with HTML made text."""

    subject: str
    body: str
    plain: str


def read(content: bytes) -> Letter:
    """Subject and the text of every text part, charsets decoded, broken ones as well as can be."""
    message = email.message_from_bytes(content)
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    texts = [_text(part) for part in parts]
    shown = [
        html.to_text(text) if part.get_content_subtype() == "html" else text
        for part, text in zip(parts, texts, strict=True)
    ]
    return Letter(_subject(message), "\n".join(texts), "\n".join(shown))


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    return _decode(data, part.get_content_charset() or "utf-8")


def _decode(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):
        return data.decode("latin-1")


def _subject(message: Message) -> str:
    raw = str(message.get("subject", ""))
    try:
        words = decode_header(raw)
    except (ValueError, email.errors.HeaderParseError):
        return raw
    return "".join(word if isinstance(word, str) else _decode(word, charset or "latin-1") for word, charset in words)


class Peer(ABC):
    """A filter that is trained on some rows of a corpus and scores others.

    Counting words is done once for the whole corpus; a training then sees only the columns that occur in at least two
    of its own rows, with weights fitted on those rows: what fitting a ``TfidfVectorizer`` on them would give.
    """

    name: str
    sees: str

    def __init__(self) -> None:
        self._known: sparse.csr_matrix | None = None

    @abstractmethod
    def counter(self) -> CountVectorizer:
        """What turns texts into counts."""

    @abstractmethod
    def classifier(self) -> Any:
        """What is trained on them."""

    @abstractmethod
    def text(self, content: bytes) -> str:
        """What it sees of a message."""

    def score(self, corpus: Corpus, part: Part) -> Scores:
        """Scores of the test rows after training on the training rows."""
        counts = self._counts(corpus)
        train = counts[part.train]
        columns = np.flatnonzero(np.diff(train.tocsc().indptr) >= MIN_ROWS)
        weigh = TfidfTransformer(sublinear_tf=True)
        classifier = self.classifier().fit(weigh.fit_transform(train[:, columns]), corpus.spam[part.train])
        value = classifier.decision_function(weigh.transform(counts[part.test][:, columns]))
        return Scores(value, value >= 0.0, value >= 0.0)

    def pipeline(self, contents: list[bytes], spam: Any) -> Any:
        """The same as a trained scikit-learn pipeline from texts to scores, to be timed."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline

        settings = self.counter().get_params() | {"min_df": MIN_ROWS, "sublinear_tf": True, "dtype": np.float64}
        made = make_pipeline(TfidfVectorizer(**settings), self.classifier())
        return made.fit([self.text(content) for content in contents], spam)

    def _counts(self, corpus: Corpus) -> sparse.csr_matrix:
        """Counts of every row, made once; a peer works for one corpus."""
        if self._known is None:
            self._known = self.counter().fit_transform([self.text(content) for content in corpus.content]).tocsr()
        return self._known


class Words(Peer):
    """TF-IDF of words and pairs of words, logistic regression."""

    name = "TF-IDF words 1-2, logistic regression"
    sees = "subject, body without tags"

    def counter(self) -> CountVectorizer:
        """Words and pairs."""
        return CountVectorizer(ngram_range=(1, 2), dtype=np.float32)

    def classifier(self) -> Any:
        """C = 10: TF-IDF rows have length one, for which the default of 1 is too stiff."""
        return LogisticRegression(C=10.0, max_iter=1000)

    def text(self, content: bytes) -> str:
        """Subject and body; with tags this one misses half as much spam again."""
        letter = read(content)
        return f"{letter.subject}\n{letter.plain}"


class WordsOfAll(Words):
    """The same on the whole header as well, as it came."""

    sees = "header, body"

    def text(self, content: bytes) -> str:
        """Header as it is, decoded body."""
        header = content.partition(b"\n\n")[0].decode("latin-1")
        return f"{header}\n{read(content).body}"


class Characters(Peer):
    """TF-IDF of 3- to 5-grams of characters within words, linear support vector machine."""

    name = "TF-IDF char_wb 3-5, linear SVM"
    sees = "body"

    def counter(self) -> CountVectorizer:
        """Grams of characters."""
        return CountVectorizer(analyzer="char_wb", ngram_range=(3, 5), dtype=np.float32)

    def classifier(self) -> Any:
        """With its defaults."""
        return LinearSVC(C=1.0)

    def text(self, content: bytes) -> str:
        """The first characters of the body: about as much as Lithify reads."""
        return read(content).body[:READ]


class CharactersOfSubject(Characters):
    """The same with the subject."""

    sees = "subject, body"

    def text(self, content: bytes) -> str:
        """Subject, then body."""
        letter = read(content)
        return f"{letter.subject}\n{letter.body}"[:READ]


class CharactersWithoutTags(Characters):
    """The same with the subject and without tags: better on some splits, worse on others."""

    sees = "subject, body without tags"

    def text(self, content: bytes) -> str:
        """Subject, then the text of the body."""
        letter = read(content)
        return f"{letter.subject}\n{letter.plain}"[:READ]


PEERS: tuple[type[Peer], ...] = (Words, WordsOfAll, Characters, CharactersOfSubject, CharactersWithoutTags)
