"""Proves a finished network from a file sound: what goes in, what stands before the graph, and the graph itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.features.base import Column, Features, codes_of
from lithify.learners.network import lookup
from lithify.learners.network.graph.audit import audit as audit_graph
from lithify.learners.network.graph.forms import Form
from lithify.learners.network.graph.graph import Graph, from_json
from lithify.learners.network.inputs import Inputs
from lithify.learners.network.inputs import from_json as inputs_from_json
from lithify.learners.network.lookup import part
from lithify.learners.network.scoring import GRAIN

_FACTS = {"graph", "inputs", "classes", "points"}
_MOST_POINTS = 100_000
_LONGEST = 1 << 20


def audit(state: State, features: Features, fitted: State, classes: int) -> None:
    """Raises ``MalformedContainer`` unless a finished state fits features and labels and cannot but compute scores."""
    _demand(state.facts.keys() == _FACTS, "facts")
    _demand(type(state.facts["classes"]) is int and state.facts["classes"] == classes, f"{classes} labels")
    inputs = inputs_from_json(state.facts["inputs"])
    _fits(inputs, features, features.columns(fitted))
    arrays = state.arrays
    names = {name for name in arrays if name[:2] in ("w/", "x/", "f/")}
    plain = {"history"} | ({"scale"} if not classes else set()) | ({"base"} if inputs.kind != "pixels" else set())
    plain |= {"shares"} if inputs.kind == "columns" else set()
    _demand(arrays.keys() - names == plain, "arrays")
    lookup.audit(inputs, part(arrays, "x/"), part(arrays, "f/"))
    _plain(state, inputs)
    graph = from_json(state.facts["graph"])
    audit_graph(graph, part(arrays, "w/"), _given(inputs), _ends(graph, inputs, max(1, classes)))


def _fits(inputs: Inputs, features: Features, columns: list[Column]) -> None:
    """Whether what goes in is what the features make."""
    if inputs.kind == "columns":
        codes = codes_of(columns)
        found = (len(codes.get("numbers", ())), codes.get("categories", ()), len(codes.get("words", ())))
        _demand(bool(codes) and found == (inputs.numbers, inputs.sizes, inputs.words), "the columns of the features")
        _demand(not inputs.side and not inputs.buckets, "columns")
        return
    _demand(not columns and not inputs.numbers and not inputs.sizes and not inputs.words, "features without columns")
    if inputs.kind == "hashed":
        _demand(inputs.buckets == getattr(features, "buckets", -1) and not inputs.side, "the buckets of the features")
        return
    size = (getattr(features.params, "side", -1), getattr(features.params, "channels", -1))
    _demand(size == (inputs.side, inputs.channels) and inputs.width == 0, "images of the size that features make")


def _plain(state: State, inputs: Inputs) -> None:
    arrays = state.arrays
    history = arrays["history"]
    sound = history.dtype == np.float32 and history.ndim == 2 and history.shape[1] == 3
    _demand(sound and type(state.facts["points"]) is int and len(history) == state.facts["points"], "its points")
    _demand(len(history) <= _MOST_POINTS and bool(np.isfinite(history).all()), "history")
    if "scale" in arrays:
        scale = arrays["scale"]
        _demand(scale.dtype == np.float64 and scale.shape == (2,) and bool(np.isfinite(scale).all()), "scale")
        _demand(float(scale[1]) > 0.0, "a spread above 0")
    if "shares" in arrays:
        shares = arrays["shares"]
        _demand(shares.dtype == np.float64 and shares.shape == (inputs.columns,), "shares")
        _demand(bool(np.isfinite(shares).all() and (shares >= 0.0).all()), "shares that are not negative")
    if "base" in arrays:
        base = arrays["base"]
        _demand(base.dtype == np.float32 and base.shape == (inputs.width,), "base")
        _demand(bool(np.isfinite(base).all()), "a finite base")


def _given(inputs: Inputs) -> dict[str, Form]:
    rows = GRAIN[inputs.kind]
    if inputs.kind == "pixels":
        return {"pixels": Form("uint8", (rows, inputs.side, inputs.side, inputs.channels))}
    return {"x": Form("float32", (rows, inputs.width))}


def _ends(graph: Graph, inputs: Inputs, outputs: int) -> dict[str, Form]:
    """Raw scores, and an embedding of whatever length."""
    rows = GRAIN[inputs.kind]
    shape: Any = next((value.shape for value in graph.outputs if value.name == "embedding"), ())
    _demand(len(shape) == 2 and 1 <= shape[1] <= _LONGEST, "an embedding")
    return {"raw": Form("float32", (rows, outputs)), "embedding": Form("float32", (rows, shape[1]))}


def _demand(holds: bool, expected: str) -> None:
    if not holds:
        raise MalformedContainer("The network does not fit.", expected=expected)
