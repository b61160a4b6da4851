from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lithify import canon, metrics
from lithify.errors import DataError, TooFewRows, UsageError
from lithify.evaluation.evaluate import evaluate

from .conftest import make


def test_figures_are_those_of_the_test_rows(evaluation):
    model, snapshot = make()
    rows = np.flatnonzero(snapshot.table.side == 3)
    p = model.raw(snapshot.content(rows))
    y = snapshot.table.label[rows]
    assert evaluation.rows == len(rows)
    assert evaluation.counts == {"ham": int((y == 0).sum()), "spam": int((y == 1).sum())}
    np.testing.assert_array_equal(evaluation.probabilities, p)
    np.testing.assert_array_equal(evaluation.keys, snapshot.table.key[rows])
    for name, measured in metrics.measure(y, p).items():
        assert evaluation.metrics[name]["value"] == measured.value
        assert evaluation.metrics[name]["low"] == measured.low
    assert evaluation.metrics["missed_at_1_per_100"]["title"] == "Spam missed at 1 % ham loss"


def test_verdicts_count_every_row_once(evaluation):
    cutoffs = evaluation.model.cutoffs
    score = evaluation.probabilities[:, 1]
    assert evaluation.verdicts["ham"]["spam"] == int((score[evaluation.y == 0] >= cutoffs["spam"]).sum())
    for label, counts in evaluation.verdicts.items():
        assert sum(counts.values()) == evaluation.counts[label]


def test_a_positive_label_that_is_first_changes_nothing_but_names():
    model, snapshot = make(400, cutoffs=False)
    turned = dataclasses.replace(model, labels=("spam", "zzz"), spam="spam")
    turned.probabilities = lambda raw: raw[:, ::-1]
    renamed = dataclasses.replace(snapshot, labels=("zzz", "spam"))
    found, expected = evaluate(turned, renamed), evaluate(model, snapshot)
    assert found.labels == ("zzz", "spam")
    for name, measured in expected.metrics.items():
        assert found.metrics[name]["value"] == measured["value"], name


def test_labels_are_matched_by_name_not_by_code():
    model, snapshot = make(400, ("a", "b", "c"), cutoffs=False, spam="")
    order = np.array([2, 0, 1])
    table = snapshot.table
    shuffled = dataclasses.replace(snapshot, labels=("b", "c", "a"))
    shuffled.table = type(table)(**{**vars(table), "label": order[table.label].astype(np.int32)})
    assert evaluate(model, shuffled).metrics == evaluate(model, snapshot).metrics


def test_json_is_canonical_and_has_no_content(evaluation):
    found = evaluation.to_json()
    text = canon.dumps(found)
    assert canon.loads(text) == found
    assert b"Subject" not in text
    assert b"script" not in text
    assert found["looks"] == 3
    assert found["rule"] == "time"
    assert sum(map(sum, found["confusion"])) == found["rows"] == evaluation.rows
    assert len(found["mistakes"][0]["key"]) == 64


def test_table_says_value_interval_and_rows(evaluation):
    row = evaluation.table()[0]
    assert row.name == "Spam missed at 0.1 % ham loss"
    assert row.value.endswith(" %")
    assert " to " in row.interval
    assert row.rows == evaluation.rows


def test_mistakes_are_the_most_confident_wrong_rows(evaluation):
    wrong = np.flatnonzero(metrics.Sample.of(evaluation.y, evaluation.probabilities).predicted != evaluation.y)
    assert 0 < len(evaluation.mistakes) <= len(wrong)
    hams = [mistake for mistake in evaluation.mistakes if mistake.truth == "ham"]
    assert [m.probability for m in hams] == sorted((m.probability for m in hams), reverse=True)
    for mistake in evaluation.mistakes:
        assert mistake.truth != mistake.predicted
        assert evaluation.snapshot.table.key[mistake.row].tobytes().hex() == mistake.key


def test_notes_say_what_limits_the_figures():
    model, snapshot = make(300)
    assert evaluate(model, snapshot).notes == ()
    assert "the model has seen them" in evaluate(model, snapshot, "train").notes[0]
    model.card = {"data": {"snapshot": "sha256:" + "00" * 32}}
    assert "another snapshot" in evaluate(model, snapshot).notes[0]


def test_one_label_only_among_the_test_rows():
    model, snapshot = make(300)
    snapshot.table.side[snapshot.table.label == 1] = 0
    found = evaluate(model, snapshot)
    assert "No row is labelled spam" in found.notes[0]
    assert "auc" not in found.metrics
    assert found.verdicts["spam"] == {"ham": 0, "unsure": 0, "spam": 0}


def test_clear_errors():
    model, snapshot = make(100)
    with pytest.raises(UsageError, match="test"):
        evaluate(model, snapshot, "tests")
    with pytest.raises(DataError, match="junk"):
        evaluate(model, dataclasses.replace(snapshot, labels=("ham", "junk")))
    snapshot.table.side[:] = 0
    with pytest.raises(TooFewRows, match="no rows"):
        evaluate(model, snapshot)
