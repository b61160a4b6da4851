"""Folds batch normalisation into the convolution or the linear layer before it.

In evaluation both are affine, so one does: W' = W g / √(v + ε) for each filter, b' = (b - m) g / √(v + ε) + β. Computed
in float64 and rounded once. A normalisation after anything else stays a node of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.learners.network.graph.audit import audit
from lithify.learners.network.graph.graph import Graph, Node

Arrays = dict[str, NDArray[Any]]


def fold(graph: Graph, arrays: Mapping[str, NDArray[Any]]) -> tuple[Graph, Arrays]:
    """The graph with every normalisation folded that can be, and its arrays; audited."""
    reads = Counter(name for node in graph.nodes for name in node.inputs)
    reads.update(value.name for value in graph.outputs)
    made = {node.output: node for node in graph.nodes}
    result, gone, kept = dict(arrays), {}, []
    for node in graph.nodes:
        before = made.get(node.inputs[0]) if node.op == "BatchNormalization" else None
        if before is None or reads[before.output] > 1 or not _affine(before, arrays, reads):
            kept.append(node)
            continue
        bias = before.inputs[2] if len(before.inputs) > 2 else before.inputs[1] + ".bias"
        while len(before.inputs) == 2 and (bias in result or bias in made):
            bias += "_"
        result[before.inputs[1]], result[bias] = _folded(before, node, arrays)
        gone[before.output] = replace(before, inputs=(*before.inputs[:2], bias), output=node.output)
    nodes = tuple(gone.get(node.output, node) for node in kept)
    read = {name for node in nodes for name in node.inputs}
    small = Graph(graph.inputs, graph.outputs, nodes)
    left = {name: array for name, array in result.items() if name in read}
    audit(small, left)
    return small, left


def _affine(node: Node, arrays: Mapping[str, NDArray[Any]], reads: Mapping[str, int]) -> bool:
    """Whether a node multiplies by weights that are its own."""
    own = node.inputs[1:]
    return node.op in ("Conv", "Gemm") and all(name in arrays and reads[name] == 1 for name in own)


def _folded(layer: Node, norm: Node, arrays: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    scale, shift, mean, variance = (arrays[name].astype(np.float64) for name in norm.inputs[1:])
    factor = scale / np.sqrt(variance + float(norm.attributes["epsilon"]))  # type: ignore[arg-type]
    weight = arrays[layer.inputs[1]].astype(np.float64)
    bias = arrays[layer.inputs[2]].astype(np.float64) if len(layer.inputs) > 2 else 0.0
    by_column = layer.op == "Gemm" and not layer.attributes["transB"]
    along = factor if by_column else factor.reshape(-1, *(1,) * (weight.ndim - 1))
    return (weight * along).astype(np.float32), ((bias - mean) * factor + shift).astype(np.float32)
