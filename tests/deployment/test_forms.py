"""The columns of tables of predictions, and rows of every shape in them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyarrow import parquet

from lithify.deployment import forms
from lithify.errors import UsageError
from lithify.model.model import Model

LINES = [
    {"input": "a,\n\"b\"", "label": "y|z", "probabilities": {"x": 0.1, "y|z": 0.9}, "labels": ["x", "y|z"],
     "novelty": 0.25},
    {"input": "ö", "label": "x", "probabilities": {"x": 1.0, "y|z": 1e-300}, "labels": [], "novelty": 0.0},
    {"input": "c", "problem": "empty"},
]  # fmt: skip


def model(**facts: Any) -> Model:
    given = {"labels": ("x", "y|z"), "cutoffs": None, "conformal": {}, "novelty": {}, "digest": "sha256:0"}
    return cast(Model, SimpleNamespace(**{**given, **facts}))


def made(path: Path, of: Model, lines: list[dict[str, object]]) -> bytes:
    part = path.with_name("part")
    part.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    convert = forms.form_of(path, of)
    assert convert is not None
    return b"".join(convert(part))


def test_columns_are_those_of_the_model() -> None:
    assert list(forms.columns(model())) == ["input", "label", "p(x)", "p(y|z)", "labels", "novelty", "problem"]
    spam = model(cutoffs={}, conformal=None, novelty=None)
    assert list(forms.columns(spam)) == ["input", "label", "p(x)", "p(y|z)", "verdict", "problem"]
    assert list(forms.columns(model(labels=(), novelty=None))) == ["input", "value", "low", "high", "problem"]


def test_csv(tmp_path: Path) -> None:
    assert made(tmp_path / "v.csv", model(), LINES).decode() == (
        "input,label,p(x),p(y|z),labels,novelty,problem\n"
        '"a,\n""b""",y|z,0.1,0.9,x|y|z,0.25,\n'
        "ö,x,1.0,1e-300,,0.0,\n"
        "c,,,,,,empty\n"
    )


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "ROWS", 2)
    file = parquet.ParquetFile(io.BytesIO(made(tmp_path / "v.parquet", model(), LINES)))
    assert file.num_row_groups == 2
    assert [row["labels"] for row in file.read().to_pylist()] == [["x", "y|z"], [], None]


def test_values_with_open_intervals(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [{"input": "a", "value": 2.5, "interval": [None, 3.0]}]
    assert (
        made(tmp_path / "v.csv", model(labels=(), novelty=None), lines)
        == b"input,value,low,high,problem\na,2.5,,3.0,\n"
    )


def test_no_rows(tmp_path: Path) -> None:
    assert made(tmp_path / "v.csv", model(labels=(), novelty=None), []) == b"input,value,low,high,problem\n"
    assert parquet.read_table(io.BytesIO(made(tmp_path / "v.parquet", model(), []))).num_rows == 0


def test_endings() -> None:
    assert forms.form_of(Path("v.jsonl"), model()) is None
    with pytest.raises(UsageError, match="parquet"):
        forms.form_of(Path("v.txt"), model())
