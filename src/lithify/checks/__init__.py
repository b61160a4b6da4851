"""The contract of learners and features, as tests that anyone who writes one can run.

A learner is good for Lithify when it passes :func:`learner_checks`, features when they pass :func:`feature_checks`.
Each is a list of pairs (name, function), so that pytest shows every promise alone::

    CASE = make_case(Text(TextParams()), contents, codes)


    @pytest.mark.parametrize("name, check", learner_checks(MyLearner, CASE))
    def test_contract(name, check):
        check()

:func:`check_learner` and :func:`check_features` run them all. A broken promise raises ``AssertionError`` and says
which. :func:`make_table_case` makes a case for learners that read columns.
"""

from lithify.checks.cases import Case, make_case, make_table_case
from lithify.checks.features import check_features, feature_checks
from lithify.checks.learners import check_learner, learner_checks

__all__ = [
    "Case",
    "check_features",
    "check_learner",
    "feature_checks",
    "learner_checks",
    "make_case",
    "make_table_case",
]
