"""Features of images: pixels of one size, and what the training pixels are like in the middle.

The decoders are libraries, and another version of one may round differently. What an image becomes in training is
therefore part of what names a run (:meth:`Image.fingerprint`); a model opens and predicts with any version, as a photo
of the same thing by another camera would have to be good enough too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from lithify.data.batches import Blocks, Pixels
from lithify.data.decoded import REVISION, decoded, versions
from lithify.data.state import State
from lithify.errors import MalformedContainer, RecipeError
from lithify.features.base import Features, Span

BLOCK = "pixels"
CELLS = 8
"""Cells a side of the grid over which a score is shared out."""
LEAST_SIDE = 8
FITTED_ROWS, FITTED_BYTES = 10_000, 256 << 20
"""The most images, and bytes of their pixels, that mean and spread are taken of."""
_STEPS = ((144, 128), (192, 160))
_LARGEST = 224


@dataclass(frozen=True)
class ImageParams:
    """Parameters of the features of images.

    Attributes
    ----------
    side : int
        Pixels of the square that each image becomes; 0 is settled by :func:`settled_side` when a recipe is resolved.
    channels : int
        1 for grey, 3 for colour; 0 for what the images have.
    """

    side: Annotated[int, Ge(0), Le(512)] = 0
    channels: Literal[0, 1, 3] = 0


class Image(Features):
    r"""See the module.

    >>> features = Image(ImageParams(side=8, channels=1))
    >>> grey = b"P5\n8 8\n255\n" + bytes([51]) * 64
    >>> state = features.fit([[grey]])
    >>> state.facts["mean"], features.transform(state, [grey])["pixels"].shape
    ([0.20000000298023224], (1, 8, 8, 1))
    """

    Params: ClassVar[type] = ImageParams
    engine: ClassVar[Mapping[str, int | str]] = {"features.image": 1, "pixels": REVISION}

    @classmethod
    def settle(cls, params: Any, side: int, channels: int) -> Any:
        """What is left open by what the images of the snapshot are like; ``RecipeError`` for a side below 8."""
        if 0 < params.side < LEAST_SIDE:
            raise RecipeError("The side of the images is too short.", expected=f"{LEAST_SIDE} at least")
        return replace(params, side=params.side or settled_side(side), channels=params.channels or channels or 3)

    @classmethod
    def fingerprint(cls) -> Mapping[str, int | str]:
        """The decoders and their versions."""
        return dict(versions())

    def fit(self, batches: Iterable[Sequence[bytes]], groups: NDArray[np.int64] | None = None) -> State:
        """Mean and standard deviation of each channel, pixels being in [0, 1].

        They are taken of the first rows, :data:`FITTED_ROWS` or as many as have :data:`FITTED_BYTES` of pixels. Rows of
        a snapshot come in the order of their keys, so the first ones are picked by nothing that matters.
        """
        side, channels = self.params.side, self.params.channels
        left = min(FITTED_ROWS, max(1, FITTED_BYTES // (side * side * channels)))
        counts = np.zeros((channels, 256), dtype=np.int64)
        for batch in batches:
            counts += _counted(decoded(batch[:left], side, channels))
            left -= len(batch)
            if left <= 0:
                break
        return State({}, _spread(counts))

    def transform(self, state: State, contents: Sequence[bytes]) -> Blocks:
        """One block of pixels, in memory; raises ``DataError`` for what is no image."""
        return {BLOCK: Pixels.of(decoded(contents, self.params.side, self.params.channels))}

    def spans(self, state: State, content: bytes) -> list[Span]:
        """The cells of a grid over the image, row by row; features are their numbers."""
        cells = grid(self.params.side)
        return [
            Span("image", BLOCK, f"row {cell // cells + 1}, column {cell % cells + 1}", cell, cell, np.array([cell]))
            for cell in range(cells * cells)
        ]

    def audit(self, state: State) -> None:
        """Checks that a size is settled, and that there is a mean and a spread for each channel."""
        channels, facts = self.params.channels, state.facts
        if state.arrays or self.params.side < LEAST_SIDE or not channels or facts.keys() != {"mean", "std"}:
            raise MalformedContainer("The state of the features of images is not one of theirs.")
        for name, least in (("mean", 0.0), ("std", 1e-3)):
            values = facts[name]
            good = isinstance(values, list) and len(values) == channels
            if not (good and all(type(x) in (int, float) and least <= x <= 1.0 for x in values)):
                raise MalformedContainer(f"The {name} of the pixels is none.", expected=f"{channels} numbers")


def settled_side(short: int) -> int:
    """The side that images are best learned at, from the side that is the short one in the middle of all of them.

    Below 8 pixels images are enlarged; up to 40 nothing is scaled; up to 96 the nearest multiple of 8 is taken; above,
    128, 160 or 224.

    >>> [settled_side(side) for side in (8, 28, 40, 44, 64, 100, 150, 400)]
    [8, 28, 40, 48, 64, 128, 160, 224]
    """
    if short <= 40:
        return max(LEAST_SIDE, short)
    if short <= 96:
        return (short + 4) // 8 * 8
    return next((side for below, side in _STEPS if short < below), _LARGEST)


def grid(side: int) -> int:
    """How many cells a side the grid over an image has: :data:`CELLS`, fewer where they would be a pixel or none.

    >>> grid(224), grid(12)
    (8, 6)
    """
    return max(1, min(CELLS, side // 2))


def edges(side: int) -> NDArray[np.int64]:
    """The pixels at which the cells of the grid begin, and the side: cell i is [edges[i], edges[i + 1]).

    >>> edges(12).tolist()
    [0, 2, 4, 6, 8, 10, 12]
    """
    cells = grid(side)
    return np.arange(cells + 1) * side // cells


def _counted(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each value stands in each channel, (channels, 256)."""
    flat = images.reshape(-1, images.shape[-1])
    return np.stack([np.bincount(flat[:, channel], minlength=256) for channel in range(flat.shape[1])])


def _spread(counts: NDArray[np.int64]) -> dict[str, Any]:
    """Mean and standard deviation of each channel, exact whole numbers until the last, rounded to float32."""
    facts: dict[str, list[float]] = {"mean": [], "std": []}
    for channel in counts.tolist():
        number = sum(channel)
        once = sum(value * count for value, count in enumerate(channel))
        twice = sum(value * value * count for value, count in enumerate(channel))
        variance = (number * twice - once * once) / (number * number * 255 * 255) if number else 0.0
        facts["mean"].append(float(np.float32(once / (number * 255) if number else 0.5)))
        facts["std"].append(float(np.float32(math.sqrt(variance) or 1.0)))
    return facts
