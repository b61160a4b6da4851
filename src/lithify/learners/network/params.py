"""The parameters of the network learner, and the rules that settle what is left to the data and the machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from lithify.errors import RecipeError
from lithify.learners.network import machine
from lithify.learners.network.nets import registry

MOST_STEPS = 10_000_000
AUTO = -1
_END_EPOCHS = 60.0
"""Beyond them nothing is gained."""
_AFTER, _HELD_OUT, _STEP_VIEWS, _MOST_AFTER = 12.0, 0.25, 3.0, 0.4
"""What follows the steps: seconds whatever the rows; rows scored for each training row; how many views are scored in
the time that a step takes for a row; the share of a budget that is kept for all of it at most."""


@dataclass(frozen=True)
class Size:
    """How wide and deep a network is, and when it is worth its time.

    Attributes
    ----------
    width, depth : int
    cost : float
        What a step costs beside one of the size that is taken without a budget.
    epochs : float
        Below so many a smaller network learns more in the same time.
    """

    width: float
    depth: int
    cost: float
    epochs: float


# The costs of "small" are measured for sides of 32: two cores with AVX-512 train on 3,750, 2,350, 1,350, 660 and 380
# images a second in bf16, on 2,700, 1,750, 970, 480 and 320 in fp32. Those of "deep" and "residual" are too, those of
# "mlp" are reckoned from its multiplications.
SIZES: dict[str, tuple[Size, ...]] = {
    "small": (
        Size(0.5, 1, 0.35, 0),
        Size(0.75, 1, 0.55, 4),
        Size(1.0, 1, 1.0, 5),
        Size(1.5, 1, 2.0, 10),
        Size(2.0, 1, 3.3, 14),
    ),
    "deep": (Size(0.5, 1, 0.25, 0), Size(0.75, 2, 0.6, 5), Size(1.0, 2, 1.0, 8), Size(1.5, 2, 2.1, 16)),
    "residual": (Size(0.5, 1, 0.2, 0), Size(0.5, 2, 0.3, 6), Size(1.0, 2, 1.0, 12), Size(1.0, 3, 1.5, 24)),
    "mlp": (Size(0.25, 2, 0.4, 0), Size(0.5, 2, 0.6, 3), Size(1.0, 3, 1.0, 3), Size(2.0, 3, 2.6, 200)),
}
_LITTLE = 40
_DECAY = 2e-6
"""Of Muon's, for each row of a step, as the rates that it goes with are (Jordan 2024, arXiv:2404.00498)."""
_ERASED = 0.25
_MUCH, _LITTLE_EFFORT, _LESS = 2.0, 0.5, 0.8
"""From the first on and up to the second an effort changes the size too; a larger network needs fewer epochs by the
third."""
_USUAL = {"small": 2, "deep": 2, "residual": 2, "mlp": 2}


@dataclass(frozen=True)
class NetworkParams:
    """Parameters of the network learner. Zero, ``auto`` and, where it is said, -1 leave a parameter to the data.

    Attributes
    ----------
    net : str
        Name of a network; see :mod:`lithify.learners.network.nets.registry`. ``auto`` goes by the size of the images.
    effort : float
        How much training is worth it: what the number of epochs that suits the data is multiplied by; from 2 upwards
        the network for images is larger as well, up to a half smaller.
    width, depth : int
        Of the network: what its usual numbers of channels or units are multiplied by, and layers in each of its parts.
        0 for what suits the data and the budget; networks of other packages do not read them.
    batch : int
        Rows in a step; every grain takes the same share of them.
    epochs : float
        How often each training row is looked at.
    steps : int
        Steps at most; 0 for as many as the epochs take.
    optimiser : str
        ``muon``, ``sgd`` or ``adamw``; ``auto`` goes by the network.
    rate : float
        What the learning rates that each kind of parameter has with the optimiser are multiplied by; 0 for what suits
        the rows.
    decay, momentum : float
        Weight decay and momentum; -1 for what suits the optimiser.
    schedule : str
        How the rate falls: ``linear``, ``smooth`` or ``flat``; see :mod:`lithify.learners.network.schedule`.
    warmup : float
        Share of the steps in which the rate rises; -1 to leave it to the data.
    smoothing : float
        Label smoothing: share of the target that is spread over all labels; -1 to leave it to the data.
    dropout : float
        Share of the units of a fully connected network that rest; -1 to leave it to the data.
    ema : float
        What is sealed is an average of the weights over about that share of the steps; 0 for the last ones.
    clip : float
        Length beyond which a gradient is shortened; 0 for none.
    views : int
        At prediction: 1 for the image as it is, 2 for the mean with its mirror image, 6 for shifted ones as well.
    flip : str
        In training: ``yes`` mirrors images left to right in every second epoch.
    shift : int
        In training: pixels by which an image is moved at most; -1 to leave it to the data.
    crop : float
        In training: the least share of an image's area that is cut out and enlarged; 1 for none, 0 for what suits.
    erase : float
        In training: side of a square that is blanked out, in sides of the image; -1 to leave it to the data.
    colour : float
        In training: how far brightness, contrast and saturation vary; -1 to leave it to the data.
    class_weight : str
        ``balanced`` gives every label the same weight in all.
    fold : int
        For hashed features: the buckets are folded to so many, as a power of two.
    breadth : int
        For hashed features: length of the vector that stands for a bucket.
    precision : str
        ``bf16`` or ``fp32``; ``auto`` takes bf16 for images where it is quicker on the machine.
    convolutions : str
        How 3 × 3 convolutions are computed in training: ``plain``, ``tiled`` or ``winograd``; ``auto`` takes what is
        quickest for the precision and the machine.
    device : str
        ``cpu`` or ``cuda``.
    tier : str
        Which CPUs give the same bits; see :func:`lithify.engines.pins`.
    """

    net: str = "auto"
    effort: Annotated[float, Gt(0), Le(100)] = 1.0
    width: Annotated[float, Ge(0), Le(64)] = 0.0
    depth: Annotated[int, Ge(0), Le(1000)] = 0
    batch: Annotated[int, Ge(0), Le(1 << 20)] = 0
    epochs: Annotated[float, Ge(0), Le(100_000)] = 0.0
    steps: Annotated[int, Ge(0), Le(MOST_STEPS)] = 0
    optimiser: Literal["auto", "muon", "adamw", "sgd"] = "auto"
    rate: Annotated[float, Ge(0), Le(1000)] = 0.0
    decay: Annotated[float, Ge(AUTO), Le(100)] = AUTO
    momentum: Annotated[float, Ge(AUTO), Lt(1)] = AUTO
    schedule: Literal["linear", "smooth", "flat"] = "linear"
    warmup: Annotated[float, Ge(AUTO), Lt(1)] = AUTO
    smoothing: Annotated[float, Ge(AUTO), Lt(1)] = AUTO
    dropout: Annotated[float, Ge(AUTO), Lt(1)] = AUTO
    ema: Annotated[float, Ge(0), Le(1)] = 0.02
    clip: Annotated[float, Ge(0), Le(1e6)] = 0.0
    views: Literal[0, 1, 2, 6] = 0
    flip: Literal["auto", "yes", "no"] = "auto"
    shift: Annotated[int, Ge(AUTO), Le(256)] = AUTO
    crop: Annotated[float, Ge(0), Le(1)] = 0.0
    erase: Annotated[float, Ge(AUTO), Le(1)] = AUTO
    colour: Annotated[float, Ge(AUTO), Le(1)] = AUTO
    class_weight: Literal["none", "balanced"] = "none"
    fold: Annotated[int, Ge(0), Le(22)] = 0
    breadth: Annotated[int, Ge(0), Le(1024)] = 0
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    convolutions: Literal["auto", "plain", "tiled", "winograd"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    tier: Literal["native", "x86-avx512", "x86-portable"] = "native"

    QUALITIES: ClassVar[Mapping[str, Mapping[str, Any]]] = {"fast": {"effort": 0.4}, "best": {"effort": 3.0}}


def settle(params: NetworkParams, rows: int, columns: int, classes: int, side: int, channels: int) -> NetworkParams:
    """The parameters with all that is left open replaced by what suits data and machine; settled ones stay as they are.

    Parameters
    ----------
    params : NetworkParams
    rows, columns : int
        Training rows; columns of a table, 0 for other rows.
    classes : int
        0 in regression.
    side, channels : int
        Of images; 0 for other rows.

    Examples
    --------
    >>> some = settle(NetworkParams(device="cpu", precision="fp32"), 50_000, 0, 10, 32, 3)
    >>> some.net, some.batch, some.views
    ('small', 1024, 2)
    """
    net = registry.fitting(side) if params.net == "auto" else params.net
    registry.check(net)
    size = _size(net, params)
    device: Any = machine.device_of(params.device)
    precision = _precision(params, device, side)
    batch = params.batch or _batch(rows, columns, side)
    epochs = params.epochs or _epochs(rows, columns, side, batch, params.effort)
    optimiser = params.optimiser if params.optimiser != "auto" else "muon" if side else "adamw"
    return replace(
        _trained(_augmented(params, side, channels), optimiser, batch, columns, classes, side),
        net=net,
        width=params.width or size.width,
        depth=params.depth or size.depth,
        batch=batch,
        epochs=epochs,
        steps=params.steps or _steps(rows, epochs, batch),
        device=device,
        precision=precision,
        convolutions=_convolutions(params, device, precision, side),
        fold=params.fold or 16,
        breadth=params.breadth or 8,
    )


def _size(net: str, params: NetworkParams) -> Size:
    """The usual one; for little effort on images the next smaller, for much the next larger."""
    sizes = SIZES.get(net, (Size(64, 1, 1.0, 0),))
    by = 0 if net == "mlp" else 1 if params.effort >= _MUCH else -1 if params.effort <= _LITTLE_EFFORT else 0
    return sizes[max(0, min(_USUAL.get(net, 0) + by, len(sizes) - 1))]


def _batch(rows: int, columns: int, side: int) -> int:
    """Large enough for the machine, small enough for some dozens of steps in each epoch."""
    if side:
        most = 1024 if side <= _LITTLE else 256
        return max(128, min(most, 1 << max(0, (rows // 24).bit_length() - 1)))
    most = 256 if rows < 100_000 else 1024
    return max(32, min(most if columns else 128, 1 << max(0, (rows // 16).bit_length() - 1)))


def _epochs(rows: int, columns: int, side: int, batch: int, effort: float) -> float:
    """By a number of steps that suffices, within bounds: few rows are looked at more often."""
    if side:
        less = _LESS if effort >= _MUCH else 1.0
        return round(min(200.0, max(10.0, 250.0 * batch / max(1, rows))) * effort * less, 3)
    steps, least, most = (6000, 10.0, 150.0) if columns else (400, 6.0, 20.0)
    return round(min(most, max(least, steps * batch / max(1, rows))) * effort, 3)


def _steps(rows: int, epochs: float, batch: int) -> int:
    return max(1, min(MOST_STEPS, math.ceil(epochs * rows / batch)))


def _precision(params: NetworkParams, device: str, side: int) -> Any:
    """bf16 pays for convolutions alone, and no tier but the native one has it."""
    if params.precision == "auto" and (not side or (device == "cpu" and params.tier != "native")):
        return "fp32"
    return machine.precision_of(params.precision, device)


def _convolutions(params: NetworkParams, device: str, precision: str, side: int) -> Any:
    """Quicker ways than the plain one are the CPU's, and no tier but the native one has them."""
    if params.convolutions not in ("auto", "plain") and device != "cpu":
        raise RecipeError("Only a CPU computes convolutions so.", expected="plain", found=params.convolutions)
    if params.convolutions == "winograd" and precision != "fp32":
        raise RecipeError(
            "Winograd's convolutions are computed in float32.",
            found=precision,
            hint="Add --set network.precision=fp32, or leave network.convolutions out.",
        )
    if params.convolutions != "auto":
        return params.convolutions
    if not side or params.tier != "native":
        return "plain"
    return machine.convolutions_of(device, precision)


def _trained(params: NetworkParams, optimiser: Any, batch: int, columns: int, classes: int, side: int) -> NetworkParams:
    """What steers the steps."""
    decay = {"muon": _DECAY * batch, "sgd": 5e-3, "adamw": 0.02}[optimiser]
    smoothing = 0.0 if not classes or not side else 0.2 if side <= _LITTLE else 0.1
    return replace(
        params,
        optimiser=optimiser,
        rate=params.rate or (1.0 if side or optimiser != "adamw" else 2.0 if columns else 3.0),
        decay=decay if params.decay == AUTO else params.decay,
        momentum=(0.85 if side and side <= _LITTLE else 0.9) if params.momentum == AUTO else params.momentum,
        warmup=(0.0 if optimiser == "muon" else 0.05) if params.warmup == AUTO else params.warmup,
        smoothing=smoothing if params.smoothing == AUTO else params.smoothing,
        dropout=(0.1 if columns else 0.0) if params.dropout == AUTO else params.dropout,
        views=params.views or (1 if params.flip == "no" else 6 if params.effort >= _MUCH and side <= _LITTLE else 2),
    )


def _augmented(params: NetworkParams, side: int, channels: int) -> NetworkParams:
    """Mirroring and small shifts for small images, crops for large ones; grey ones, which are often signs, no mirror.

    As :func:`lithify.learners.network.augment.defaults`, which loads torch.
    """
    mirrored, small = side > 0 and channels != 1, side < 48
    crop = 1.0 if small else 0.35 if mirrored else 0.7
    colour = 0.1 if mirrored and not small else 0.0
    flip: Any = "yes" if mirrored else "no"
    return replace(
        params,
        flip=flip if params.flip == "auto" else params.flip,
        shift=(max(1, side // 14) if side and small else 0) if params.shift == AUTO else params.shift,
        crop=params.crop or crop,
        erase=(_ERASED if small and mirrored and params.effort >= _MUCH else 0.0)
        if params.erase == AUTO
        else params.erase,
        colour=colour if params.colour == AUTO else params.colour,
    )


def within(params: NetworkParams, seconds: float, per_step: float) -> NetworkParams:
    """The parameters with as many steps as fit, and the size of network that is worth training in them.

    Part of the time is left for what follows the steps: opening the data again, and scoring the rows that are held out.

    Parameters
    ----------
    params : NetworkParams
        Settled.
    seconds, per_step : float
        The time there is, and what one step of this network takes.

    Examples
    --------
    >>> params = settle(NetworkParams(device="cpu", precision="fp32"), 50_000, 0, 10, 32, 3)
    >>> [(cut.width, round(cut.epochs, 1)) for cut in (within(params, time, 1.2) for time in (120, 600, 2000))]
    [(0.5, 5.1), (1.0, 9.8), (1.5, 16.8)]
    """
    rows = params.steps * params.batch / params.epochs
    sizes = SIZES.get(params.net, ())
    own = next((size for size in sizes if (size.width, size.depth) == (params.width, params.depth)), None)
    steps, chosen = _fitting(params, rows, seconds, per_step), own
    if own is not None:
        every = [(size, _fitting(params, rows, seconds, per_step * size.cost / own.cost)) for size in sizes]
        worth = [(size, fit) for size, fit in every if fit * params.batch / rows >= size.epochs]
        chosen, steps = (worth or every[:1])[-1]
        params = replace(params, width=chosen.width, depth=chosen.depth)
    end = max(params.epochs, _END_EPOCHS if params.net != "mlp" else params.epochs)
    whole = max(1, int(min(steps, end * rows / params.batch, MOST_STEPS)))
    return replace(params, steps=whole, epochs=whole * params.batch / rows)


def _fitting(params: NetworkParams, rows: float, seconds: float, per_step: float) -> float:
    """How many steps fit, when what follows them has its time."""
    after = 0.0
    if params.net != "mlp":
        scored = _HELD_OUT * rows * params.views * per_step / (_STEP_VIEWS * params.batch)
        after = min(_AFTER + scored, _MOST_AFTER * seconds)
    return max(1.0, min(float(MOST_STEPS), (seconds - after) / max(per_step, 1e-9)))
