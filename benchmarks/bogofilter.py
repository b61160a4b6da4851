"""Bogofilter, the Bayesian filter of Debian and others, on whole messages as it reads them itself.

Its defaults decide what is spam: 0.99 and above. Below that down to 0.45 is what it calls unsure, which is delivered.
"""

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
FORMAT = "--terse-format=%1.1c %.16f"  # its %e and %g lose the exponent
_LINE = re.compile(r"(\S+) ([SHU]) (\S+)")


def present() -> bool:
    """Whether it is installed (Debian: ``apt-get install bogofilter``)."""
    return shutil.which("bogofilter") is not None


def version() -> str:
    """Name and version."""
    return _run(["-V"], "").splitlines()[0].replace("version ", "")


def score(corpus: Corpus, part: Part) -> Scores:
    """Scores of the test rows after registering each training row once."""
    with tempfile.TemporaryDirectory(prefix="lithify-bench-") as folder:
        home, mail = Path(folder, "home"), Path(folder, "mail")
        home.mkdir()
        mail.mkdir()
        for label, flag in ((0, "-n"), (1, "-s")):
            rows = part.train[corpus.spam[part.train] == label]
            _run(["-C", "-d", str(home), flag, "-b"], _files(corpus, rows, mail))
        wanted = _files(corpus, part.test, mail)
        told = _run(["-C", "-d", str(home), "-t", "-v", FORMAT, "-b"], wanted)
    return _scores(told, wanted.split())


def _scores(told: str, wanted: list[str]) -> Scores:
    """What it said of each file."""
    found = {name: (verdict, float(value)) for name, verdict, value in _LINE.findall(told)}
    each = [found[name] for name in wanted]
    value = np.array([value for _, value in each])
    if not ((value >= 0.0) & (value <= 1.0)).all():
        raise RuntimeError("bogofilter printed scores that are no probabilities")
    called = np.array([verdict == "S" for verdict, _ in each])
    return Scores(value, called, called)


def _files(corpus: Corpus, rows: Iterable[int], folder: Path) -> str:
    """Writes some messages as files; their paths, one a line."""
    paths = [folder / f"{row}.eml" for row in rows]
    for row, path in zip(rows, paths, strict=True):
        path.write_bytes(corpus.content[row])
    return "".join(f"{path}\n" for path in paths)


def _run(arguments: list[str], files: str) -> str:
    done = subprocess.run(["bogofilter", *arguments], input=files, capture_output=True, text=True, check=False)
    if done.returncode > 2:  # 0, 1, 2 are its verdicts
        raise RuntimeError(f"bogofilter ended with {done.returncode}: {done.stderr.strip()[:200]}")
    return done.stdout
