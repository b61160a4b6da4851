"""Shape rules: what an operation makes of the dtypes and shapes that go into it.

A rule gets the attributes of a node and the forms of its inputs and gives the form of its output, or raises ``Wrong``.
Bounds of attributes were checked before, by :mod:`lithify.learners.network.graph.operators`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

FLOAT, WHOLE, TRUTH = "float32", "int64", "bool"


class Form(NamedTuple):
    """What a tensor is: its dtype and its shape."""

    dtype: str
    shape: tuple[int, ...]


class Wrong(ValueError):
    """An operation that its inputs do not fit; the message says what would."""


Attributes = Mapping[str, Any]
Forms = Sequence[Form]
Rule = Callable[[Attributes, Forms], Form]


def fits(holds: bool, expected: str) -> None:
    """Raises ``Wrong`` unless something holds."""
    if not holds:
        raise Wrong(expected)


def floats(forms: Forms) -> None:
    """Raises ``Wrong`` unless all are float32."""
    fits(all(form.dtype == FLOAT for form in forms), "inputs of float32")


def same(attributes: Attributes, forms: Forms) -> Form:
    """One number in, one number out."""
    floats(forms)
    return forms[0]


def identity(attributes: Attributes, forms: Forms) -> Form:
    """The very same."""
    return forms[0]


def cast(attributes: Attributes, forms: Forms) -> Form:
    """The same shape, another dtype."""
    return Form(attributes["to"], forms[0].shape)


def is_nan(attributes: Attributes, forms: Forms) -> Form:
    """Of numbers, whether they are none."""
    floats(forms)
    return Form(TRUTH, forms[0].shape)


def logical(attributes: Attributes, forms: Forms) -> Form:
    """Truth in, truth out."""
    fits(all(form.dtype == TRUTH for form in forms), "inputs of bool")
    return Form(TRUTH, broadcast([form.shape for form in forms]))


def arithmetic(attributes: Attributes, forms: Forms) -> Form:
    """Two arrays of float32, or of int64."""
    fits(forms[0].dtype == forms[1].dtype and forms[0].dtype in (FLOAT, WHOLE), "two of float32 or two of int64")
    return Form(forms[0].dtype, broadcast([form.shape for form in forms]))


def arithmetic_float(attributes: Attributes, forms: Forms) -> Form:
    """Two arrays of float32: what a processor refuses to do with whole numbers, such as dividing by zero."""
    floats(forms)
    return arithmetic(attributes, forms)


def comparison(attributes: Attributes, forms: Forms) -> Form:
    """Two of a kind give truth."""
    return Form(TRUTH, arithmetic(attributes, forms).shape)


def where(attributes: Attributes, forms: Forms) -> Form:
    """Truth chooses between two of a kind."""
    fits(forms[0].dtype == TRUTH and forms[1].dtype == forms[2].dtype, "bool and two of one dtype")
    return Form(forms[1].dtype, broadcast([form.shape for form in forms]))


def broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that several shapes have together, by NumPy's rules."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = []
    for lengths in zip(*padded, strict=True):
        others = {length for length in lengths if length != 1}
        fits(len(others) <= 1, "shapes that broadcast")
        result.append(others.pop() if others else 1)
    return tuple(result)


def transpose(attributes: Attributes, forms: Forms) -> Form:
    """Axes in another order."""
    perm, shape = attributes["perm"], forms[0].shape
    fits(sorted(perm) == list(range(len(shape))), "a permutation of the axes")
    return Form(forms[0].dtype, tuple(shape[axis] for axis in perm))


def reshape(attributes: Attributes, forms: Forms) -> Form:
    """The same elements in another shape, all of it given."""
    shape = tuple(attributes["shape"])
    fits(math.prod(shape) == math.prod(forms[0].shape), "a shape of as many elements")
    return Form(forms[0].dtype, shape)


def flatten(attributes: Attributes, forms: Forms) -> Form:
    """All axes before one as rows, the others as columns."""
    axis, shape = attributes["axis"], forms[0].shape
    fits(axis <= len(shape), "an axis that is there")
    return Form(forms[0].dtype, (math.prod(shape[:axis]), math.prod(shape[axis:])))


def expand(attributes: Attributes, forms: Forms) -> Form:
    """Repeated along axes of length 1."""
    shape = tuple(attributes["shape"])
    fits(broadcast([forms[0].shape, shape]) == shape, "a shape to expand to")
    return Form(forms[0].dtype, shape)


def concat(attributes: Attributes, forms: Forms) -> Form:
    """Side by side along one axis."""
    axis, shape = attributes["axis"], forms[0].shape
    fits(axis < len(shape), "an axis that is there")
    others = [(form.dtype, form.shape[:axis], form.shape[axis + 1 :]) for form in forms]
    alike = all(len(form.shape) == len(shape) for form in forms) and all(other == others[0] for other in others)
    fits(alike, "inputs that differ along the axis alone")
    return Form(forms[0].dtype, (*shape[:axis], sum(form.shape[axis] for form in forms), *shape[axis + 1 :]))


def cut(attributes: Attributes, forms: Forms) -> Form:
    """A slice, by Python's rules."""
    shape = list(forms[0].shape)
    axes, bounds = attributes["axes"], [attributes[key] for key in ("starts", "ends", "steps")]
    fits(all(len(bound) == len(axes) for bound in bounds), "a start, an end and a step for each axis")
    fits(len(set(axes)) == len(axes) and all(axis < len(shape) for axis in axes), "axes that are there, each once")
    for axis, start, end, step in zip(axes, *bounds, strict=True):
        fits(step != 0, "steps other than 0")
        shape[axis] = len(range(*slice(start, end, step).indices(shape[axis])))
        fits(shape[axis] > 0, "a slice that is not empty")
    return Form(forms[0].dtype, tuple(shape))


def pad(attributes: Attributes, forms: Forms) -> Form:
    """Wider at both sides of each axis."""
    floats(forms)
    shape, pads = forms[0].shape, attributes["pads"]
    fits(len(pads) == 2 * len(shape), "two pads for each axis")
    before, after = pads[: len(shape)], pads[len(shape) :]
    mirrors = attributes["mode"] == "reflect"
    roomy = all(max(two) < length for *two, length in zip(before, after, shape, strict=True) if any(two))
    fits(not mirrors or roomy, "reflected pads shorter than the axis")
    return Form(FLOAT, tuple(sum(three) for three in zip(before, shape, after, strict=True)))


def gather(attributes: Attributes, forms: Forms) -> Form:
    """Entries along one axis, by their numbers."""
    (dtype, shape), (kind, index) = forms
    axis = attributes["axis"]
    fits(kind in (WHOLE, "int32"), "indices of int64 or int32")
    fits(axis < len(shape), "an axis that is there")
    return Form(dtype, (*shape[:axis], *index, *shape[axis + 1 :]))


def reduce(attributes: Attributes, forms: Forms) -> Form:
    """One number for all along some axes."""
    floats(forms)
    axes, shape = attributes["axes"], forms[0].shape
    fits(len(set(axes)) == len(axes) > 0 and max(axes) < len(shape), "axes that are there, each once")
    kept = [1 if axis in axes else length for axis, length in enumerate(shape)]
    if not attributes["keepdims"]:
        kept = [length for axis, length in enumerate(shape) if axis not in axes]
    return Form(FLOAT, tuple(kept))


def along(attributes: Attributes, forms: Forms) -> Form:
    """The same shape; one axis is looked at as a whole."""
    floats(forms)
    fits(attributes["axis"] < len(forms[0].shape), "an axis that is there")
    return forms[0]


def layer_norm(attributes: Attributes, forms: Forms) -> Form:
    """The same shape; scale and bias are shaped like the normalised axes."""
    result = along(attributes, forms)
    inner = result.shape[attributes["axis"] :]
    fits(all(form.shape == inner for form in forms[1:]), "scale and bias shaped like the normalised axes")
    return result


def channel_norm(attributes: Attributes, forms: Forms) -> Form:
    """The same shape; all other inputs hold a number for each channel."""
    floats(forms)
    shape = forms[0].shape
    fits(len(shape) >= 2 and all(form.shape == (shape[1],) for form in forms[1:]), "a number for each channel")
    return forms[0]


def instance_norm(attributes: Attributes, forms: Forms) -> Form:
    """As :func:`channel_norm`, of something with an extent."""
    fits(len(forms[0].shape) >= 3, "axes behind the channels")
    return channel_norm(attributes, forms)


def matmul(attributes: Attributes, forms: Forms) -> Form:
    """Products of matrices, broadcast over the leading axes."""
    floats(forms)
    left, right = forms[0].shape, forms[1].shape
    fits(min(len(left), len(right)) >= 2 and left[-1] == right[-2], "matrices that fit")
    return Form(
        FLOAT,
        (*broadcast([left[:-2], right[:-2]]), left[-2], right[-1])
        if len(left) + len(right) > 4
        else (left[0], right[1]),
    )


def gemm(attributes: Attributes, forms: Forms) -> Form:
    """A matrix times another, and a bias for each column."""
    floats(forms)
    fits(len(forms[0].shape) == len(forms[1].shape) == 2, "two matrices")
    rows, inner = forms[0].shape
    other = forms[1].shape[::-1] if attributes["transB"] else forms[1].shape
    fits(inner == other[0] and all(form.shape == other[1:] for form in forms[2:]), "matrices and a bias that fit")
    return Form(FLOAT, (rows, other[1]))


def conv(attributes: Attributes, forms: Forms) -> Form:
    """Filters moved over the extent."""
    floats(forms)
    shape, weight = forms[0].shape, forms[1].shape
    fits(len(shape) == len(weight) and 3 <= len(shape) <= 5, "one to three axes behind the channels")
    group = attributes["group"]
    fits(shape[1] == weight[1] * group and weight[0] % group == 0, "filters that fit the channels")
    fits(all(form.shape == weight[:1] for form in forms[2:]), "a bias for each filter")
    return Form(FLOAT, (shape[0], weight[0], *windows(attributes, shape[2:], weight[2:], attributes["dilations"])))


def pool(attributes: Attributes, forms: Forms) -> Form:
    """A window moved over the extent."""
    floats(forms)
    shape, kernel = forms[0].shape, attributes["kernel_shape"]
    fits(len(shape) == 2 + len(kernel) and 1 <= len(kernel) <= 3, "a window with one to three axes")
    pads = attributes["pads"]
    fits(all(at < kernel[axis % len(kernel)] for axis, at in enumerate(pads)), "pads shorter than the window")
    return Form(FLOAT, (*shape[:2], *windows(attributes, shape[2:], kernel, (1,) * len(kernel))))


def pool_all(attributes: Attributes, forms: Forms) -> Form:
    """One number for the whole extent."""
    floats(forms)
    shape = forms[0].shape
    fits(3 <= len(shape) <= 5, "one to three axes behind the channels")
    return Form(FLOAT, (*shape[:2], *(1,) * (len(shape) - 2)))


def windows(
    attributes: Attributes, extent: Sequence[int], kernel: Sequence[int], dilations: Sequence[int]
) -> tuple[int, ...]:
    """How often a window fits along each axis."""
    strides, pads, axes = attributes["strides"], attributes["pads"], len(extent)
    fits(len(strides) == len(dilations) == axes and len(pads) == 2 * axes, "a stride and two pads for each axis")
    result = []
    for axis, length in enumerate(extent):
        room = length + pads[axis] + pads[axes + axis] - dilations[axis] * (kernel[axis] - 1) - 1
        fits(room >= 0, "a window that fits")
        result.append(room // strides[axis] + 1)
    return tuple(result)
