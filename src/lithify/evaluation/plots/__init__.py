"""Plots as Vega-Lite specifications: plain dicts, one function each, for reports and pages alike.

Every mark that can be pointed at carries its facts as a sentence, as tooltip and as description. Colours are those of
:data:`~lithify.evaluation.marks.PALETTE`, which a page may replace one by one to follow its theme.
"""

from lithify.evaluation.plots.claims import reliability, scores
from lithify.evaluation.plots.counts import confusion, mixed_up
from lithify.evaluation.plots.fields import dependence, importances
from lithify.evaluation.plots.held import coverage
from lithify.evaluation.plots.learning import accuracy, loss
from lithify.evaluation.plots.ranking import roc, roc_corner
from lithify.evaluation.plots.residuals import against_predicted, agreement, histogram

__all__ = [
    "accuracy",
    "against_predicted",
    "agreement",
    "confusion",
    "coverage",
    "dependence",
    "histogram",
    "importances",
    "loss",
    "mixed_up",
    "reliability",
    "roc",
    "roc_corner",
    "scores",
]
