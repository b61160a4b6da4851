"""What an opened model says: the same bits alone, in a batch and in a process without a compiler; and why."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from tests.conftest import message, words

from lithify.model.model import open_model

FRESH = """
import json, sys
BANNED = ("numba", "llvmlite", "pyarrow", "pydantic", "sklearn", "scipy", "typer", "rich", "pandas", "torch", "jinja2")
if len(sys.argv) > 3:
    sys.modules["numba"] = None
from lithify.model.model import open_model
model = open_model(sys.argv[1], verify=False)
raw = [model.raw([bytes.fromhex(line)]).tobytes().hex() for line in sys.stdin.read().split()]
explained = [item.weight for item in model.explain_content(b"Subject: money\\n\\nfree money for a kernel").items]
if len(sys.argv) > 3:
    del sys.modules["numba"]
loaded = sorted({name.split(".")[0] for name in sys.modules} & set(BANNED))
print(json.dumps({"raw": raw, "loaded": loaded, "explained": explained}))
"""


def rows(kind: str) -> list[bytes]:
    labels = ("ham", "spam", "other")
    if kind == "text":
        return [words(labels[n % 3], n + 500).encode() for n in range(40)]
    return [message(labels[n % 2], n + 500) for n in range(40)]


@pytest.mark.parametrize("kind", ["mail", "text"])
def test_a_fresh_process_without_a_compiler_gives_the_same_bits(trained, kind) -> None:
    """One row at a time in plain Python there, a compiled batch here; and nothing heavy is loaded for it."""
    model, contents = trained[kind], rows(kind)
    batch = model.raw(contents)
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(model.path), kind, "without"],
        input="\n".join(content.hex() for content in contents),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    found = json.loads(done.stdout)
    assert found["loaded"] == []
    assert found["raw"] == [row.tobytes().hex() for row in batch]
    here = model.explain_content(b"Subject: money\n\nfree money for a kernel")
    assert found["explained"] == [item.weight for item in here.items]


def test_opening_loads_nothing_heavy(trained) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(trained["mail"].path), "mail"],
        input="",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["loaded"] == []


def test_explanations_add_up(model) -> None:
    for content in [*rows(model.kind), b"", b"\n", b" \n" * 9]:
        told = model.explain_content(content)
        total = told.base + sum(item.weight for item in told.items)
        raw = model.raw([content])[0]
        column = model.labels.index(told.label)
        score = raw[column] - raw[1 - column] if len(raw) == 2 else raw[column]
        assert told.score == score
        assert abs(total - told.score) <= 1e-9
        assert told.prediction == model.predict([content])[0] if model.kind == "text" and content else True
        weights = [abs(item.weight) for item in told.items]
        assert weights == sorted(weights, reverse=True)
        json.dumps(told.to_json())


def test_explained_words_stand_where_it_says(trained) -> None:
    text = words("spam", 3)
    told = trained["text"].explain(text)
    assert told.items
    for item in told.items:
        assert text.encode()[item.start : item.end].decode() == item.text


def test_two_labels_are_explained_from_either_side(trained) -> None:
    model = trained["mail"]
    ham = max(rows("mail"), key=lambda row: model.raw([row])[0, 0] - model.raw([row])[0, 1])
    told = model.explain(ham)
    assert told.label == "spam"
    assert told.score < 0
    assert told.prediction.label == "ham"


def test_predictions(model, tmp_path) -> None:
    contents = rows(model.kind)
    probabilities = model.predict_proba(contents)
    assert probabilities.shape == (len(contents), len(model.labels))
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    found = model.predict(contents)
    assert [p.label for p in found] == [model.labels[i] for i in probabilities.argmax(axis=1)]
    assert {p.verdict for p in found} <= ({"ham", "spam", "unsure"} if model.cutoffs else {None})
    path = tmp_path / "one"
    path.write_bytes(contents[0])
    (alone,) = model.predict(path)
    assert (alone.input, alone.model) == (str(path), model.digest)
    assert alone.probabilities == found[0].probabilities
    assert model.predict([]) == []


def test_a_model_cannot_be_changed(model) -> None:
    weights = model.draft.learner_state.arrays["weights"]
    with pytest.raises(ValueError, match="read-only"):
        weights[0] = 0
    with pytest.raises(TypeError):
        model.data[0] = 0
    digest = model.digest
    model.predict(rows(model.kind))
    assert open_model(bytes(model.data), verify=True).digest == digest


def test_the_card_says_what_it_was_made_of(trained) -> None:
    card = trained["mail"].card
    assert card["data"]["rows"] == 160
    assert card["recipe"]["params"]["steps"] == 6
    assert card["engine"]["learner.linear"] >= 1
    assert card["limits"]
    assert trained["mail"].reference["rows"] > 0
