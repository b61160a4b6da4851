"""The compiled kernels: compiled once per installation, kept by numba in a cache."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lithify.cli.output import Terminal
from lithify.progress import Reporter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TEXTS = ("lithify.data.minhash", "lithify.features.extract", "lithify.learners.linear.kernels")
_FOREST = ("lithify.learners.forest.quick_kernels",)
_WINOGRAD = "lithify.learners.network.winograd_kernels"
MODULES: dict[str, tuple[str, ...]] = {
    "texts": _TEXTS,
    "boosting": (*_FOREST, "lithify.learners.boosting.kernels"),
    "tree": (*_FOREST, "lithify.learners.tree.kernels"),
    "linear": ("lithify.learners.linear.columns_kernels", "lithify.learners.linear.kernels"),
    "images": ("lithify.data.picture_kernels",),
    "networks": (_WINOGRAD,),
}
"""Modules whose compiled code shows that the kernels of a kind of work were compiled."""

_WORDS = ("meeting", "report", "offer", "free", "money", "list", "patch", "invoice", "click", "server", "lunch")
_ROWS = 400
_NEEDS = {"boosting": "lightgbm", "images": "PIL", "networks": "torch"}
"""What must be installed for a kind of work."""
_SHORT = {
    "boosting": ["boosting.rounds=4", "boosting.chunk=2"],
    "tree": ["tree.max_leaves=8"],
    "linear": ["linear.steps=3"],
}
"""What keeps a training short that is only there to compile."""


def cached(works: Sequence[str] | None = None) -> bool:
    """Whether the kernels of some works, or of all, were compiled before, as far as can be told without numba."""
    return all(any(_compiled(name)) for work in (_works() if works is None else works) for name in MODULES[work])


def tell_compiling(terminal: Terminal, kind: str = "mail", learner: str = "") -> None:
    """Says that the time also goes into compiling, when it does; freezing and measuring tables needs no learner.

    Freezing images and training on them is compiled, and nothing else that is done with them.
    """
    if not cached([work for work in _needed(kind, learner) if work in _works()]):
        terminal.note("First use of this installation: compiling the numeric kernels, once, which takes a while.")


def _needed(kind: str, learner: str) -> tuple[str, ...]:
    if kind == "image":
        return ("images", "networks") if learner else ("images",)
    if kind != "table":
        return ("texts",)
    named = {"": (), "auto": ("boosting",), "ensemble": ("boosting", "linear")}
    return named.get(learner, (learner,) if learner in MODULES else ())


def _works() -> list[str]:
    """What this installation can do: without LightGBM there is no boosting, without Pillow there are no images."""
    return [work for work in MODULES if work not in _NEEDS or find_spec(_NEEDS[work]) is not None]


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
    with tempfile.TemporaryDirectory(prefix="lithify-warm-") as place:
        for labels in (2, 3, 0):
            rows = _table(labels)
            task = "classification" if labels else "regression"
            made = api.snapshot(rows, home=place, task=task, report=report)
            for learner in (work for work in _works() if work in _SHORT):
                model = api.train(made, home=place, learner=learner, report=report, set=_SHORT.get(learner, ()))
                model.predict(rows)
                model.explain({name: cells[0] for name, cells in rows.items()})
    if "images" in _works():
        with tempfile.TemporaryDirectory(prefix="lithify-warm-") as place:
            api.snapshot(_images(), home=place, report=report)
    if "networks" in _works():
        _convolve()


def _convolve() -> None:
    """The transforms of one filter, without loading torch."""
    import numpy as np

    from lithify.kernels import compiled

    kernels, window, shape = compiled(_WINOGRAD), (3, 3, 0), (1, 3, 3, 1)
    filters, products = np.ones(9, dtype=np.float32), np.empty(36, dtype=np.float32)
    kernels.gather(filters, shape, kernels.OF_FILTER, window, products, 1)
    kernels.scatter(products, 1, kernels.TO_FILTER, window, filters, shape)


def _images() -> tuple[NDArray[np.uint8], list[str]]:
    """Images of noise with two labels."""
    import numpy as np

    noise = np.arange(120 * 16 * 16, dtype=np.uint32) * 2654435761 >> 24
    return noise.astype(np.uint8).reshape(120, 16, 16), ["a", "b"] * 60


def _table(labels: int) -> dict[str, list[object]]:
    """Columns of every kind that kernels know, with so many labels that mean nothing, or values."""
    numbers = [number * 37 % 101 for number in range(_ROWS)]
    label: list[object] = ["abc"[number % labels] if labels else number / 7.0 for number in numbers]
    return {
        "number": [None if number % 11 == 0 else number / 3.0 for number in numbers],
        "category": [_WORDS[number % 7] for number in numbers],
        "text": [" ".join(_WORDS[(row + i) % len(_WORDS)] for i in range(9)) + f" {row}" for row in range(_ROWS)],
        "target": label,
    }


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
