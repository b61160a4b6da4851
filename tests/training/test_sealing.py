"""The figures that are sealed: what they were measured on, and which label they call positive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lithify import rng
from lithify.metrics import FILTERING, measure
from lithify.training.sealing import _figures


def rows(labels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    y = rng.below(rng.key(0, "labels"), 0, labels, 400)
    raw = rng.uniform(rng.key(0, "scores"), 0, 400 * labels).reshape(400, labels) + np.eye(labels)[y]
    return y.astype(np.int32), raw / raw.sum(axis=1, keepdims=True)


def draft(labels: tuple[str, ...], spam: str, kind: str = "mail") -> Any:
    return SimpleNamespace(kind=kind, task="classification", labels=labels, spam=spam, probabilities=lambda raw: raw)


def test_spam_is_the_positive_label_wherever_it_sorts() -> None:
    y, p = rows()
    last = _figures(y, p, draft(("ham", "spam"), "spam"))
    assert _figures(1 - y, p[:, ::-1], draft(("junk", "legit"), "junk")) == last
    assert _figures(1 - y, p[:, ::-1], draft(("junk", "legit"), "")) != last
    assert last["f1"]["value"] == pytest.approx(measure(y, p)["f1"].value, rel=1e-5)


def test_figures_of_filters_are_not_measured_on_tables() -> None:
    y, p = rows()
    mail, table = (_figures(y, p, draft(("no", "yes"), "", kind)) for kind in ("mail", "table"))
    assert mail.keys() - table.keys() == {metric.name for metric in FILTERING}
    assert table.items() <= mail.items()


def test_the_card_says_how_many_rows_of_each_generation_were_measured(tiny_train) -> None:
    test = tiny_train().model.card["test"]
    assert test["generations"] == [test["rows"]]


FIGURES = """
import sys; sys.path.insert(0, {folder!r})
from test_sealing import rows
from lithify.metrics import measure
for labels in (2, 12):
    print(sorted((name, *map(float.hex, each)) for name, each in measure(*rows(labels)).items()))
"""


@pytest.mark.parametrize("without", ["X86_V4 AVX512_ICL AVX512_SPR", "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"])
def test_figures_do_not_depend_on_the_instruction_set(without: str) -> None:
    """To the last bit, before they are rounded; several threads of the BLAS against one."""
    job = [sys.executable, "-W", "ignore", "-c", FIGURES.format(folder=str(Path(__file__).parent))]
    here = subprocess.run(job, capture_output=True, text=True, check=True)
    pins = {"NPY_DISABLE_CPU_FEATURES": without, "OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"}
    there = subprocess.run(job, capture_output=True, text=True, env={**os.environ, **pins}, check=False)
    if there.returncode:
        pytest.skip("this NumPy does not let go of these instructions")
    assert there.stdout == here.stdout
