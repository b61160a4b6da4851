"""What the network learner does beyond the promises of every learner."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lithify import rng
from lithify.checks import make_table_case
from lithify.checks.common import digest
from lithify.data.batches import Hashed, Pixels, TrainingData
from lithify.data.params import read
from lithify.data.state import State
from lithify.errors import EngineMismatch, MalformedContainer, RecipeError, RunError, Unsupported
from lithify.learners.network import finishing, lookup
from lithify.learners.network.inputs import Inputs, channels_of, encode, fit_columns, folded
from lithify.learners.network.nets import registry
from lithify.learners.network.nets.drop import Drop, keyed
from lithify.learners.network.network import Network
from lithify.learners.network.params import SIZES, NetworkParams, settle, within
from lithify.learners.network.scoring import Network as Scoring
from lithify.training.executor import Threads, never

PLAIN = {"device": "cpu", "precision": "fp32"}
TINY = {**PLAIN, "width": 0.1, "depth": 1, "batch": 32, "epochs": 1.0}


def bands(rows: int = 48, side: int = 10, classes: int = 3) -> TrainingData:
    """Noise with a bright band at another height for each label."""
    images = (rng.uniform(rng.key(0, "noise"), 0, rows * side * side * 3) * 120).astype(np.uint8)
    images = images.reshape(rows, side, side, 3)
    codes = np.arange(rows) % classes
    for image, code in zip(images, codes, strict=True):
        image[3 * code : 3 * code + 3] += 120
    return TrainingData(
        blocks={"pixels": Pixels.of(images)},
        target=codes.astype(np.int32),
        weight=np.ones(rows),
        train=np.arange(rows),
        stop=np.zeros(0, dtype=np.int64),
        classes=classes,
        group=np.arange(rows),
        seed=0,
        grains=4,
    )


def trained(given: dict, data: TrainingData, threads: int = 1) -> tuple[Network, State]:
    learner = Network(read(NetworkParams, given))
    state = learner.start(data)
    with Threads(threads, never()) as pool:
        for step in range(learner.steps(data)):
            state = pool.step(learner, state, data, step)
    return learner, state


def test_images_are_learned_and_the_history_tells() -> None:
    data = bands()
    learner, state = trained({**TINY, "epochs": 12.0, "flip": "no", "shift": 0}, data)
    finished = learner.finish(state, data)
    raw = learner.predict(finished, data.blocks)
    assert (raw.argmax(axis=1) == data.target).mean() > 0.9
    history = finished.arrays["history"]
    assert history.shape == (learner.steps(data), 3)
    assert history[:, 0].tolist() == list(range(1, len(history) + 1))
    assert history[-1, 1] < history[0, 1]
    assert learner.figures(state) == {
        "loss": pytest.approx(history[-1, 1]),
        "accuracy": pytest.approx(history[-1, 2]),
        "rows_per_step": 32.0,
    }
    assert learner.figures(finished).keys() <= {"rows_per_step"}


def test_columns_are_learned() -> None:
    case = make_table_case(0, rows=400, grains=1)
    learner, state = trained({**PLAIN, "width": 0.1, "depth": 2, "batch": 32, "epochs": 8.0, "rate": 4.0}, case.data)
    raw = learner.predict(learner.finish(state, case.data), case.data.blocks)[:, 0]
    off = raw - case.data.target
    assert (off**2).mean() < 0.3 * case.data.target.var()


def test_scores_do_not_depend_on_threads() -> None:
    data = bands(rows=7)
    learner, state = trained(TINY, data)
    scoring = Scoring(learner.finish(state, data))
    one, three = scoring.both(data.blocks, threads=1), scoring.both(data.blocks, threads=3)
    assert [part.tobytes() for part in one] == [part.tobytes() for part in three]
    assert one[1].shape[0] == 7


class Own(nn.Module):
    """Someone's network: a norm, dropout, a buffer, a frozen parameter; no embedding of its own."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 6, 3), nn.BatchNorm2d(6), nn.GELU(), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(2)
        )
        self.last = nn.Linear(24, outputs)
        self.frozen = nn.Parameter(torch.full((1, 24), 2.0), requires_grad=False)
        self.register_buffer("shift", torch.full((1, 24), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.flatten(self.body(x), 1) * self.frozen + self.shift)


def own(inputs: Inputs, outputs: int) -> nn.Module:
    return Own(inputs.channels, outputs)


def forgetful(inputs: Inputs, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Dropout2d(0.5), Own(inputs.channels, outputs))


def none_at_all(inputs: Inputs, outputs: int) -> object:
    return object()


@pytest.fixture
def others(monkeypatch) -> None:
    points = [
        importlib.metadata.EntryPoint(name, f"{__name__}:{name}", registry.GROUP)
        for name in ("own", "forgetful", "none_at_all")
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group == registry.GROUP else [])
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Own.__module__])


@pytest.mark.usefixtures("others")
def test_someone_elses_network_has_the_same_bits_on_any_threads() -> None:
    data = bands(rows=24)
    digests = set()
    for threads in (1, 2, 4):
        learner, state = trained({**TINY, "net": "own", "optimiser": "adamw", "epochs": 3.0}, data, threads)
        digests.add(digest(state))
    assert len(digests) == 1
    assert not np.array_equal(state.arrays["p/net.last.bias"], np.zeros(3))
    assert state.arrays["b/net.frozen"].tolist() == [[2.0] * 24]
    finished = learner.finish(state, data)
    assert np.isfinite(learner.predict(finished, data.blocks)).all()


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(("name", "says"), [("forgetful", "draws at random"), ("none_at_all", "no torch.nn.Module")])
def test_networks_that_cannot_be_trained_are_refused(name, says) -> None:
    with pytest.raises(Unsupported, match=says):
        Network(read(NetworkParams, {**TINY, "net": name})).start(bands())


@pytest.mark.usefixtures("others")
def test_networks_go_by_their_names() -> None:
    assert registry.names() == sorted([*registry.BUILT_IN, "own", "forgetful", "none_at_all"])
    with pytest.raises(RecipeError, match="Did you mean 'small'"):
        settle(read(NetworkParams, {"net": "smal"}), 100, 0, 2, 32, 3)
    with pytest.raises(RecipeError, match="does not read this"):
        Network(read(NetworkParams, {**TINY, "net": "mlp"})).start(bands())


def test_another_machine_is_told_by_its_probe() -> None:
    data = bands(rows=8)
    learner = Network(read(NetworkParams, TINY))
    state = learner.start(data)
    learner.admit(state, data)
    with pytest.raises(EngineMismatch, match="computes other numbers"):
        learner.admit(State(state.arrays, {**state.facts, "probe": "sha256:" + "0" * 64}), data)


@pytest.mark.parametrize(
    ("arrays", "facts"),
    [
        ({"p/net.head.weight": np.nan}, {}),
        ({"history": np.inf}, {}),
        ({}, {"step": "3"}),
        ({}, {"step": True}),
        ({}, {"probe": None}),
    ],
)
def test_checkpoints_that_make_no_sense_are_refused(arrays, facts) -> None:
    data = bands(rows=8)
    learner = Network(read(NetworkParams, TINY))
    state = learner.start(data)
    wrong = {name: np.full_like(state.arrays[name], value) for name, value in arrays.items()}
    with pytest.raises(MalformedContainer):
        learner.admit(State({**state.arrays, **wrong}, {**state.facts, **facts}), data)


def test_no_row_to_learn_from() -> None:
    for data in (bands(), make_table_case(0, grains=4).data, make_table_case(3, grains=4).data):
        none = data.only(np.zeros(0, dtype=np.int64))
        learner, state = trained(TINY, none)
        assert np.isfinite(learner.predict(learner.finish(state, none), none.blocks)).all()


def test_graph_and_module_must_agree() -> None:
    ours = np.array([[0.0, 1.0], [2.0, 0.0]])
    finishing.check(ours, ours + 1e-4)
    for theirs in (ours + 0.1, np.full_like(ours, np.nan), ours[:, ::-1]):
        with pytest.raises(RunError, match="does not compute"):
            finishing.check(ours, theirs)


def test_weights_count() -> None:
    data = bands(rows=24)
    halved = replace(data, weight=np.full(24, 0.5))
    other = replace(data, weight=np.where(np.arange(24) < 12, 1.0, 3.0))
    digests = [digest(trained(TINY, each)[1]) for each in (data, halved, other)]
    assert digests[0] == digests[1] != digests[2]


def test_what_is_settled_suits_the_data() -> None:
    images = settle(NetworkParams(), 50_000, 0, 10, 32, 3)
    assert (images.net, images.batch, images.flip, images.views) == ("small", 1024, "yes", 2)
    assert images.decay == pytest.approx(2e-6 * 1024)
    assert settle(NetworkParams(), 60_000, 0, 10, 28, 1).flip == "no"
    assert settle(NetworkParams(), 60_000, 0, 10, 28, 1).views == 1
    assert settle(NetworkParams(), 9000, 0, 1000, 400, 3).net == "residual"
    table = settle(NetworkParams(), 5000, 9, 0, 0, 0)
    assert (table.net, table.precision, table.optimiser, table.shift) == ("mlp", "fp32", "adamw", 0)
    assert settle(NetworkParams(tier="x86-portable", device="cpu"), 50_000, 0, 10, 32, 3).precision == "fp32"


@pytest.mark.parametrize(("seconds", "width"), [(1, 0.5), (20, 0.5), (120, 0.5), (600, 1.0), (2000, 1.5), (1e6, 2.0)])
def test_a_budget_picks_steps_and_size(seconds, width) -> None:
    asked = settle(NetworkParams(**PLAIN), 50_000, 0, 10, 32, 3)
    found = within(asked, seconds, 1.2)
    cost = next(size.cost for size in SIZES["small"] if (size.width, size.depth) == (found.width, found.depth))
    assert found.steps * 1.2 * cost <= max(seconds, 1.2)
    assert found.epochs == pytest.approx(found.steps * 1024 / 50_000, rel=0.01)
    assert found.epochs <= 61
    assert found.width == width
    assert settle(found, 50_000, 0, 10, 32, 3) == found


def test_a_budget_leaves_time_for_what_follows() -> None:
    asked = settle(NetworkParams(**PLAIN), 50_000, 0, 10, 32, 3)
    found = within(asked, 300.0, 1.0)
    assert found.width == asked.width
    assert 12.0 <= 300.0 - found.steps * 1.0 <= 40.0
    more = within(replace(asked, views=6), 300.0, 1.0)
    assert more.steps < found.steps


def test_settling_and_predicting_load_no_torch() -> None:
    """Recipes are resolved where nothing is trained, and models are served without torch."""
    code = """
import json, sys
from lithify.learners.network import audit, explaining, lookup, scoring
from lithify.learners.network.network import Network
from lithify.learners.network.params import NetworkParams
params = Network.settle(NetworkParams(), 100, 0, 2, 32, 3)
loaded = sorted({"torch"} & set(sys.modules))
print(json.dumps([dict(Network.fingerprint(params)), dict(Network.needs(params)), loaded]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    prints, needs, loaded = json.loads(done.stdout)
    assert prints["network.torch"] == importlib.metadata.version("torch")
    assert needs["OMP_NUM_THREADS"] == "1"
    assert "MALLOC_TRIM_THRESHOLD_" in needs
    assert loaded == []


def test_dropout_is_of_its_key_alone() -> None:
    drop, x = Drop(0.5).train(), torch.ones(40, 50)
    with keyed(3):
        first, second = drop(x), drop(x)
    with keyed(3):
        again = drop(x)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert set(first.unique().tolist()) == {0.0, 2.0}
    assert 0.45 < float(first.mean()) / 2.0 < 0.55
    assert torch.equal(drop.eval()(x), x)


def test_bags_are_sums_of_whole_numbers() -> None:
    block = Hashed(np.array([0, 3, 3, 5]), np.array([0, 5, 12, 3, 13], np.uint32), 14)
    assert channels_of(14) == [0, 8, 12, 14]
    front = {"table": rng.below(rng.key(0, "t"), 0, 200, 32).astype(np.int16).reshape(16, 2) - 100}
    front["scale"] = np.array([0.5, 2.0])
    inputs = Inputs("hashed", buckets=14, width=6)
    found = lookup.vectors(inputs, {}, front, {"hashed": block})
    at = folded(block.index, 4)
    expected = np.zeros((3, 6))
    expected[0, :2] = front["table"][at[[0, 1]]].sum(axis=0) / np.sqrt(2.0) * front["scale"]
    expected[0, 4:] = front["table"][at[2]] * front["scale"]
    expected[2, :2] = front["table"][at[3]] * front["scale"]
    expected[2, 4:] = front["table"][at[4]] * front["scale"]
    assert np.allclose(found, expected)
    shares = lookup.bucket_vectors(front, block, 0, 6)
    assert np.allclose(shares.sum(axis=0), found[0])


def test_columns_are_encoded_by_training_rows_alone() -> None:
    case = make_table_case(2)
    some = np.arange(50)
    encoding = fit_columns(case.data.blocks, some)
    cells = case.data.blocks["numbers"].values.copy()
    cells[50:] = 1e9
    changed = {**case.data.blocks, "numbers": replace(case.data.blocks["numbers"], values=cells)}
    again = fit_columns(changed, some)
    assert all(np.array_equal(encoding[name], again[name]) for name in encoding)
    x = encode(encoding, changed, np.arange(96))
    assert np.isfinite(x).all()
    assert np.abs(x).max() <= 4.0
