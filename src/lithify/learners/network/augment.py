"""Training images as they are shown in one epoch: mirrored, moved, cropped, partly erased, recoloured.

Whole batches at once. What happens to an image is drawn from counters keyed by the seed, the purpose, the epoch and the
image's row, so it is the same in whatever batch, thread or process the image comes; nothing is shared between images.

Sources: mirroring in every second epoch, Jordan 2024 (arXiv:2404.00498); random resized crops, Szegedy et al. 2015
(arXiv:1409.4842); erasing, DeVries, Taylor 2017, "Cutout" (arXiv:1708.04552).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lithify import rng

Rows = NDArray[np.int64]
Pixels = NDArray[np.uint8]
_LARGE = 48
_RATIO = 1.2
_LUMA = (0.299, 0.587, 0.114)
_EPOCH = 1 << 32


@dataclass(frozen=True)
class Augment:
    """What may happen to an image.

    Attributes
    ----------
    flip : bool
        Mirrored left to right in every second epoch.
    shift : int
        Moved by up to so many pixels each way, the border being mirrored.
    crop : float
        The smallest share of the area that a random crop leaves, which is then scaled to the side; 1 for no crops.
    erase : float
        Side of a square, in sides of the image, that is set to the mean; 0 for none.
    colour : float
        Brightness, contrast and saturation change by up to this share; 0 for none.
    """

    flip: bool = False
    shift: int = 0
    crop: float = 1.0
    erase: float = 0.0
    colour: float = 0.0


def defaults(side: int, channels: int, classes: int) -> Augment:
    """What is sensible for images that nothing else is known of.

    Grey images are often of digits, letters or scans, which have no mirror images; of small ones a pixel is a large
    part, so they are moved and not cropped.

    >>> defaults(32, 3, 10)
    Augment(flip=True, shift=2, crop=1.0, erase=0.0, colour=0.0)
    >>> defaults(28, 1, 10)
    Augment(flip=False, shift=2, crop=1.0, erase=0.0, colour=0.0)
    """
    mirrored = channels > 1
    if side < _LARGE:
        return Augment(flip=mirrored, shift=max(1, side // 14))
    return Augment(flip=mirrored, crop=0.35 if mirrored else 0.7, colour=0.1 if mirrored else 0.0)


def augment(
    pixels: Pixels,
    rows: Rows,
    epochs: Rows | int,
    seed: int,
    how: Augment,
    mean: NDArray[np.float32],
    std: NDArray[np.float32],
    side: int,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """A batch of images as a network is shown them.

    Parameters
    ----------
    pixels : (n, h, w, c) array of uint8
    rows : (n,) array of int64
        Which row of the data each is, below 2**32.
    epochs : int or (n,) array of int64
        In which epoch it is shown.
    seed : int
        Of the training.
    how : Augment
    mean, std : (c,) arrays of float32
        Of the training pixels, in [0, 1].
    side : int
        Of the result.
    dtype : torch.dtype
        float32 or bfloat16.

    Returns
    -------
    (n, c, side, side) tensor in channels-last order, normalised

    Examples
    --------
    >>> images = np.zeros((2, 8, 8, 3), dtype=np.uint8)
    >>> grey = np.array([0.5, 0.5, 0.5], dtype=np.float32)
    >>> augment(images, np.arange(2), 0, 7, Augment(flip=True, shift=1), grey, grey, 8).shape
    torch.Size([2, 3, 8, 8])
    """
    draw = _Draws(seed, np.asarray(rows, dtype=np.int64), np.broadcast_to(np.asarray(epochs, np.int64), (len(rows),)))
    shown = _flipped(pixels, draw) if how.flip else pixels
    if how.crop < 1.0:
        shown = _cropped(shown, draw, how.crop, side)
    else:
        shown = resized(shown, side)
    if how.shift:
        shown = _shifted(shown, draw, how.shift)
    values = torch.from_numpy(np.ascontiguousarray(shown)).to(torch.float32)
    if how.colour:
        values = _coloured(values, draw, how.colour)
    values = normalised(values, mean, std)
    if how.erase:
        values = values * _kept(draw, how.erase, side)
    return values.permute(0, 3, 1, 2).to(dtype)


def normalised(values: torch.Tensor, mean: NDArray[np.float32], std: NDArray[np.float32]) -> torch.Tensor:
    """Pixels in [0, 255], (..., c) float32, less their mean and over their deviation, both of pixels in [0, 1]."""
    centre = torch.from_numpy(np.asarray(mean, np.float32) * np.float32(255.0))
    scale = torch.from_numpy(np.float32(1.0) / (np.asarray(std, np.float32) * np.float32(255.0)))
    return (values - centre) * scale  # two roundings wherever it is computed: no fused multiply-add


def resized(pixels: Pixels, side: int) -> Pixels:
    """Images scaled to ``side``, antialiased; untouched where they have it."""
    if pixels.shape[1:3] == (side, side):
        return pixels
    return np.stack([_scaled(image, side) for image in pixels])


class _Draws:
    """Uniform draws in [0, 1) of each image in its epoch."""

    def __init__(self, seed: int, rows: Rows, epochs: Rows) -> None:
        self.seed, self.rows, self.epochs = seed, rows, epochs

    def __call__(self, purpose: str) -> NDArray[np.float64]:
        return rng.uniform(rng.key(self.seed, "augment", purpose), self.epochs * _EPOCH + self.rows)

    def mirrored(self) -> NDArray[np.bool_]:
        """A coin for the first epoch, and then turn about."""
        coins = rng.bits(rng.key(self.seed, "augment", "flip"), self.rows)
        odd: NDArray[np.bool_] = ((coins & np.uint64(1)).astype(np.int64) + self.epochs) % 2 == 1
        return odd


def _flipped(pixels: Pixels, draw: _Draws) -> Pixels:
    return np.where(draw.mirrored()[:, None, None, None], pixels[:, :, ::-1], pixels)


def _shifted(pixels: Pixels, draw: _Draws, most: int) -> Pixels:
    n, high, wide, _ = pixels.shape
    padded = np.pad(pixels, ((0, 0), (most, most), (most, most), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (high, wide), axis=(1, 2))
    down = (draw("down") * (2 * most + 1)).astype(np.int64)
    across = (draw("across") * (2 * most + 1)).astype(np.int64)
    moved = windows.transpose(0, 1, 2, 4, 5, 3)[np.arange(n), down, across]
    return np.ascontiguousarray(moved)


def _cropped(pixels: Pixels, draw: _Draws, least: float, side: int) -> Pixels:
    high, wide = pixels.shape[1:3]
    area = least + (1.0 - least) * draw("area")
    ratio = 1.0 / _RATIO + (_RATIO - 1.0 / _RATIO) * draw("ratio")
    tall = np.clip(np.rint(np.sqrt(area * ratio) * high).astype(np.int64), 1, high)
    broad = np.clip(np.rint(np.sqrt(area / ratio) * wide).astype(np.int64), 1, wide)
    top = ((high - tall + 1) * draw("top")).astype(np.int64)
    left = ((wide - broad + 1) * draw("left")).astype(np.int64)
    boxes = zip(pixels, top.tolist(), tall.tolist(), left.tolist(), broad.tolist(), strict=True)
    return np.stack([_scaled(image[y : y + h, x : x + w], side) for image, y, h, x, w in boxes])


def _scaled(image: Pixels, side: int) -> Pixels:
    if image.shape[:2] == (side, side):
        return image
    given = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    found = torch.nn.functional.interpolate(given, size=(side, side), mode="bilinear", antialias=True)
    return np.asarray(found[0].permute(1, 2, 0))


def _coloured(values: torch.Tensor, draw: _Draws, most: float) -> torch.Tensor:
    """Brightness, then contrast about the image's mean luma, then saturation, each bounded to [0, 255]."""
    light, contrast, vivid = (_share(draw(name), most) for name in ("light", "contrast", "vivid"))
    values = (values * light).clamp(0.0, 255.0)
    # means of whole numbers: the sum has the same bits in whatever order it is taken
    middle = (_luma(values).to(torch.int64).sum(dim=(1, 2, 3), keepdim=True) / values[0, :, :, 0].numel()).float()
    values = (middle + (values - middle) * contrast).clamp(0.0, 255.0)
    if values.shape[-1] == 1:
        return values
    grey = _luma(values)
    return (grey + (values - grey) * vivid).clamp(0.0, 255.0)


def _share(draws: NDArray[np.float64], most: float) -> torch.Tensor:
    return torch.from_numpy((1.0 + most * (2.0 * draws - 1.0)).astype(np.float32)).view(-1, 1, 1, 1)


def _luma(values: torch.Tensor) -> torch.Tensor:
    if values.shape[-1] == 1:
        return values
    red, green, blue = (values[..., i : i + 1] * share for i, share in enumerate(_LUMA))
    return red + green + blue


def _kept(draw: _Draws, share: float, side: int) -> torch.Tensor:
    """(n, side, side, 1) float32: 0 within the erased square, whose middle lies anywhere in the image, else 1."""
    half = share * side / 2.0
    at = np.arange(side) + 0.5
    down = np.abs(at - (draw("erase down") * side)[:, None]) < half
    across = np.abs(at - (draw("erase across") * side)[:, None]) < half
    kept = ~(down[:, :, None] & across[:, None, :])
    return torch.from_numpy(kept.astype(np.float32)[..., None])
