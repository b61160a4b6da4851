"""Puts in front of an image network what makes its input of bytes: a graph from pixels to averaged scores.

The bytes of an image become numbers, channel by channel, and are normalised. Then come the views: the image, unmoved
and moved by a pixel both ways, and the mirror images of these. They are looked at side by side, on the axis of rows,
and what the network says of them is averaged (Krizhevsky, Sutskever, Hinton 2012, section 4.1; the six views are those
of https://github.com/KellerJordan/cifar10-airbench, arXiv:2404.00498, section 3.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.errors import Unsupported
from lithify.learners.network.graph.build import Builder
from lithify.learners.network.graph.graph import Graph, Value

PIXELS = "pixels"
VIEWS = (1, 2, 6)
_CORNERS = (0, 2)


def pixels(
    graph: Graph,
    arrays: Mapping[str, NDArray[Any]],
    side: int,
    channels: int,
    mean: Sequence[float],
    std: Sequence[float],
    views: int = 1,
) -> tuple[Graph, dict[str, NDArray[Any]]]:
    """A graph from bytes.

    Parameters
    ----------
    graph : Graph
        One input, float32 (rows · views, channels, side, side); traced with that many rows.
    arrays : mapping of str to ndarray
    side, channels : int
    mean, std : (channels,) sequences of float
        Of the training pixels, in units of [0, 1].
    views : {1, 2, 6}
        1: the image. 2: and its mirror image. 6: the image, moved one pixel down and right, and up and left, its edge
        reflected, and the mirror images of these three.

    Returns
    -------
    Graph, dict of str to ndarray
        Input ``pixels`` uint8 (rows, side, side, channels); the outputs of ``graph``, averaged over the views.
    """
    if views not in VIEWS:
        raise Unsupported("An image is looked at in 1, 2 or 6 views.", found=str(views))
    rows = graph.rows // views
    build = Builder([Value(PIXELS, "uint8", (rows, side, side, channels))], prefix="p")
    seen = _viewed(build, _normal(build, channels, mean, std), side, views)
    (given,) = graph.inputs
    ends = build.extend(graph, arrays, {given.name: seen})
    return build.finish({name: _averaged(build, end, rows, views) for name, end in ends.items()})


def _normal(build: Builder, channels: int, mean: Sequence[float], std: Sequence[float]) -> str:
    """(x / 255 - mean) / std as x · scale + shift, both rounded once from float64."""
    spread = np.asarray(std, dtype=np.float64)
    scale = build.array(_column(1.0 / (255.0 * spread), channels), "pixels/scale")
    shift = build.array(_column(-np.asarray(mean, dtype=np.float64) / spread, channels), "pixels/shift")
    planes = build.node("Transpose", build.node("Cast", PIXELS, to="float32"), perm=(0, 3, 1, 2))
    return build.node("Add", build.node("Mul", planes, scale), shift)


def _column(values: NDArray[np.float64], channels: int) -> NDArray[np.float32]:
    return np.broadcast_to(values, (channels,)).astype(np.float32).reshape(1, channels, 1, 1)


def _viewed(build: Builder, x: str, side: int, views: int) -> str:
    """All views, one after the other, on the axis of rows."""
    if views == 1:
        return x
    every = [x]
    if views == 6:
        wide = build.node("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect", value=0.0)
        every += [_cut(build, wide, side, at) for at in _CORNERS]
    here = build.node("Concat", *every, axis=0)
    there = build.node("Slice", here, axes=(3,), starts=(side - 1,), ends=(-side - 1,), steps=(-1,))
    return build.node("Concat", here, there, axis=0)


def _cut(build: Builder, wide: str, side: int, corner: int) -> str:
    """An image out of a padded one, whose upper left corner lies there."""
    return build.node("Slice", wide, axes=(2, 3), starts=(corner,) * 2, ends=(corner + side,) * 2, steps=(1, 1))


def _averaged(build: Builder, x: str, rows: int, views: int) -> str:
    if views == 1:
        return x
    width = build.shape(x)[1:]
    apart = build.node("Reshape", x, shape=(views, rows, *width))
    return build.node("ReduceMean", apart, axes=(0,), keepdims=0)
