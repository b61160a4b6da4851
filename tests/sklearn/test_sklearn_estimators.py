"""The estimators: rows of every kind, seeds and threads, calibration, sealing, Ctrl-C."""

from __future__ import annotations

import _thread
import datetime
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

import lithify
from lithify import rng
from lithify.learners.boosting.boosting import Boosting
from lithify.sklearn import LithifyClassifier, LithifyRegressor

FEW: dict[str, Any] = {"rounds": 12, "members": 4, "learning_rate": 0.3, "chunk": 4}


def numbers(rows: int = 120, columns: int = 3) -> NDArray[np.float64]:
    return rng.uniform(rng.key(0, "sklearn"), np.arange(rows * columns)).reshape(rows, columns)


def frame(rows: int = 120) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Columns of every kind, with missing cells; the label is told by the colour and by the weekday."""
    draws = numbers(rows, 4)
    colours = np.array(["red", "green", "blue"])[(draws[:, 0] * 3).astype(int)]
    days = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=int(day * 300)) for day in draws[:, 1]]
    table = pd.DataFrame(
        {
            "size": np.where(draws[:, 2] < 0.1, np.nan, draws[:, 2]),
            "colour": [None if draw < 0.05 else colour for draw, colour in zip(draws[:, 3], colours, strict=True)],
            "shade": pd.Categorical(colours),
            "when": days,
            "wet": draws[:, 3] < 0.5,
            "row": [f"row {number:05}" for number in range(rows)],
        }
    )
    weekend = np.array([day.weekday() >= 5 for day in days])
    return table, np.where((colours == "red") | weekend, "yes", "no")


@pytest.mark.parametrize("learner", ["boosting", "linear", "tree"])
def test_frames_of_every_kind(learner: str) -> None:
    table, y = frame()
    params = FEW if learner == "boosting" else {}
    model = LithifyClassifier(learner=learner, params=params).fit(table, y)
    assert model.score(table, y) > 0.9
    assert model.feature_names_in_.tolist() == list(table.columns)
    shares = dict(zip(table.columns, model.feature_importances_.tolist(), strict=True))
    assert shares["row"] == 0.0  # it names the rows
    assert shares["when"] > 0.0
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["colour"] + shares["shade"] > max(shares["size"], shares["wet"])
    again = model.predict_proba(pl.from_pandas(table))
    assert again.tobytes() == model.predict_proba(table).tobytes()
    one_by_one = np.concatenate([model.predict_proba(table[at : at + 1]) for at in range(0, 20)])
    assert one_by_one.tobytes() == model.predict_proba(table[:20]).tobytes()


def test_polars_and_arrow_frames_fit_as_pandas_do() -> None:
    table, y = frame()
    frames = [table, pl.from_pandas(table), pl.from_pandas(table).to_arrow()]
    fitted = [LithifyClassifier(learner="linear").fit(one, y) for one in frames]
    first, *others = (model.predict_proba(table).tobytes() for model in fitted)
    assert others == [first, first]


def test_kinds_can_be_named_by_name_and_by_place() -> None:
    X = np.repeat([[1.0], [2.0], [3.0]], 20, axis=0)
    y = np.repeat(["out", "in", "out"], 20)  # no line through numbers tells it
    assert LithifyClassifier(learner="linear", fields={0: "category"}).fit(X, y).score(X, y) == 1.0
    named = pd.DataFrame(X, columns=["zip"])
    assert LithifyClassifier(learner="linear", fields={"zip": "category"}).fit(named, y).score(named, y) == 1.0
    for wrong in ({5: "category"}, {"zap": "category"}, {0: "colour"}):
        with pytest.raises(ValueError, match=r"[Cc]olumn"):
            LithifyClassifier(learner="linear", fields=wrong).fit(X, y)


def test_texts_of_an_array_are_columns_of_their_kind() -> None:
    X = [["1.5", "low"], ["2.5", "low"], ["8.5", "high"], ["9.5", "high"]] * 6
    y = [0, 0, 1, 1] * 6
    model = LithifyClassifier(learner="linear").fit(np.array(X), y)
    assert model.predict([["1.0", "low"], ["9.0", "high"]]).tolist() == [0, 1]
    assert LithifyClassifier(learner="linear").fit(np.array(X, dtype=object), y).score(X, y) == 1.0


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no column to learn from .*all cells are equal"):
        LithifyClassifier().fit(pd.DataFrame({"a": ["x"] * 30}), [0, 1] * 15)


@pytest.mark.parametrize("kind", [LithifyClassifier, LithifyRegressor])
def test_threads_change_no_bit_and_a_seed_does(kind: type) -> None:
    X = numbers()
    y = (X[:, 0] > 0.5).astype(int)
    one, many = (kind(learner="boosting", params=FEW, n_jobs=jobs).fit(X, y).to_model() for jobs in (1, 3))
    assert one.digest == many.digest
    other = kind(learner="boosting", params=FEW, random_state=1).fit(X, y)
    assert other.to_model().digest != one.digest
    assert kind(learner="boosting", params=FEW, random_state=0).fit(X, y).to_model().digest == one.digest


def test_a_random_state_is_asked_for_a_seed() -> None:
    X, y = numbers(60), numbers(60)[:, 0]
    state = np.random.RandomState(3)
    first, second = (
        LithifyRegressor(learner="boosting", params=FEW, random_state=state).fit(X, y).predict(X) for _ in range(2)
    )
    again = LithifyRegressor(learner="boosting", params=FEW, random_state=np.random.RandomState(3)).fit(X, y).predict(X)
    assert first.tobytes() == again.tobytes() != second.tobytes()
    with pytest.raises(ValueError, match="seed"):
        LithifyRegressor(random_state=-1).fit(X, y)


@pytest.mark.parametrize("classes", [[2, 10], [-1.0, 2.0, 10.0], [False, True], ["b", "a"]])
def test_classes_keep_their_order_whatever_their_texts(classes: list[Any]) -> None:
    X = np.repeat(np.arange(float(len(classes))), 20)[:, None]
    y = np.repeat(np.array(classes), 20)
    model = LithifyClassifier(learner="linear", calibrate=True).fit(X, y)
    assert model.classes_.tolist() == sorted(classes)
    assert (model.predict(X) == y).all()
    scores = model.decision_function(X)
    best = model.classes_[(scores > 0).astype(int) if len(classes) == 2 else scores.argmax(axis=1)]
    assert (best == y).all()
    sealed = model.to_model()
    raw = sealed.raw(sealed.draft.golden_inputs())
    assert sealed.draft.probabilities(raw).shape == (16, len(classes))


def test_rows_without_weight_are_none_but_their_class_stays() -> None:
    X = np.vstack([numbers(40), 100.0 + numbers(40)])
    y = np.array(["a", "b"] * 20 + ["c"] * 40)
    weight = np.array([1.0] * 40 + [0.0] * 40)
    weighted = LithifyClassifier(learner="boosting", params=FEW).fit(X, y, sample_weight=weight)
    assert weighted.classes_.tolist() == ["a", "b", "c"]
    assert weighted.predict_proba(X)[:, 2].max() < 0.1
    plain, less = (LithifyRegressor(learner="boosting", params=FEW) for _ in range(2))
    less.fit(X, X[:, 0], sample_weight=weight)
    assert less.predict(X).tobytes() == plain.fit(X[:40], X[:40, 0]).predict(X).tobytes()
    with pytest.raises(ValueError, match="class"):
        LithifyClassifier().fit(X, y, sample_weight=(y == "c").astype(float))
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        LithifyClassifier().fit(X, y, sample_weight=-weight)


def test_class_weights_move_the_scores() -> None:
    X = numbers()
    y = (X[:, 0] + 0.3 * X[:, 1] > 0.9).astype(int)
    plain, balanced = (LithifyClassifier(learner="linear", class_weight=how).fit(X, y) for how in (None, "balanced"))
    assert balanced.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.02


def test_groups_stay_together_when_rows_are_held_out() -> None:
    """Labels that are noise within a group, but equal in it, cannot be foretold by other groups."""
    X = np.repeat(numbers(12, 1), 10, axis=0) + 1e-3 * numbers(120, 1)
    y = np.repeat(np.arange(12) % 2, 10)
    params = {"rounds": 100, "members": 4, "learning_rate": 0.3, "min_rows_leaf": 2, "leaves": 16}
    free = LithifyClassifier(learner="boosting", params=params, calibrate=True).fit(X, y)
    kept = LithifyClassifier(learner="boosting", params=params, calibrate=True).fit(
        X, y, groups=np.repeat(range(12), 10)
    )
    assert free.score(X, y) > 0.95
    assert np.ptp(kept.predict_proba(X)[:, 1]) < np.ptp(free.predict_proba(X)[:, 1])


@pytest.mark.parametrize("learner", ["boosting", "linear", "tree"])
def test_calibrated_claims(learner: str) -> None:
    params = FEW if learner == "boosting" else {}
    X = numbers(400)
    noise = numbers(800)[400:, 0] - 0.5
    y = X[:, 0] + 0.4 * noise
    model = LithifyRegressor(learner=learner, params=params, calibrate=True, coverage=0.8).fit(X, y)
    ends = model.predict_interval(X)
    assert np.mean((ends[:, 0] <= y) & (y <= ends[:, 1])) > 0.75
    assert np.isfinite(ends).all()
    label = np.where(y > 0.5, "high", "low")
    chooser = LithifyClassifier(learner=learner, params=params, calibrate=True).fit(X, label)
    sets = chooser.predict_set(X)
    assert np.mean(sets[np.arange(400), np.searchsorted(chooser.classes_, label)]) > 0.85
    assert chooser.to_model().card["calibration"]["held_out_training_rows"] == 400
    plain = clone(chooser).set_params(calibrate=False).fit(X, label)
    with pytest.raises(ValueError, match="calibrate=True"):
        plain.predict_set(X)


@pytest.mark.parametrize("learner", ["boosting", "linear", "tree", "ensemble"])
def test_sealed_it_predicts_the_same_bits(learner: str, tmp_path: Path) -> None:
    members = {"members": [{"learner": "boosting", "rounds": 4}, {"learner": "linear"}], "folds": 2}
    table, y = frame()
    model = LithifyClassifier(learner=learner, params={"boosting": FEW, "ensemble": members}.get(learner)).fit(table, y)
    model.seal(tmp_path / "m.lith")
    sealed = lithify.open(tmp_path / "m.lith", verify=True)
    assert sealed.task == "classification"
    assert sealed.labels == ("no", "yes")
    assert sealed.card["test"] == {"rows": 0, "generations": [0], "metrics": {}}
    assert "in memory" in " ".join(sealed.card["limits"])
    rows = table.astype(object).where(table.notna(), None).to_dict("records")[:10]
    found = [[p.probabilities["no"], p.probabilities["yes"]] for p in sealed.predict(rows)]
    assert np.array(found).tobytes() == model.predict_proba(table[:10]).tobytes()


def test_sealed_regression(tmp_path: Path) -> None:
    X = numbers()
    model = LithifyRegressor(learner="linear").fit(X, X[:, 0])
    sealed = model.seal(tmp_path / "m.lith")
    (found,) = sealed.predict([{"c0": 0.3, "c1": 0.1, "c2": 0.9}])
    assert found.value == model.predict([[0.3, 0.1, 0.9]])[0]


def test_pickled_before_and_after_predicting() -> None:
    table, y = frame()
    model = LithifyClassifier(learner="tree").fit(table, y)
    early = pickle.loads(pickle.dumps(model))
    expected = model.predict_proba(table)
    late = pickle.loads(pickle.dumps(model))
    assert expected.tobytes() == early.predict_proba(table).tobytes() == late.predict_proba(table).tobytes()


def test_goes_into_searches_and_cross_validation() -> None:
    table, y = frame()
    search = GridSearchCV(LithifyClassifier(learner="tree"), {"params": [{"max_leaves": 2}, {"max_leaves": 16}]}, cv=2)
    assert search.fit(table, y).best_params_ == {"params": {"max_leaves": 16}}
    X = numbers()
    assert cross_val_score(LithifyRegressor(learner="linear", params={"C": 100.0}), X, X[:, 1]).min() > 0.99
    numbered = LithifyRegressor(learner="linear").fit(pd.DataFrame(X), X[:, 1])
    assert numbered.predict(X).tobytes() == numbered.predict(pd.DataFrame(X)).tobytes()


@pytest.mark.parametrize("learner", ["boosting", "linear", "tree"])
def test_tiny_and_degenerate_rows(learner: str) -> None:
    params = FEW if learner == "boosting" else {}
    X = numbers(10, 1)
    values = LithifyRegressor(learner=learner, params=params).fit(X, np.full(10, 7.5)).predict(X)
    assert values.tolist() == [7.5] * 10
    assert LithifyClassifier(learner=learner, params=params).fit(X, ["a", "b"] * 5).predict(X).shape == (10,)
    empty = LithifyRegressor(learner=learner, params=params).fit(np.full((10, 2), np.nan), X[:, 0])
    assert np.ptp(empty.predict(np.full((3, 2), np.nan))) == 0.0
    with pytest.raises(ValueError, match="one class"):
        LithifyClassifier(learner=learner, params=params).fit(X, ["a"] * 10)


@pytest.mark.parametrize("kind", [LithifyClassifier, LithifyRegressor])
def test_refuses_what_it_cannot_read(kind: type) -> None:
    y = [0, 1] * 10
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        kind().fit(sparse.csr_array(numbers(20)), y)
    with pytest.raises(ValueError, match="infinity"):
        kind().fit(np.full((20, 1), np.inf), y)
    with pytest.raises(ValueError, match="infinity"):
        kind().fit(pd.DataFrame({"a": ["x", "y"] * 10, "b": [np.inf, 1.0] * 10}), y)
    with pytest.raises(ValueError, match="minimum of 2"):
        kind().fit(pd.DataFrame({"a": ["x"]}), [1])
    model = kind(learner="linear").fit(pd.DataFrame({"a": ["x", "y"] * 10, "b": np.arange(20.0)}), y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(pd.DataFrame({"b": [1.0], "a": ["x"]}))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"learner": "bosting"}, "Did you mean 'boosting'"),
        ({"quality": "great"}, "quality"),
        ({"learner": "linear", "params": {"step": 3}}, "Did you mean 'steps'"),
        ({"features": {"words": -1}}, "words"),
        ({"coverage": 2.0}, "coverage"),
    ],
)
def test_wrong_parameters_are_value_errors(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        LithifyClassifier(**asked).fit(numbers(20), [0, 1] * 10)


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals reach the main thread")
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_a_fit(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    original = Boosting.grain

    def grain(self: Boosting, state: Any, data: Any, step: int, number: int) -> Any:
        begun.append(number)
        if step == 1:
            _thread.interrupt_main()
        return original(self, state, data, step, number)

    monkeypatch.setattr(Boosting, "grain", grain)
    model = LithifyClassifier(learner="boosting", params={**FEW, "rounds": 2000, "patience": 2000}, n_jobs=jobs)
    with pytest.raises(KeyboardInterrupt):
        model.fit(numbers(), (numbers()[:, 0] > 0.5).astype(int))
    assert len(begun) <= 2 * 16
    assert not hasattr(model, "feature_importances_")


def test_the_package_does_not_load_scikit_learn_and_says_when_it_is_missing() -> None:
    code = (
        "import sys, lithify, lithify.api\n"
        "assert 'sklearn' not in sys.modules\n"
        "sys.modules['sklearn.utils.validation'] = None\n"
        "try:\n    import lithify.sklearn\n"
        "except lithify.errors.MissingExtra as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'lithify[sklearn]'" in done.stdout


@pytest.mark.parametrize("learner", ["linear", "boosting", "tree"])
def test_texts_that_share_no_word_are_refused(learner: str) -> None:
    texts = pd.DataFrame({"note": [f"alpha{n} beta{n} gamma{n} delta{n}" for n in range(40)]})
    with pytest.raises(ValueError, match="Nothing is left to learn from"):
        LithifyClassifier(learner=learner, fields={"note": "text"}).fit(texts, np.arange(40) % 2)


def test_values_that_are_no_measurements_are_refused() -> None:
    with pytest.raises(ValueError, match="must lie between"):
        LithifyRegressor(learner="linear").fit(numbers(10), np.full(10, 1e200))
