"""Boosting keeps every promise of a learner, on all kinds of tables and objectives."""

from __future__ import annotations

import pytest

from lithify.checks import learner_checks, make_table_case
from lithify.learners.boosting.boosting import Boosting

SMALL = {
    "members": 4,
    "rounds": 7,
    "chunk": 3,
    "leaves": 5,
    "min_rows_leaf": 3,
    "category_rows": 5,
    "patience": 100,
}
CASES = {
    "two labels": (make_table_case(2), {}),
    "three labels": (make_table_case(3), {"class_weight": "balanced"}),
    "values": (make_table_case(0), {"row_share": 1.0, "extra": True}),
    "absolute error": (make_table_case(0), {"objective": "absolute", "members": 2}),
    "means of two labels": (make_table_case(2), {"statistics": 6}),
    "means of values, and pairs": (make_table_case(0), {"statistics": 6, "pairs": 2}),
    "one member, stopped early": (make_table_case(2, stop=20), {"members": 1, "patience": 1}),
    "numbers only": (make_table_case(2, categories=False, grains=1), {"members": 8}),
    "categories only": (make_table_case(3, numbers=False), {}),
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{on}-{name}")
        for on, (case, given) in CASES.items()
        for name, check in learner_checks(Boosting, case, {**SMALL, **given})
    ],
)
def test_boosting(check) -> None:
    check()
