"""The compiled kernels: compiled once per installation, kept by numba in a cache."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

from lithify.cli.output import Terminal
from lithify.progress import Reporter

MODULES = ("lithify.data.minhash", "lithify.features.extract", "lithify.learners.linear_kernels")
"""Modules whose compiled code shows that the kernels were compiled."""

_WORDS = ("meeting", "report", "offer", "free", "money", "list", "patch", "invoice", "click", "server", "lunch")


def cached() -> bool:
    """Whether the kernels were compiled before, as far as can be told without loading numba."""
    return all(any(_compiled(name)) for name in MODULES)


def tell_compiling(terminal: Terminal) -> None:
    """Says that the time also goes into compiling, when it does."""
    if not cached():
        terminal.note("First use of this installation: compiling the numeric kernels, once, which takes a while.")


def warm(report: Reporter) -> None:
    """Compiles every kernel, by doing on made-up rows in a home of its own what they are for."""
    from lithify import api

    for kind in ("mail", "text"):
        with tempfile.TemporaryDirectory(prefix="lithify-warm-") as place:
            folder = Path(place)
            _made_up(folder / "data", kind)
            model = api.train(folder / "data", home=folder / "home", kind=kind, report=report, set=["folds=2"])
            texts = [path.read_bytes() for path in sorted((folder / "data").rglob("*.txt"))]
            model.predict(texts)


def _compiled(name: str) -> list[Path]:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return []
    source = Path(spec.origin)
    pattern = f"{source.stem}.*.nbi"
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return list(Path(chosen).glob(f"*/{pattern}"))
    beside = list((source.parent / "__pycache__").glob(pattern))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return beside or list((cache / "numba").glob(f"*/{pattern}"))


def _made_up(folder: Path, kind: str) -> None:
    """Rows of two labels that mean nothing."""
    for number in range(120):
        label = ("ham", "spam")[number % 2]
        words = " ".join(_WORDS[(number * 7 + i * (1 + number % 5)) % len(_WORDS)] + str(number * i) for i in range(60))
        head = f"From: a{number}@example.org\nSubject: {label} {number}\n\n" if kind == "mail" else ""
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{number:03}.txt").write_text(f"{head}{label} {words}\n", encoding="utf-8")
