from __future__ import annotations

import numpy as np
import pytest
import torch

from lithify.learners.network import optim
from lithify.learners.network.schedule import KINDS, rates, side_at


def _some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _stepped(kind: str, gradients: list[torch.Tensor], rate: float, decay: float, momentum: float) -> torch.Tensor:
    p = _some(4, 6)
    slots = optim.slots(kind, p)
    for step, g in enumerate(gradients):
        p, slots = optim.update(kind, p, g, slots, rate, decay, step, momentum)
    return p


def _reference(make, gradients: list[torch.Tensor]) -> torch.Tensor:
    p = torch.nn.Parameter(_some(4, 6))
    peer = make([p])
    for g in gradients:
        p.grad = g.clone()
        peer.step()
    return p.detach()


GRADIENTS = [_some(4, 6, seed=i + 1) for i in range(7)]


def test_sgd_is_that_of_torch():
    ours = _stepped("sgd", GRADIENTS, 0.1, 0.0, 0.85)
    peer = _reference(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.85, nesterov=True), GRADIENTS)
    torch.testing.assert_close(ours, peer)


@pytest.mark.parametrize(("kind", "decay"), [("adamw", 0.05), ("adamw-plain", 0.0)])
def test_adamw_is_that_of_torch(kind, decay):
    ours = _stepped(kind, GRADIENTS, 0.01, 0.05, 0.9)
    peer = _reference(lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=decay), GRADIENTS)
    torch.testing.assert_close(ours, peer)


def test_decay_is_decoupled():
    still = [torch.zeros(4, 6)]
    torch.testing.assert_close(_stepped("sgd", still, 0.1, 0.5, 0.9), _some(4, 6) * 0.95)
    share = _stepped("head", still, optim.rate_of("head"), 0.25, 0.9)
    torch.testing.assert_close(share, _some(4, 6) * 0.75)


@pytest.mark.parametrize("shape", [(16, 90), (90, 16), (32, 32)])
def test_orthogonal_keeps_directions_and_evens_their_lengths(shape):
    left, lengths, right = torch.linalg.svd(_some(*shape), full_matrices=False)
    assert lengths.max() / lengths.min() > 1.5
    turned = optim.orthogonal(left @ torch.diag(torch.linspace(0.2, 5.0, len(lengths))) @ right)
    values = torch.linalg.svdvals(turned)
    assert values.min() > 0.5
    assert values.max() < 1.3
    inner = left.T @ turned @ right.T
    assert (inner - torch.diag(inner.diagonal())).abs().max() < 1e-3


def test_orthogonal_is_the_iteration_on_the_matrix_itself():
    matrix = _some(12, 40)
    x = matrix / matrix.norm()
    for _ in range(optim._ITERATIONS):
        a, b, c = optim._COEFFICIENTS
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    torch.testing.assert_close(optim.orthogonal(matrix), x, atol=1e-4, rtol=1e-4)


def test_orthogonal_of_nothing_and_of_lost_rank_is_finite():
    assert torch.equal(optim.orthogonal(torch.zeros(4, 9)), torch.zeros(4, 9))
    assert optim.orthogonal(torch.ones(8, 9)).isfinite().all()


def test_filters_are_kept_at_one_length():
    p = 50.0 * _some(8, 4, 3, 3)
    after, _ = optim.update("filter", p, torch.zeros_like(p), optim.slots("filter", p), 0.1, 0.3, 0, 0.9)
    assert float(after.norm()) == pytest.approx(8**0.5, rel=1e-5)


@pytest.mark.parametrize("kind", optim.KINDS)
def test_update_is_pure(kind):
    shape = (8, 4, 3, 3) if kind == "filter" else (8, 6)
    p, g = _some(*shape), _some(*shape, seed=1)
    slots = optim.slots(kind, p)
    first = optim.update(kind, p, g, slots, 0.1, 0.1, 3, 0.9)
    assert torch.equal(p, _some(*shape))
    assert torch.equal(g, _some(*shape, seed=1))
    assert not any(slot.any() for slot in slots.values())
    again = optim.update(kind, p, g, slots, 0.1, 0.1, 3, 0.9)
    assert torch.equal(first[0], again[0])
    assert first[1].keys() == slots.keys()
    assert not torch.equal(first[0], p)


def test_kinds():
    assert optim.kind_of("adamw", "head.weight", (10, 4)) == "adamw"
    assert optim.kind_of("adamw", "norm.bias", (4,)) == "adamw-plain"
    assert optim.kind_of("sgd", "groups.0.conv1.weight", (4, 4, 3, 3)) == "sgd"
    assert optim.kind_of("muon", "layers.0.weight", (64, 32)) == "matrix"
    assert optim.kind_of("muon", "norm.bias", (4,)) == "bias"
    with pytest.raises(ValueError, match="lion"):
        optim.kind_of("lion", "x", (1,))


@pytest.mark.parametrize("kind", KINDS)
def test_rates_rise_and_fall(kind):
    table = rates(kind, 100, 10)
    assert table.dtype == np.float32
    assert table.shape == (100,)
    assert table.max() == 1.0
    assert table.min() > 0.0
    assert (np.diff(table[:10]) > 0).all()
    assert (np.diff(table[10:]) <= 0).all()
    assert table[-1] < 0.05


def test_rates_of_few_steps_and_of_no_kind():
    assert rates("linear", 0).shape == (0,)
    assert rates("smooth", 1, 5).tolist() == [1.0]
    with pytest.raises(ValueError, match="cosine"):
        rates("cosine", 3)


@pytest.mark.parametrize("side", [28, 64, 96, 128, 200, 224, 256])
def test_sides_grow_to_the_whole(side):
    sides = [side_at(step, 50, side) for step in range(50)]
    assert sides == sorted(sides)
    assert sides[-10:] == [side] * 10
    assert sides[0] >= side // 2
    assert all(each % 32 == 0 or each == side for each in sides)
