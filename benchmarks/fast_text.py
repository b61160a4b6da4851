"""fastText, where its Python package is installed (``fasttext-numpy2-wheel`` has binaries that work with NumPy 2)."""

from __future__ import annotations

import re
import tempfile
from importlib.metadata import packages_distributions
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks import peers
from benchmarks.corpus import Corpus
from benchmarks.cuts import Part
from benchmarks.judging import Scores

NAME = "fastText, words 1-2"
SEES = "subject, body"
_WORDS = re.compile(r"\w+|[^\w\s]")


def present() -> bool:
    """Whether it is installed."""
    return find_spec("fasttext") is not None


def version() -> str:
    """Package and version."""
    name = packages_distributions()["fasttext"][0]
    return f"{name} {version_of(name)}"


def score(corpus: Corpus, part: Part) -> Scores:
    """Scores of the test rows; one thread, so that it gives the same figures each time."""
    import fasttext

    with tempfile.TemporaryDirectory(prefix="lithify-bench-") as folder:
        file = Path(folder, "train.txt")
        names = ("__label__ham", "__label__spam")
        lines = (f"{names[corpus.spam[row]]} {_text(corpus.content[row])}\n" for row in part.train)
        file.write_text("".join(lines), encoding="utf-8")
        model = fasttext.train_supervised(
            str(file), lr=0.5, epoch=10, wordNgrams=2, bucket=1 << 20, dim=25, thread=1, verbose=0
        )
    value = np.array([_margin(model, _text(corpus.content[row])) for row in part.test])
    return Scores(value, value >= 0.0, value >= 0.0)


def _margin(model: object, text: str) -> float:
    labels, probabilities = model.predict(text, k=2)  # type: ignore[attr-defined]
    found = dict(zip(labels, np.log(np.clip(probabilities, 1e-300, None)), strict=True))
    return float(found.get("__label__spam", -690.0) - found.get("__label__ham", -690.0))


def _text(content: bytes) -> str:
    letter = peers.read(content)
    return " ".join(_WORDS.findall(f"{letter.subject} {letter.body}".lower()))
