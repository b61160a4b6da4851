"""Tracing: a graph computes what the module does, whatever it is made of; what it cannot say it names."""

from __future__ import annotations

import numpy as np
import pytest

from lithify.errors import Unsupported
from lithify.learners.network.graph.session import Session

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from lithify.learners.network.graph.trace import trace  # noqa: E402


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class Calls(nn.Module):
    """A module made of one function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def settled(module):
    """With running statistics and scales that do something."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
        if getattr(layer, "weight", None) is not None and isinstance(
            layer, nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm
        ):
            nn.init.uniform_(layer.weight, 0.5, 2.0)
    return module


def agrees(module, x, atol=1e-5):
    """Traces, computes and compares; gives the graph."""
    module.train()
    graph, arrays = trace(module, {"x": x}, ("raw",))
    assert module.training
    found = Session(graph, arrays).run({"x": x.numpy()})["raw"]
    with torch.no_grad():
        expected = module.eval()(x).numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=atol)
    return graph


IMAGES, ROWS = (2, 4, 9, 8), (3, 6)
LAYERS = [
    (nn.Conv2d(4, 6, 3), IMAGES),
    (nn.Conv2d(4, 6, (3, 2), stride=2, padding=(1, 0), dilation=(2, 1), groups=2, bias=False), IMAGES),
    (nn.Conv2d(4, 6, (5, 3), padding="same", dilation=(1, 2)), IMAGES),
    (nn.Conv2d(4, 6, 3, padding="valid"), IMAGES),
    (nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), IMAGES),
    (nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode="replicate"), IMAGES),
    (nn.Conv1d(6, 4, 3, padding=1), (2, 6, 9)),
    (nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6)), IMAGES),
    (nn.Sequential(nn.Conv2d(4, 6, 3), nn.MaxPool2d(2), nn.BatchNorm2d(6), nn.GELU()), IMAGES),
    (nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.SiLU()), ROWS),
    (nn.Sequential(nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5, affine=False)), ROWS),
    (nn.BatchNorm2d(4), IMAGES),
    (nn.Linear(8, 3), IMAGES),
    (nn.LayerNorm(6), ROWS),
    (nn.LayerNorm((9, 8), bias=False), IMAGES),
    (nn.LayerNorm(8, elementwise_affine=False), IMAGES),
    (nn.GroupNorm(2, 4), IMAGES),
    (nn.GroupNorm(1, 4, affine=False), IMAGES),
    (nn.MaxPool2d(3, stride=2, padding=1), IMAGES),
    (nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGES),
    (nn.AvgPool2d((2, 3)), IMAGES),
    (nn.AdaptiveAvgPool2d(1), IMAGES),
    (nn.AdaptiveAvgPool2d((3, None)), IMAGES),
    (nn.AdaptiveMaxPool2d((1, 1)), IMAGES),
    (nn.Flatten(), IMAGES),
    (nn.ReflectionPad2d(2), IMAGES),
    (nn.ZeroPad2d((1, 0, 2, 3)), IMAGES),
    *[(layer, ROWS) for layer in (
        nn.ReLU(inplace=True), nn.ReLU6(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.ELU(0.7),
        nn.LeakyReLU(0.2), nn.Softplus(), nn.Hardswish(), nn.Hardsigmoid(), nn.Hardtanh(-0.5, 0.7), nn.Mish(),
        nn.Softmax(1), nn.LogSoftmax(-1), nn.Sequential(nn.Dropout(0.9), nn.ReLU(), nn.Identity()),
    )],
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: str(value).split("(")[0])
def test_layers(layer, shape) -> None:
    agrees(settled(layer), torch.randn(shape))


FUNCTIONS = [
    (lambda x: (x - 1.5) * 2 / (x * x + 1) + 3 - x, ROWS),
    (lambda x: 1 - x.neg() + torch.add(x, x, alpha=2) - torch.sub(2, x), ROWS),
    (lambda x: F.relu(x) + torch.sigmoid(x) + x.tanh() + torch.exp(x).sqrt() + (x**2 + 1).rsqrt() + x.abs(), ROWS),
    (lambda x: x.clamp(-0.3) + torch.clamp(x, max=0.2) + torch.maximum(x, -x) + F.gelu(x) + F.silu(x), ROWS),
    (lambda x: x.mean((2, 3)) + x.amax(dim=(2, 3)) + x.sum(dim=[-2, -1]) + x.mean(dim=3).amax(2), IMAGES),
    (lambda x: x - x.mean(1, keepdim=True) + x.mean(dim=(2, 3), keepdim=True) + x.sum(-1, keepdim=True), IMAGES),
    (lambda x: x.view(x.size(0), -1) + x.reshape((x.shape[0], -1)) + torch.flatten(x, 1), IMAGES),
    (lambda x: x.permute(0, 2, 3, 1).contiguous().transpose(1, 2).flatten(2), IMAGES),
    (lambda x: torch.cat([x, x.flatten(1).unsqueeze(-1).view(2, 4, 9, 8)], dim=1), IMAGES),
    (lambda x: torch.stack([x[:, 0], x[:, -1]], 1).squeeze(), IMAGES),
    (lambda x: x[:, 1:3, ::2, 3] + x[..., 0:9:2, 0][:, :1], IMAGES),
    (lambda x: x[:, None, :2], ROWS),
    (lambda x: F.pad(x, (1, 2, 0, 1)) + F.pad(x, (2, 1, 1, 0), mode="reflect"), IMAGES),
    (lambda x: F.pad(x, (3, 0, 1, 0), value=2.0), IMAGES),
    (lambda x: F.max_pool2d(x, 2) * F.avg_pool2d(x, 2, stride=2) + F.adaptive_avg_pool2d(x, 1), IMAGES),
    (lambda x: x.chunk(2, dim=1)[0] * x.chunk(2, 1)[1] + x.split([2, 2], 1)[1], IMAGES),
    (lambda x: torch.where(x > 0.1, x, -1.0) + torch.nan_to_num(x / x.isnan().float().add(1)), ROWS),
    (lambda x: (x < 0).to(torch.float32) + (x > 0).float(), ROWS),
    (lambda x: F.scaled_dot_product_attention(x, x * 2, x + 1), IMAGES),
    (lambda x: x @ x.transpose(-1, -2), IMAGES),
    (lambda x: torch.softmax(x, dim=-1) + F.log_softmax(x, 1) + F.layer_norm(x, (8,)), IMAGES),
]  # fmt: skip


@pytest.mark.parametrize(("function", "shape"), FUNCTIONS)
def test_functions_and_methods(function, shape) -> None:
    agrees(Calls(function), torch.randn(shape))


class Residual(nn.Module):
    """Two convolutions around which the input passes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.one, self.other = (nn.BatchNorm2d(width) for _ in range(2))

    def forward(self, x):
        return F.relu(self.other(self.second(F.relu(self.one(self.first(x))))) + x)


class Net(nn.Module):
    """A small residual network that gives its embedding apart."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 2), nn.BatchNorm2d(8)
        self.blocks = nn.Sequential(Residual(8), nn.MaxPool2d(2), Residual(8))
        self.head = nn.Linear(8, 5)
        self.scale = scale

    def embed(self, x):
        return self.blocks(F.gelu(self.norm(self.stem(x)))).amax((2, 3))

    def forward(self, x):
        return self.head(self.embed(x)) * self.scale


def test_a_network_with_an_embedding() -> None:
    net, x = settled(Net()), torch.randn(4, 3, 10, 10)
    graph, arrays = trace(net, {"pixels": x})
    assert [(v.name, v.shape) for v in graph.outputs] == [("raw", (4, 5)), ("embedding", (4, 8))]
    found = Session(graph, arrays).run({"pixels": x.numpy()})
    with torch.no_grad():
        embedding = net.eval().embed(x)
        np.testing.assert_allclose(found["embedding"], embedding.numpy(), atol=1e-5)
        np.testing.assert_allclose(found["raw"], net.head(embedding).numpy(), atol=1e-5)


def test_normalisation_is_folded_where_it_follows_a_convolution() -> None:
    graph, arrays = trace(settled(Net()), {"x": torch.randn(1, 3, 10, 10)})
    assert "BatchNormalization" not in [node.op for node in graph.nodes]
    assert not any("running" in name or "norm" in name for name in arrays)
    net = settled(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 3)))
    assert "BatchNormalization" in [node.op for node in agrees(net, torch.randn(1, 3, 5, 5)).nodes]


def test_a_layer_used_twice_is_not_folded_into() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

        def forward(self, x):
            return self.norm(self.conv(x)) + self.conv(x * 2)

    agrees(settled(Twice()), torch.randn(2, 3, 5, 5))


def test_a_head_that_is_not_what_forward_does_is_refused() -> None:
    with pytest.raises(Unsupported, match="head"):
        trace(Net(scale=2.0), {"x": torch.randn(2, 3, 10, 10)})


def test_several_inputs_codes_and_numbers() -> None:
    class Columns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.codes, self.bag = nn.Embedding(7, 3), nn.EmbeddingBag(9, 4, mode="sum")
            self.out = nn.Linear(9, 2)

        def forward(self, numbers, codes, words, unused=None):
            return self.out(torch.cat([numbers, self.codes(codes[:, 0]), self.bag(words)], 1))

    net = Columns()
    inputs = {"n": torch.randn(4, 2), "c": torch.randint(0, 7, (4, 1)), "w": torch.randint(0, 9, (4, 5))}
    graph, arrays = trace(net, inputs)
    found = Session(graph, arrays).run({name: tensor.numpy() for name, tensor in inputs.items()})
    with torch.no_grad():
        np.testing.assert_allclose(found["raw"], net(*inputs.values()).numpy(), atol=1e-5)
    np.testing.assert_array_equal(found["raw"], found["embedding"])


@pytest.mark.parametrize(
    ("module", "shape", "says"),
    [
        (nn.Sequential(nn.ReLU(), nn.PReLU()), ROWS, r"PReLU \(1\)"),
        (nn.Sequential(nn.Conv2d(4, 2, 3), nn.InstanceNorm2d(2)), IMAGES, r"InstanceNorm2d \(1\)"),
        (nn.MaxPool2d(2, ceil_mode=True), IMAGES, "ceil_mode"),
        (Calls(lambda x: x.cumsum(1)), ROWS, "Tensor.cumsum"),
        (Calls(lambda x: torch.fft.fft(x)), ROWS, "fft_fft"),
        (Calls(lambda x: x if x.sum() > 0 else -x), ROWS, "cannot be traced"),
        (Calls(lambda x: torch.div(x, 2, rounding_mode="floor")), ROWS, "div"),
        (Calls(lambda x: x**3), ROWS, "square"),
        (Calls(lambda x: (x, x)), ROWS, "one tensor"),
        (nn.BatchNorm2d(4, track_running_stats=False), IMAGES, "running statistics"),
    ],
)
def test_what_has_no_counterpart_is_named(module, shape, says) -> None:
    with pytest.raises(Unsupported, match=says):
        trace(module, {"x": torch.randn(shape)})
