"""How a step changes a parameter: pure functions of tensors, one parameter at a time.

What happens to a parameter is its kind, decided by the name of the optimiser and the parameter's name and shape.
Kinds and their own rates are those of airbench (Jordan 2024, arXiv:2404.00498): with ``muon``, filters of convolutions
are turned by an orthogonal matrix and kept at one length, so a norm must follow each of them; everything else goes by
SGD with Nesterov's momentum.

Sources: Muon, Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; its iteration on the Gram
matrix alone, which needs the long side of a matrix only twice, follows from the iterates being polynomials in it that
commute. Nesterov's momentum as Sutskever, Martens, Dahl, Hinton 2013. AdamW, Loshchilov, Hutter 2019
(arXiv:1711.05101).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

OPTIMISERS = ("muon", "sgd", "adamw")
KINDS = ("filter", "matrix", "head", "bias", "sgd", "adamw", "adamw-plain")
"""``filter`` and ``matrix`` are Muon's; ``head`` and ``bias`` are SGD with a rate of their own; ``adamw-plain`` is
AdamW without decay, for vectors."""
_RATES = {
    "filter": 0.24,
    "matrix": 0.02,
    "head": 0.0105,
    "bias": 54.0,
    "sgd": 0.1,
    "adamw": 0.001,
    "adamw-plain": 0.001,
}
_BATCH = 1024
_BY_BATCH = ("head", "bias")
_SLOTS = {"adamw": ("m", "v"), "adamw-plain": ("m", "v")}
_FILTER_MOMENTUM = 0.6
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 4
_TINY = 1e-7
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_FILTER_AXES = 4


def kind_of(optimiser: str, name: str, shape: Sequence[int]) -> str:
    """What happens to a parameter; one of :data:`KINDS`.

    Parameters
    ----------
    optimiser : str
        One of :data:`OPTIMISERS`; ``ValueError`` for another.
    name : str
        Of the parameter, as torch names it. The module named ``head`` makes the scores.
    shape : sequence of int
        Its own.

    Examples
    --------
    >>> kind_of("muon", "groups.0.conv1.weight", (64, 24, 3, 3)), kind_of("muon", "head.weight", (10, 256))
    ('filter', 'head')
    """
    if optimiser not in OPTIMISERS:
        raise ValueError(f"{optimiser!r} is none of {', '.join(OPTIMISERS)}")
    if optimiser == "adamw":
        return "adamw" if len(shape) > 1 else "adamw-plain"
    if optimiser == "sgd":
        return "sgd"
    if len(shape) == _FILTER_AXES:
        return "filter"
    if "head" in name.split("."):
        return "head"
    return "matrix" if len(shape) > 1 else "bias"


def rate_of(kind: str, batch: int = _BATCH) -> float:
    """The rate of a kind at its highest, for gradients of the mean loss; a recipe's rate is multiplied by it.

    Parameters
    ----------
    kind : str
        From :func:`kind_of`.
    batch : int
        Rows in a step. ``head`` and ``bias`` move in proportion to it, so an epoch moves them as far in many small
        steps as in few large ones; the others do not.

    Examples
    --------
    >>> rate_of("bias"), rate_of("bias", 512), rate_of("filter", 512)
    (54.0, 27.0, 0.24)
    """
    return _RATES[kind] * (batch / _BATCH if kind in _BY_BATCH else 1.0)


def slots(kind: str, p: Tensor) -> dict[str, Tensor]:
    """What is remembered of a parameter between steps, at the beginning: zeros under ``m`` (and ``v`` for AdamW)."""
    return {name: torch.zeros_like(p) for name in _SLOTS.get(kind, ("m",))}


def update(
    kind: str,
    p: Tensor,
    g: Tensor,
    slots: Mapping[str, Tensor],
    rate: float,
    decay: float,
    step: int,
    momentum: float,
) -> tuple[Tensor, dict[str, Tensor]]:
    """A parameter and what is remembered of it after a step; nothing given is changed.

    Parameters
    ----------
    kind : str
        From :func:`kind_of`.
    p, g : tensors of one shape, float32
        The parameter, and the gradient of the mean loss.
    slots : mapping of str to tensor
        From :func:`slots` or the step before.
    rate : float
        Of this step: :func:`rate_of` times the recipe's rate times the schedule's share.
    decay : float
        By what share of itself the parameter shrinks, times ``rate`` (decoupled decay); for ``head`` and ``bias``,
        whose rates are far apart, times the rate's share of :func:`rate_of` at a batch of 1,024. Filters, which have
        one length, and AdamW's vectors do not shrink.
    step : int
        Number of the step, from 0.
    momentum : float
        Share of the remembered gradient that is kept; filters have their own share of 0.6, and AdamW its own.

    Returns
    -------
    (tensor, dict of str to tensor)
    """
    if kind in _SLOTS:
        return _adamw(kind, p, g, slots, rate, decay, step)
    kept = _FILTER_MOMENTUM if kind == "filter" else momentum
    m = slots["m"] * kept + g
    direction = g + m * kept
    if kind == "filter":
        long = p * (p.shape[0] ** 0.5 / (torch.linalg.vector_norm(p) + _TINY))
        return long - rate * orthogonal(direction.flatten(1)).view(p.shape), {"m": m}
    if kind == "matrix":
        stretch = max(1.0, p.shape[0] / p[0].numel()) ** 0.5
        direction = orthogonal(direction.flatten(1)).view(p.shape) * stretch
    shrinking = decay / _RATES[kind] if kind in _BY_BATCH else decay
    return p * (1.0 - rate * shrinking) - rate * direction, {"m": m}


def _adamw(
    kind: str, p: Tensor, g: Tensor, slots: Mapping[str, Tensor], rate: float, decay: float, step: int
) -> tuple[Tensor, dict[str, Tensor]]:
    m = slots["m"] * _BETA1 + g * (1.0 - _BETA1)
    v = slots["v"] * _BETA2 + g * g * (1.0 - _BETA2)
    root = torch.sqrt(v / (1.0 - _BETA2 ** (step + 1))) + _EPSILON
    shrunk = p * (1.0 - rate * decay) if kind == "adamw" else p
    return shrunk - (rate / (1.0 - _BETA1 ** (step + 1))) * (m / root), {"m": m, "v": v}


def orthogonal(matrix: Tensor) -> Tensor:
    """About the nearest matrix with orthonormal rows (or columns, where these are fewer).

    Each round of Newton-Schulz maps the singular values by one odd polynomial and leaves the directions alone, so all
    rounds are one polynomial of the Gram matrix, and the matrix itself is multiplied once, at the end.

    Parameters
    ----------
    matrix : (r, c) tensor of float32

    Returns
    -------
    (r, c) tensor of float32
        With singular values between about 0.7 and 1.2, except for directions that were nearly zero.

    Examples
    --------
    >>> turned = orthogonal(torch.diag(torch.tensor([3.0, 1.0, 2.0]))).diagonal()
    >>> bool((turned > 0.6).all() and (turned < 1.3).all())
    True
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (torch.linalg.vector_norm(wide) + _TINY)
    gram = wide @ wide.T
    a, b, c = _COEFFICIENTS
    total: Tensor | None = None
    for left in reversed(range(_ITERATIONS)):
        factor = b * gram + c * (gram @ gram)
        factor.diagonal().add_(a)
        total = factor if total is None else factor @ total
        if left:
            gram = factor @ (factor @ gram)
    assert total is not None
    found: Tensor = total @ wide
    return found if matrix.shape[0] <= matrix.shape[1] else found.T
