"""What the JSON of a sealed model may hold, to the last field; whatever else it holds, the file is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lithify import canon, conformal, novelty
from lithify.data.profile import BINS
from lithify.errors import MalformedContainer

Form = Any
"""A type, a tuple of types, ``[form]`` for a list, ``{name: form}`` for these fields, ``{ANY: form}`` for any."""

ANY = "*"
NUMBER = (int, float)
_COMPONENT = {"name": str, "params": dict, "facts": dict}
_CARD: dict[str, Any] = {
    "data": {
        "snapshot": str,
        "kind": str,
        "task": str,
        "fields": [{"name": str, "kind": str, "role": str, "form": str}],
        "labels": [str],
        "rows": int,
        "split": dict,
        "groups": dict,
        "generations": [int],
        "period": (list, type(None)),
        "quarantine": dict,
        "copies": int,
        "truncated": int,
    },
    "recipe": dict,
    "engine": {ANY: (int, str)},
    "calibration": {ANY: int},
    "test": {"rows": int, "generations": [int], "metrics": {ANY: {"value": NUMBER, "low": NUMBER, "high": NUMBER}}},
    "limits": [str],
}
_META = {
    "kind": str,
    "task": str,
    "labels": [str],
    "spam": str,
    "features": _COMPONENT,
    "learner": _COMPONENT,
    "calibration": dict,
    "cutoffs": (dict, type(None)),
    "conformal": (dict, type(None)),
    "golden": {"revision": int, "tolerance": NUMBER},
    "reference": dict,
    "card": _CARD,
}
_UNKNOWN = {"rows": int, "levels": [NUMBER], "test": [NUMBER], "made": int, "unknown": {ANY: [NUMBER]}}
_TEST = {**_CARD["test"], "novelty": (dict, type(None))}
_OF_IMAGES = {**_META, "novelty": (dict, type(None)), "card": {**_CARD, "test": _TEST}}
_CALIBRATION = {
    "platt": {"kind": str, "slope": NUMBER, "offset": NUMBER, "rows": int},
    "temperature": {"kind": str, "slope": NUMBER, "rows": int},
    "values": {"kind": str, "rows": int},
}
_REFERENCE = {
    "classification": {"rows": int, "predicted": [int], "histograms": [[int]]},
    "regression": {"rows": int, "edges": [NUMBER], "histogram": [int]},
}
_SEEN = {"ham": int, "unsure": int, "spam": int}
_CUTOFFS = {
    "budget": NUMBER,
    "spam": NUMBER,
    "unsure": NUMBER,
    "ham_rows": int,
    "spam_rows": int,
    "held": bool,
    "can_show": NUMBER,
    "seen": {"ham": _SEEN, "spam": _SEEN},
    "text": [str],
}


def audit(meta: Mapping[str, Any], what: str) -> None:
    """Checks the JSON document of a model before anything is made of it.

    Parameters
    ----------
    meta : mapping
    what : str
        How to call the file in messages.

    Raises
    ------
    MalformedContainer
        With the path of the first field that does not fit.
    """
    images = meta.get("kind") == "image"
    _demand(misfit(meta, _OF_IMAGES if images else _META), what)
    labels = meta["labels"]
    _demand("" if meta["task"] in _REFERENCE and meta["task"] == meta["card"]["data"]["task"] else "task", what)
    several = len(labels) > 1 and labels == sorted(set(labels))
    _demand("" if (several if meta["task"] == "classification" else not labels) else "labels", what)
    _demand("" if labels == meta["card"]["data"]["labels"] else "card.data.labels", what)
    _demand("" if meta["spam"] in ("", *labels) else "spam", what)
    _demand("" if meta["kind"] == meta["card"]["data"]["kind"] else "kind", what)
    _demand("" if canon.is_digest(meta["card"]["data"]["snapshot"]) else "card.data.snapshot", what)
    _demand("" if 0 <= meta["golden"]["tolerance"] < 1 else "golden.tolerance", what)
    _demand(_calibration(meta["calibration"], len(labels)), what)
    _demand(_cutoffs(meta["cutoffs"], meta["spam"]), what)
    _demand(_reference(meta["reference"], meta["task"], len(labels)), what)
    _demand(_conformal(meta["conformal"], len(labels)), what)
    if images:
        _demand(_novelty(meta), what)


def misfit(value: Any, form: Form, path: str = "") -> str:
    """Path of the first place where a value does not have a form; empty when it has.

    >>> misfit({"a": [1, True]}, {"a": [int]}), misfit({"a": [1]}, {"a": [int]})
    ('a.1', '')
    """
    if isinstance(form, list):
        wrong = (
            (misfit(item, form[0], f"{path}.{i}") for i, item in enumerate(value)) if type(value) is list else [path]
        )
        return next(filter(None, wrong), "").lstrip(".")
    if isinstance(form, dict):
        if type(value) is not dict or (ANY not in form and value.keys() != form.keys()):
            return path.lstrip(".") or "the whole"
        wrong = (misfit(item, form.get(key, form.get(ANY)), f"{path}.{key}") for key, item in sorted(value.items()))
        return next(filter(None, wrong), "")
    return "" if type(value) in (form if isinstance(form, tuple) else (form,)) else path.lstrip(".")


def _calibration(state: dict[str, Any], labels: int) -> str:
    kind = {0: "values", 2: "platt"}.get(labels, "temperature")
    wrong = misfit(state, _CALIBRATION[kind], "calibration")
    return wrong or ("" if state["kind"] == kind and state.get("slope", 1) > 0 else "calibration")


def _cutoffs(state: dict[str, Any] | None, spam: str) -> str:
    if state is None:
        return ""
    wrong = misfit(state, _CUTOFFS, "cutoffs")
    return wrong or (
        "" if spam and 0 < state["budget"] < 1 and 0 <= state["unsure"] <= state["spam"] <= 2 else "cutoffs"
    )


def _conformal(state: dict[str, Any] | None, labels: int) -> str:
    if state is None:
        return ""
    wrong = misfit(state, conformal.form(state), "conformal")
    return wrong or ("" if conformal.sound(state, labels) else "conformal")


def _novelty(meta: Mapping[str, Any]) -> str:
    """Of what tells unknown inputs only the facts; its arrays belong to the reader of the tensors."""
    wrong = "" if meta["novelty"] is None else misfit(meta["novelty"], novelty.form(), "novelty")
    found = meta["card"]["test"]["novelty"]
    if wrong or found is None:
        return wrong
    if wrong := misfit(found, _UNKNOWN, "card.test.novelty"):
        return wrong
    levels = len(found["levels"])
    shares = [found["test"], *found["unknown"].values()]
    fits = levels and all(len(each) == levels and all(0 <= share <= 1 for share in each) for each in shares)
    return "" if fits and meta["novelty"] is not None else "card.test.novelty"


def _reference(state: dict[str, Any], task: str, labels: int) -> str:
    wrong = misfit(state, _REFERENCE[task], "reference")
    if wrong:
        return wrong
    if task == "regression":
        edges = state["edges"]
        return "" if len(state["histogram"]) == BINS == len(edges) + 1 and edges == sorted(edges) else "reference"
    shape = [len(state["predicted"]), *map(len, state["histograms"])]
    return "" if shape == [labels] + [BINS] * labels else "reference"


def _demand(wrong: str, what: str) -> None:
    if wrong:
        raise MalformedContainer(
            f"The JSON of {what} is not that of a model.", found=f"{wrong[:200]} missing, of another type or impossible"
        )
