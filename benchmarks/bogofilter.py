"""Bogofilter, the Bayesian filter of Debian and others, on whole messages as it reads them itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.corpus import Corpus
from benchmarks.cuts import Part
from benchmarks.judging import Scores

NAME = "bogofilter"
SEES = "whole message"
_LINE = re.compile(r"(\S+) ([SHU]) (\S+)")


def present() -> bool:
    """Whether it is installed (Debian: ``apt-get install bogofilter``)."""
    return shutil.which("bogofilter") is not None


def version() -> str:
    """Name and version."""
    return _run(["-V"], "").splitlines()[0].replace("version ", "")


class Bogofilter:
    """Works on one corpus, whose messages it is given as files.

    Its defaults decide what is spam: 0.99 and above. In between is what it calls unsure, which is delivered.
    """

    name, sees = NAME, SEES

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lithify-bench-")
        self._files: list[Path] = []

    def score(self, corpus: Corpus, part: Part) -> Scores:
        """Scores of the test rows after registering the training rows once each."""
        with tempfile.TemporaryDirectory(prefix="lithify-bench-") as home:
            self.train(corpus, part, Path(home))
            return self.scores(corpus, part, Path(home))

    def train(self, corpus: Corpus, part: Part, home: Path) -> None:
        """Registers the training rows into a word list of its own."""
        for label, flag in ((0, "-n"), (1, "-s")):
            rows = part.train[corpus.spam[part.train] == label]
            _run(["-C", "-d", str(home), flag, "-b"], self.files(corpus, rows))

    def scores(self, corpus: Corpus, part: Part, home: Path) -> Scores:
        """Scores of the test rows, to the last digit it prints."""
        wanted = self.files(corpus, part.test)
        told = _run(["-C", "-d", str(home), "-t", "-v", "--terse-format=%1.1c %.16f", "-b"], wanted)
        found = {name: (verdict, float(value)) for name, verdict, value in _LINE.findall(told)}
        each = [found[name] for name in wanted.split()]
        if not all(0.0 <= value <= 1.0 for _, value in each):
            raise RuntimeError("bogofilter printed scores that are no probabilities")
        called = np.array([verdict == "S" for verdict, _ in each])
        return Scores(np.array([value for _, value in each]), called, called)

    def files(self, corpus: Corpus, rows: Iterable[int]) -> str:
        """The files of some rows, one a line."""
        if not self._files:
            self._files = [Path(self._folder.name, f"{row}.eml") for row in range(len(corpus))]
            for path, content in zip(self._files, corpus.content, strict=True):
                path.write_bytes(content)
        return "".join(f"{self._files[row]}\n" for row in rows)


def _run(arguments: list[str], files: str) -> str:
    done = subprocess.run(["bogofilter", *arguments], input=files, capture_output=True, text=True, check=False)
    if done.returncode > 2:  # 0, 1, 2 are its verdicts
        raise RuntimeError(f"bogofilter ended with {done.returncode}: {done.stderr.strip()[:200]}")
    return done.stdout
