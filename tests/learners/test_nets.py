from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lithify import engines, kernels
from lithify.errors import RecipeError
from lithify.learners.network import convolutions, optim, winograd_kernels
from lithify.learners.network.inputs import Inputs
from lithify.learners.network.nets import deep, layers, residual, small
from lithify.learners.network.params import NetworkParams, settle

NETS = [
    (small, 32, 3, 1),
    (small, 28, 1, 2),
    (small, 8, 1, 1),
    (small, 16, 3, 1),
    (deep, 64, 3, 2),
    (deep, 48, 1, 1),
    (deep, 8, 3, 2),
    (deep, 4, 1, 1),
    (residual, 64, 3, 1),
]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _made(kind, side, channels, depth, width=0.25, outputs=5, seed=0):
    net = kind.build(Inputs("pixels", side=side, channels=channels), outputs, width, depth)
    layers.initialise(net, seed)
    return net.to(memory_format=torch.channels_last)


def test_a_deep_network_for_next_to_no_pixels_is_refused():
    with pytest.raises(RecipeError, match="at least 4 pixels"):
        _made(deep, 3, 3, 1)


def _images(n, channels, side, seed=0):
    some = torch.randn(n, channels, side, side, generator=torch.Generator().manual_seed(seed))
    return some.contiguous(memory_format=torch.channels_last)


def _trained(net):
    return {name: p for name, p in net.named_parameters() if p.requires_grad}


def _gradients(net, x):
    y = torch.arange(len(x)) % 5
    loss = nn.functional.cross_entropy(net(x), y, reduction="sum")
    return [g.clone() for g in torch.autograd.grad(loss, list(_trained(net).values()))]


@pytest.mark.parametrize(("kind", "side", "channels", "depth"), NETS)
def test_shapes_and_scores_of_the_embedding(kind, side, channels, depth):
    net = _made(kind, side, channels, depth).eval()
    x = _images(3, channels, side)
    with torch.no_grad():
        scores, embedding = net(x), net.embed(x)
        assert scores.shape == (3, 5)
        assert embedding.dim() == 2
        assert torch.equal(net.head(embedding), scores)
        assert scores.isfinite().all()


@pytest.mark.parametrize(("kind", "side", "channels", "depth"), NETS)
def test_a_network_can_be_traced(kind, side, channels, depth):
    net = _made(kind, side, channels, depth).eval()
    traced = torch.fx.symbolic_trace(net)
    x = _images(2, channels, side)
    with torch.no_grad():
        assert torch.equal(traced(x), net(x))
    leaves = {type(net.get_submodule(node.target)) for node in traced.graph.nodes if node.op == "call_module"}
    pools = {nn.MaxPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d}
    assert leaves <= {nn.Conv2d, nn.BatchNorm2d, nn.Linear, nn.Identity} | pools


@pytest.mark.parametrize("kind", [small, deep, residual])
def test_width_and_depth(kind):
    inputs = Inputs("pixels", side=64, channels=3)
    sizes = [sum(p.numel() for p in kind.build(inputs, 5, width, 1).parameters()) for width in (0.5, 1.0, 2.0)]
    assert sizes[0] * 2 < sizes[1] < sizes[2] / 2
    assert sum(p.numel() for p in kind.build(inputs, 5, 0.5, 3).parameters()) > sizes[0]


def test_first_values_are_those_of_the_seed_and_the_name():
    torch.manual_seed(1)
    one = _made(small, 32, 3, 1)
    torch.manual_seed(2)
    other, third = _made(small, 32, 3, 1), _made(small, 32, 3, 1, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not torch.equal(one.head.weight, third.head.weight)
    first = one.groups[1].conv1.weight
    assert torch.equal(first[2, 2], torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]))


def test_a_residual_block_begins_as_what_it_is_given():
    block = residual.Block(8, 8, 1)
    layers.initialise(block, 0)
    x = torch.relu(_images(2, 8, 6))
    assert torch.equal(block.eval()(x), x)


def test_whitening():
    drawn = np.random.default_rng(0)
    mixed = drawn.normal(size=(5000, 12)) @ (drawn.normal(size=(12, 12)) + 6.0 * np.eye(12))
    filters = layers.whiten(mixed.reshape(-1, 3, 2, 2).astype(np.float32))
    assert filters.shape == (24, 3, 2, 2)
    assert filters.dtype == np.float32
    assert (filters[12:] == -filters[:12]).all()
    out = (mixed - mixed.mean(axis=0)) @ filters[:12].reshape(12, 12).T
    np.testing.assert_allclose(np.cov(out.T), np.eye(12), atol=0.05)
    few = layers.whiten(mixed.reshape(-1, 3, 2, 2).astype(np.float32), 8)
    assert (few[:4] == filters[:4]).all()


def test_whitening_of_constant_images_is_finite():
    assert np.isfinite(layers.whiten(np.zeros((10, 1, 2, 2), dtype=np.float32))).all()


def test_patches_are_all_there():
    images = np.arange(2 * 1 * 3 * 3, dtype=np.float32).reshape(2, 1, 3, 3)
    found = layers.patches(images, 2)
    assert found.shape == (8, 1, 2, 2)
    assert found[3, 0].tolist() == [[4, 5], [7, 8]]
    assert found[4, 0].tolist() == [[9, 10], [12, 13]]


@pytest.mark.parametrize("kind", [small, deep])
def test_what_is_frozen(kind):
    net = kind.build(Inputs("pixels", side=32, channels=3), 5, 0.25, 1)
    frozen = {name for name, p in net.named_parameters() if not p.requires_grad}
    assert "whiten.weight" in frozen
    assert all(name == "whiten.weight" or "norm" in name for name in frozen)


@pytest.mark.parametrize(("kind", "side"), [(small, 32), (deep, 48), (residual, 64)])
def test_gradients_have_the_same_bits_in_any_thread(kind, side):
    base = _made(kind, side, 3, 1)
    x = _images(8, 3, side)
    expected = _gradients(base, x)

    def again(_: int) -> list[torch.Tensor]:
        torch.set_num_threads(1)
        net = _made(kind, side, 3, 1)
        for own, shared in zip(net.parameters(), base.parameters(), strict=True):
            own.data = shared.data
        return _gradients(net, x)

    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(again, range(4)):
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(("kind", "side", "depth"), [(small, 16, 1), (deep, 48, 2), (residual, 32, 1)])
def test_a_network_learns(kind, side, depth):
    """Bars against stripes, at either angle: no pixel alone tells."""
    net = _made(kind, side, 3, depth, outputs=2).train()
    drawn = np.random.default_rng(0)
    upright = np.arange(128) % 2
    wave = np.sin(np.arange(side)[None] * 1.5 + drawn.uniform(0, 6, (128, 1)))[:, :, None] * np.ones(side)
    flat = np.where(upright[:, None, None] == 1, wave, wave.transpose(0, 2, 1))
    noisy = flat[:, None] + drawn.normal(0, 0.3, (128, 3, side, side))
    x, y = torch.from_numpy(noisy.astype(np.float32)), torch.from_numpy(upright)
    if hasattr(net, "whiten"):
        filters = layers.whiten(layers.patches(x.numpy(), net.whiten.kernel_size[0]), net.whiten.out_channels)
        net.whiten.weight.data.copy_(torch.from_numpy(filters))
    parameters = _trained(net)
    kinds = {name: optim.kind_of("muon", name, p.shape) for name, p in parameters.items()}
    slots = {name: optim.slots(kinds[name], p.data) for name, p in parameters.items()}
    for step in range(16):
        rows = (np.arange(32) + 32 * step) % 96
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        for (name, p), g in zip(parameters.items(), torch.autograd.grad(loss, list(parameters.values())), strict=True):
            rate = optim.rate_of(kinds[name], 256) * (1 - step / 16)
            p.data, slots[name] = optim.update(kinds[name], p.data, g, slots[name], rate, 0.0, step, 0.85)
    net.eval()
    with torch.no_grad():
        right = (net(x[96:]).argmax(dim=1) == y[96:]).float().mean()
    assert right > 0.9


@pytest.mark.parametrize(("n", "side"), [(32, 3), (5, 7), (16, 8)])
@pytest.mark.parametrize("how", ["tiled", "winograd"])
def test_other_ways_to_convolve_give_the_plain_numbers_and_the_same_bits_each_time(how, n, side):
    plain = nn.Sequential(layers.conv(32, 40), layers.conv(40, 33)).to(memory_format=torch.channels_last)
    layers.initialise(plain, 0)
    x = _images(n, 32, side).requires_grad_()
    g = _images(n, 33, side, seed=1)
    parameters = [x, *plain.parameters()]
    expected = [plain(x).detach(), *torch.autograd.grad(plain(x), parameters, g)]
    assert convolutions.install(plain, how) == 2
    found = [plain(x).detach(), *torch.autograd.grad(plain(x), parameters, g)]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=2e-4 * float(b.abs().max()), rtol=0.0)
    again = [plain(x).detach(), *torch.autograd.grad(plain(x), parameters, g)]
    assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))
    assert not torch.equal(found[-1], expected[-1])  # or it was never installed


@given(
    n=st.integers(1, 3),
    high=st.integers(1, 11),
    wide=st.integers(1, 11),
    inputs=st.sampled_from([32, 40, 130]),
    outputs=st.sampled_from([32, 65, 200]),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_winograds_convolution_of_any_shape(n, high, wide, inputs, outputs, seed):
    part = layers.conv(inputs, outputs)
    layers.initialise(part, seed)
    draws = np.random.default_rng(seed)
    x = torch.from_numpy(draws.normal(size=(n, inputs, high, wide)).astype(np.float32)).requires_grad_()
    g = torch.from_numpy(draws.normal(size=(n, outputs, high, wide)).astype(np.float32))
    exact = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False).double()
    exact.weight.data = part.weight.data.double()
    twice = x.detach().double().requires_grad_()
    expected = [exact(twice), *torch.autograd.grad(exact(twice), (twice, exact.weight), g.double())]
    assert convolutions.install(part, "winograd") == 1
    found = [part(x), *torch.autograd.grad(part(x), (x, part.weight), g)]
    found[0], expected[0] = found[0].detach(), expected[0].detach()
    for a, b in zip(found, expected, strict=True):
        assert float((a.double() - b).abs().max()) < 5e-5 * float(b.abs().max())


def test_winograds_filters_follow_the_weights():
    part = layers.conv(32, 32)
    x = _images(2, 32, 6)
    for seed in range(3):
        layers.initialise(part, seed)
        part.weight.data = part.weight.data.clone()  # as replicas are pointed at the values of another state
        convolutions.install(part, "winograd") if seed == 0 else None
        with torch.no_grad():
            expected = part(x)
        torch.testing.assert_close(part(x).detach(), expected, atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        part.weight.mul_(2.0)
    torch.testing.assert_close(part(x).detach(), 2.0 * expected, atol=2e-4, rtol=1e-4)


def test_winograds_kernels_are_the_same_compiled_and_plain():
    compiled = kernels.compiled(winograd_kernels.__name__)
    draws = np.random.default_rng(0)
    for of, to, window, shape in (
        (winograd_kernels.OF_INPUT, winograd_kernels.TO_INPUT, (6, 4, 1), (2, 5, 7, 3)),
        (winograd_kernels.OF_GRADIENT, winograd_kernels.TO_OUTPUT, (4, 4, 0), (1, 3, 6, 150)),
        (winograd_kernels.OF_FILTER, winograd_kernels.TO_FILTER, (3, 3, 0), (5, 3, 3, 2)),
    ):
        n, h, w, c = shape
        maps = draws.normal(size=n * h * w * c).astype(np.float32)
        pitch = n * -(-h // window[1]) * -(-w // window[1]) * c + 7
        found = []
        for module in (compiled, winograd_kernels):
            products, back = np.zeros(36 * pitch, dtype=np.float32), np.zeros_like(maps)
            module.gather(maps, shape, of, window, products, pitch)
            module.scatter(products, pitch, to, window, back, shape)
            found.append((products, back))
        for a, b in zip(*found, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.any()


def test_other_ways_to_convolve_leave_other_layers_and_larger_maps_alone():
    net = _made(residual, 64, 3, 1)
    kinds = [part for part in net.modules() if isinstance(part, nn.Conv2d)]
    square = [part for part in kinds if part.kernel_size == (3, 3) and part.stride == (1, 1)]
    assert convolutions.install(net, "plain") == 0
    assert convolutions.install(net, "tiled") == len(square)
    wide = [part for part in square if min(part.in_channels, part.out_channels) >= 32]
    assert 0 < convolutions.install(net, "winograd") == len(wide)
    plain = nn.Sequential(layers.conv(3, 4))
    x = _images(2, 3, 16)
    expected = torch.autograd.grad(plain(x).sum(), list(plain.parameters()))
    assert convolutions.install(plain, "winograd") == 0
    convolutions.install(plain, "tiled")
    assert torch.equal(torch.autograd.grad(plain(x).sum(), list(plain.parameters()))[0], expected[0])


def test_how_to_convolve_is_settled_by_machine_precision_and_tier(monkeypatch):
    def settled(**given):
        return settle(
            NetworkParams(**{"device": "cpu", "precision": "fp32", **given}), 50_000, 0, 10, 32, 3
        ).convolutions

    monkeypatch.setattr(engines, "cpu_class", lambda: "x86 avx512f amx_bf16")
    assert (settled(), settled(precision="bf16"), settled(precision="auto")) == ("winograd", "tiled", "tiled")
    assert settled(tier="x86-portable") == settled(convolutions="plain") == "plain"
    assert settle(NetworkParams(device="cpu"), 500, 5, 2, 0, 0).convolutions == "plain"
    monkeypatch.setattr(engines, "cpu_class", lambda: "x86-64 AuthenticAMD avx512f avx512_bf16")
    assert (settled(), settled(precision="auto")) == ("winograd", "plain")
    assert settle(NetworkParams(device="cpu"), 50_000, 0, 10, 32, 3).precision == "bf16"
    monkeypatch.setattr(engines, "cpu_class", lambda: "x86-64 GenuineIntel avx512f avx512_bf16")
    assert settle(NetworkParams(device="cpu"), 50_000, 0, 10, 32, 3).precision == "fp32"
    monkeypatch.setattr(engines, "cpu_class", lambda: "x86 avx2")
    assert (settled(), settled(precision="bf16"), settled(convolutions="winograd")) == ("plain", "plain", "winograd")
    with pytest.raises(RecipeError, match="float32"):
        settled(precision="bf16", convolutions="winograd")
    with pytest.raises(RecipeError, match="CPU"):
        settled(device="cuda", convolutions="tiled")
