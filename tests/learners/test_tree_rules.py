"""A tree in words: every kind of question, and both ways to say which values of a category are meant."""

from __future__ import annotations

import numpy as np
import pytest

from lithify.features.base import Column
from lithify.learners.forest import forest as forests
from lithify.learners.forest.forest import CATEGORICAL, DEFAULT_LEFT, Forest
from lithify.learners.tree.kernels import PRESENT
from lithify.learners.tree.rules import outline, rules


def stump(
    column: Column, threshold: float = 0.0, flags: int = 0, codes: int = 0, value: tuple[float, float] = (0.0, 2.0)
) -> tuple[Forest, list[Column]]:
    """One question on one column; ``codes`` are the bits of those that go left."""
    empty = forests.empty(1)
    sets = [1] if flags == CATEGORICAL else []
    made = {
        "start": np.array([0, 2]),
        "output": np.zeros(1, np.int32),
        "feature": np.zeros(1, np.int32),
        "threshold": np.array([threshold]),
        "left": np.array([-1], np.int32),
        "right": np.array([-2], np.int32),
        "flags": np.array([flags], np.uint8),
        "gain": np.ones(1),
        "value": np.array(value),
        "cover": np.array([1.0, 1200.0]),
        "set_start": np.array([0, *sets]),
        "set_bits": np.array([codes] * len(sets), np.uint32),
    }
    return Forest(**{**empty.arrays(), **made}), [column]


NUMBER = Column("numbers", "age", "number")
CITY = Column("categories", "city", "category", ("Ulm", "Bonn", "Kiel"))


@pytest.mark.parametrize(
    ("made", "question", "yes_rows"),
    [
        (stump(NUMBER, 39.5, DEFAULT_LEFT), "age <= 39.5 (or missing)", 1),
        (stump(NUMBER, 39.5), "age <= 39.5", 1),
        (stump(NUMBER, PRESENT), "age is given", 1),
        (stump(Column("numbers", "when", "time"), 86400.0), "when <= 1970-01-02 00:00:00", 1),
        (stump(Column("numbers", "member", "boolean"), 0.5), "member (or missing)", 1200),
        (stump(Column("words", "has cc", "boolean"), 0.5), "has cc", 1200),
        (stump(Column("words", "viagra", "word"), 0.5), 'the word "viagra" occurs', 1200),
        (stump(Column("words", "subject: hi", "word"), 0.5), 'the word "hi" occurs in the subject', 1200),
        (stump(CITY, flags=CATEGORICAL, codes=0b00100), "city is Ulm", 1),
        (stump(CITY, flags=CATEGORICAL, codes=0b01100), "city in {Ulm, Bonn}", 1),
        (stump(CITY, flags=CATEGORICAL, codes=0b01110), "city in {Kiel, missing}", 1200),
        (stump(CITY, flags=CATEGORICAL, codes=0b11101), "city is any other value", 1200),
    ],
)
def test_questions(made: tuple[Forest, list[Column]], question: str, yes_rows: int) -> None:
    branch = outline(*made, ["no", "yes"])
    assert branch.question == question
    assert branch.yes is not None
    assert branch.yes.rows == yes_rows
    assert branch.rows == 1201


def test_columns_without_missing_cells_are_not_said_to_miss_any() -> None:
    forest, columns = stump(NUMBER, 39.5, DEFAULT_LEFT)
    assert outline(forest, columns, [], complete={"age"}).question == "age <= 39.5"


def test_text_of_labels_and_of_values() -> None:
    forest, columns = stump(NUMBER, 39.5)
    assert rules(forest, columns, ["no", "yes"]) == (
        "if age <= 39.5:\n    no 50.0 %  (1 row)\nelse:\n    yes 88.1 %  (1,200 rows)\n"
    )
    assert "    2 m  (1,200 rows)\n" in rules(forest, columns, [], unit="m")


def test_values_ruled_out_above_are_not_listed_again() -> None:
    forest, columns = stump(CITY, flags=CATEGORICAL, codes=0b00111)
    arrays = forest.arrays()
    arrays |= {
        "start": np.array([0, 3]),
        "feature": np.zeros(2, np.int32),
        "threshold": np.zeros(2),
        "left": np.array([-1, -2], np.int32),
        "right": np.array([1, -3], np.int32),
        "flags": np.array([CATEGORICAL] * 2, np.uint8),
        "gain": np.ones(2),
        "value": np.zeros(3),
        "cover": np.ones(3),
        "set_start": np.array([0, 1, 2]),
        "set_bits": np.array([0b00111, 0b01111], np.uint32),
    }
    root = outline(Forest(**arrays), columns, [])
    assert root.question == "city in {Bonn, Kiel}"
    assert root.yes is not None
    assert root.yes.question == "city is Bonn"


def test_a_single_leaf() -> None:
    forest, columns = stump(NUMBER)
    arrays = {name: array[:0] for name, array in forest.arrays().items()}
    one = {"start": np.array([0, 1]), "output": forest.output, "value": np.zeros(1), "cover": np.ones(1)}
    one |= {"set_start": np.zeros(1, np.int64), "scale": np.ones(1), "bias": np.zeros(1)}
    assert rules(Forest(**{**arrays, **one}), columns, ["a", "b"]) == "a 50.0 %  (1 row)\n"
