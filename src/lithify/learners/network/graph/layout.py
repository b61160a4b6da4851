"""How what PyTorch does to shapes is said in the operators of a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lithify.errors import Unsupported
from lithify.learners.network.graph.scene import Ref, Scene


def flatten(scene: Scene, x: Ref, start_dim: int = 0, end_dim: int = -1) -> Ref:
    """Some axes as one."""
    shape, start, end = scene.shape(x), scene.axis(x, start_dim), scene.axis(x, end_dim)
    if start == 1 and end == len(shape) - 1 and len(shape) > 2:
        return scene.node("Flatten", x, axis=1)
    return scene.reshape(x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def reshape(scene: Scene, x: Ref, *shape: Any, **named: Any) -> Ref:
    """Another shape; one length may be left to the others."""
    given = named.get("shape", shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)
    lengths = [int(length) for length in given]
    if -1 in lengths:
        lengths[lengths.index(-1)] = math.prod(scene.shape(x)) // -math.prod(lengths)
    return scene.reshape(x, tuple(lengths))


def permute(scene: Scene, x: Ref, *dims: Any) -> Ref:
    """Axes in another order."""
    order = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    return scene.node("Transpose", x, perm=tuple(scene.axis(x, axis) for axis in order))


def transpose(scene: Scene, x: Ref, dim0: int, dim1: int) -> Ref:
    """Two axes changed for each other."""
    order = list(range(len(scene.shape(x))))
    one, other = scene.axis(x, dim0), scene.axis(x, dim1)
    order[one], order[other] = order[other], order[one]
    return scene.node("Transpose", x, perm=tuple(order))


def squeeze(scene: Scene, x: Ref, dim: int | Sequence[int] | None = None) -> Ref:
    """Without axes of length 1."""
    shape = scene.shape(x)
    axes = range(len(shape)) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {scene.axis(x, axis) for axis in axes if shape[scene.axis(x, axis)] == 1}
    return scene.reshape(x, tuple(length for axis, length in enumerate(shape) if axis not in gone))


def unsqueeze(scene: Scene, x: Ref, dim: int) -> Ref:
    """With one more axis of length 1."""
    shape = list(scene.shape(x))
    shape.insert(dim % (len(shape) + 1), 1)
    return scene.reshape(x, tuple(shape))


def cat(scene: Scene, tensors: Sequence[Ref], dim: int = 0, **ignored: Any) -> Ref:
    """Side by side."""
    return scene.node("Concat", *tensors, axis=scene.axis(tensors[0], dim))


def stack(scene: Scene, tensors: Sequence[Ref], dim: int = 0) -> Ref:
    """Side by side along a new axis."""
    axis = dim % (len(scene.shape(tensors[0])) + 1)
    return scene.node("Concat", *(unsqueeze(scene, x, axis) for x in tensors), axis=axis)


def split(scene: Scene, x: Ref, size: int | Sequence[int], dim: int = 0) -> list[Ref]:
    """Pieces of a size, or of given sizes."""
    axis = scene.axis(x, dim)
    length = scene.shape(x)[axis]
    sizes = [min(size, length - at) for at in range(0, length, size)] if isinstance(size, int) else list(size)
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [part(scene, x, axis, end - own, end) for own, end in zip(sizes, ends, strict=True)]


def chunk(scene: Scene, x: Ref, chunks: int, dim: int = 0) -> list[Ref]:
    """So many pieces."""
    return split(scene, x, -(-scene.shape(x)[scene.axis(x, dim)] // chunks), dim)


def part(scene: Scene, x: Ref, axis: int, start: int, end: int, step: int = 1) -> Ref:
    """A slice along one axis."""
    return scene.node("Slice", x, axes=(axis,), starts=(start,), ends=(end,), steps=(step,))


def getitem(scene: Scene, x: Ref, index: Any) -> Ref:
    """Slices and single entries."""
    items = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in items:
        at = items.index(Ellipsis)
        items[at : at + 1] = [slice(None)] * (len(scene.shape(x)) - len([i for i in items if i is not None]) + 1)
    axis = 0
    for item in items:
        if item is None:
            x = unsqueeze(scene, x, axis)
        elif isinstance(item, int):
            at = item % scene.shape(x)[axis]
            x, axis = squeeze(scene, part(scene, x, axis, at, at + 1), axis), axis - 1
        elif isinstance(item, slice) and item != slice(None):
            x = part(scene, x, axis, *item.indices(scene.shape(x)[axis]))
        elif item != slice(None):
            raise Unsupported("A sealed network takes slices and single entries alone.", found=repr(item)[:80])
        axis += 1
    return x


def pad(scene: Scene, x: Ref, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Ref:
    """Wider at both sides; PyTorch counts the axes from the last."""
    rank, known = len(scene.shape(x)), {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
    if mode not in known:
        raise Unsupported("Sealed networks pad by a constant, by reflection or by the edge.", found=mode)
    before, after = [0] * rank, [0] * rank
    for pair in range(len(pad) // 2):
        before[rank - 1 - pair], after[rank - 1 - pair] = int(pad[2 * pair]), int(pad[2 * pair + 1])
    return scene.node("Pad", x, pads=(*before, *after), mode=known[mode], value=float(value or 0.0))
