"""Lithify turns a fixed, labelled dataset into a model that is trained once and never changes.

    import lithify as lf

    snap = lf.snapshot("mail/")                     # frozen, split, named by content
    model = lf.train(snap, budget="10m")            # resumes by itself; returns the sealed model
    model.predict(["new.eml"])
    model.explain("new.eml")
    lf.evaluate(model, snap).report("report.html")
    lf.open("spam-3f9a1c2b7d10.lith", verify=True)  # raises lf.errors.LithifyError when anything is wrong

Tables are frames of pandas, Polars or Arrow, columns, records, or files:

    model = lf.train(frame, label="target", quality="best")
    model.predict(frame)                            # labels with probabilities and sets, or values with intervals
    model.predict_proba(frame)                      # an array, columns in the order of model.labels
    model.predict_values(frame)                     # of a regression
    model.explain({"age": 39, "job": "clerk"})      # what each field adds to the score

Images are folders with one sub-folder per label, archives, tables or arrays of them:

    model = lf.train("photos/")
    model.predict(["new.jpg", array])               # labels with probabilities, sets, and how unusual the image is
    lf.export(model, onnx="photos.onnx")            # for any ONNX runtime

Nothing below loads before it is used (PEP 562), so importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lithify import errors
    from lithify.api import audit, diff, evaluate, export, open, snapshot, train, verify, withdraw
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.audit.finding import Audit
    from lithify.evaluation.comparison.comparison import Comparison
    from lithify.evaluation.evaluate import Evaluation
    from lithify.model.explain import Explanation
    from lithify.model.export import Export
    from lithify.model.model import Model
    from lithify.model.prediction import Prediction
    from lithify.workflow.comparing import compare
    from lithify.workflow.promoting import history, promote, rollback
    from lithify.workflow.retraining import retrain
    from lithify.workflow.serving import serve
    from lithify.workflow.signing import provenance, sign, verify_signature

    __version__: str

__all__ = [
    "Audit",
    "Comparison",
    "Evaluation",
    "Explanation",
    "Export",
    "Model",
    "Prediction",
    "Snapshot",
    "__version__",
    "audit",
    "compare",
    "diff",
    "errors",
    "evaluate",
    "export",
    "history",
    "open",
    "promote",
    "provenance",
    "retrain",
    "rollback",
    "serve",
    "sign",
    "snapshot",
    "train",
    "verify",
    "verify_signature",
    "withdraw",
]

_VERBS = ("audit", "diff", "evaluate", "export", "open", "snapshot", "train", "verify", "withdraw")
_HOMES = dict.fromkeys(_VERBS, "lithify.api") | {
    "Audit": "lithify.evaluation.audit.finding",
    "Comparison": "lithify.evaluation.comparison.comparison",
    "Evaluation": "lithify.evaluation.evaluate",
    "Explanation": "lithify.model.explain",
    "Export": "lithify.model.export",
    "Model": "lithify.model.model",
    "Prediction": "lithify.model.prediction",
    "Snapshot": "lithify.data.snapshot",
    "compare": "lithify.workflow.comparing",
    "history": "lithify.workflow.promoting",
    "promote": "lithify.workflow.promoting",
    "provenance": "lithify.workflow.signing",
    "retrain": "lithify.workflow.retraining",
    "rollback": "lithify.workflow.promoting",
    "serve": "lithify.workflow.serving",
    "sign": "lithify.workflow.signing",
    "verify_signature": "lithify.workflow.signing",
}


def __getattr__(name: str) -> Any:
    found: Any
    if name == "errors":
        found = import_module("lithify.errors")
    elif name == "__version__":
        found = _version()
    elif name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The installed version; a source tree that was never installed does not know its own."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("lithify")
    except PackageNotFoundError:
        return "0+unknown"
