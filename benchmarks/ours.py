"""Lithify as a person would use it: snapshot with the split given, default recipe, sealed model, prediction."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np

from benchmarks.corpus import Corpus
from benchmarks.cuts import Part
from benchmarks.judging import Scores
from lithify import recipe
from lithify.data.schema import Problem, Row
from lithify.data.snapshotting import snapshot
from lithify.data.source import Source
from lithify.model.model import Model
from lithify.store.home import open_home
from lithify.training import run

NAME = "Lithify"
SEES = "whole message"


class Given(Source):
    """A corpus whose split is decided already."""

    def __init__(self, corpus: Corpus, part: Part) -> None:
        self.kind = "mail"
        self._corpus = corpus
        self._sides = dict.fromkeys(part.train.tolist(), "train") | dict.fromkeys(part.test.tolist(), "test")

    def describe(self) -> str:
        """What was recognised."""
        return "a corpus with a given split"

    def rows(self) -> Iterator[Row | Problem]:
        """Every row of the split."""
        corpus = self._corpus
        for row, side in self._sides.items():
            label = "spam" if corpus.spam[row] else "ham"
            yield Row(corpus.content[row], label, int(corpus.time[row]), side=side)

    def signature(self) -> str:
        """Of the keys and sides."""
        said = "".join(f"{self._corpus.key[row].hex()}{side}" for row, side in sorted(self._sides.items()))
        return sha256(said.encode()).hexdigest()


def train(corpus: Corpus, part: Part, home: Path) -> Model:
    """Trains by the default recipe on the training rows."""
    opened = open_home(home)
    frozen = snapshot(Given(corpus, part), opened, rule="given")
    return run.train(opened, frozen, recipe.parse({}), source=frozen.digest).model


def score(corpus: Corpus, part: Part) -> Scores:
    """Scores of the test rows by the sealed model."""
    with tempfile.TemporaryDirectory(prefix="lithify-bench-") as folder:
        model = train(corpus, part, Path(folder, "home"))
        found = model.predict([corpus.content[row] for row in part.test])
    value = np.array([prediction.probabilities["spam"] for prediction in found])
    called = np.array([prediction.verdict == "spam" for prediction in found])
    return Scores(value, value >= 0.5, called)
