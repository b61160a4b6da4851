"""Opening a model: damage, lies and nonsense are refused before anything is made of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lithify.errors import (
    GoldenMismatch,
    IntegrityError,
    LithifyError,
    MalformedContainer,
    NewerFormat,
    NotFound,
    Unsupported,
)
from lithify.model.model import open_model
from lithify.store import container

Meta, Tensors = dict[str, Any], dict[str, Any]


def test_every_flipped_byte_is_refused(trained) -> None:
    data = bytearray(trained["mail"].data)
    open_model(bytes(data), verify=True)
    accepted = []
    for at in range(len(data)):
        data[at] ^= 1 << (at % 8)
        try:
            open_model(bytes(data))
            accepted.append(at)
        except IntegrityError:
            pass
        data[at] ^= 1 << (at % 8)
    assert accepted == []


def test_every_cut_is_refused(trained) -> None:
    data = bytes(trained["mail"].data)
    for length in [*range(0, 200), *range(200, len(data), 97)]:
        with pytest.raises(IntegrityError):
            open_model(data[:length])
    with pytest.raises(IntegrityError):
        open_model(data + b"\0")


def test_a_missing_file_and_a_folder(tmp_path) -> None:
    with pytest.raises(NotFound):
        open_model(tmp_path / "nothing.lith")
    with pytest.raises(NotFound):
        open_model(tmp_path)


def test_another_kind_of_container() -> None:
    with pytest.raises(MalformedContainer, match="another kind"):
        open_model(container.pack("checkpoint", {}, {}))


def _set(path: str, value: Any) -> Callable[[Meta, Tensors], None]:
    *above, last = path.split(".")

    def spoil(meta: Meta, tensors: Tensors) -> None:
        for name in above:
            meta = meta[name]
        if value is KeyError:
            del meta[last]
        else:
            meta[last] = value

    return spoil


def _tensor(name: str, change: Callable[[Any], Any]) -> Callable[[Meta, Tensors], None]:
    def spoil(meta: Meta, tensors: Tensors) -> None:
        changed = change(tensors.get(name))
        if changed is None:
            del tensors[name]
        else:
            tensors[name] = changed

    return spoil


HOSTILE_JSON = {
    "kind": [5, "image", "text", None, KeyError],
    "labels": [[], ["ham"], ["spam", "ham"], ["ham", "ham"], ["ham", 5], [["ham"], "spam"], "ham", KeyError],
    "spam": [5, "egg", None],
    "surprise": [1],
    "features": [[], {}],
    "features.name": ["text", "os.system", 5],
    "features.facts": [{"a": 1}, []],
    "features.params": [{"no_such": 1}, []],
    "features.params.body_bits": [24, 25, 10**9, -1, 0, 8.5, "8", True, None, [8]],
    "features.params.read": [-1, 0, 1 << 40, "x", float(2**60)],
    "features.params.shape_size": [0, 8, 64],
    "features.params.__class__": [1],
    "learner.name": ["os:system", "", "tree", 5, {}],
    "learner.facts": [{"a": 1}],
    "learner.params": [{"no_such": 1}, 5],
    "learner.params.steps": [-1, 0, 10**12, "6", True],
    "learner.params.C": [-1, "x", 1e300],
    "calibration": [{}, {"kind": "none"}, {"kind": []}, {"kind": "temperature", "slope": 1, "rows": 3}],
    "calibration.slope": ["1", -1, 0, None, True],
    "calibration.extra": [1],
    "cutoffs": [{}, [], 5],
    "cutoffs.spam": ["x", -5, 7, None],
    "cutoffs.unsure": [1.5, -1],
    "cutoffs.text": ["<script>", [5]],
    "golden": [{}, {"revision": 1}],
    "golden.revision": ["1", None],
    "golden.tolerance": [-1, 1, 5.0, "0", None],
    "reference.predicted": [[1], [1, 2, 3], ["a", "b"]],
    "reference.histograms": [[], [[1], [2]], 5],
    "card": [{}, [], None],
    "card.data.snapshot": ["../../etc/passwd", "sha256:", 5],
    "card.data": [{}],
    "card.test.metrics": [5, {"accuracy": 1}, {"accuracy": {"value": "x", "low": 0, "high": 1}}],
    "card.limits": ["text", [5]],
    "card.engine": [{"linear": [1]}],
}
SPOILT_TENSORS = {
    "learner/weights": [
        lambda w: w[:-1],
        lambda w: w[:0],
        lambda w: w.astype(np.int32),
        lambda w: w.astype(np.float64),
        lambda w: w.reshape(-1),
        lambda w: np.concatenate([w, w], axis=1),
        lambda w: np.concatenate([w, w], axis=0),
        lambda w: None,
    ],
    "learner/bias": [lambda b: b[:0], lambda b: b * np.nan, lambda b: b.astype(np.float32), lambda b: None],
    "learner/scale": [lambda s: s[None], lambda s: s * np.inf, lambda s: None],
    "learner/extra": [lambda _: np.zeros(3)],
    "features/extra": [lambda _: np.zeros(3)],
    "stranger": [lambda _: np.zeros(3)],
    "golden/raw": [lambda g: g[:-1], lambda g: g.astype(np.float32), lambda g: g.T.copy(), lambda g: None],
}
SPOILS = [(f"{path}={value!r}", _set(path, value)) for path, values in HOSTILE_JSON.items() for value in values] + [
    (f"{name}-{i}", _tensor(name, change))
    for name, changes in SPOILT_TENSORS.items()
    for i, change in enumerate(changes)
]


@pytest.mark.parametrize("spoil", [pytest.param(spoil, id=name[:60]) for name, spoil in SPOILS])
def test_a_hostile_file_is_refused(parts, spoil) -> None:
    """Sealed as it should be, and still no model; and nothing large is made on its word."""
    meta, tensors = parts
    spoil(meta, tensors)
    data = container.pack("model", meta, tensors)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedContainer) as refused:
            open_model(data)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert len(str(refused.value)) < 1500


def test_wrong_golden_scores_are_found(parts) -> None:
    meta, tensors = parts
    tensors["golden/raw"][3, 1] = np.nextafter(tensors["golden/raw"][3, 1], np.inf)
    data = container.pack("model", meta, tensors)
    open_model(data)
    with pytest.raises(GoldenMismatch, match="does not score its golden inputs"):
        open_model(data, verify=True)


def test_golden_scores_that_are_no_numbers_are_found(parts) -> None:
    meta, tensors = parts
    tensors["golden/raw"][:] = np.nan
    with pytest.raises(GoldenMismatch):
        open_model(container.pack("model", meta, tensors), verify=True)


def test_wrong_weights_are_found(parts) -> None:
    meta, tensors = parts
    tensors["learner/weights"][:] += 1
    with pytest.raises(GoldenMismatch):
        open_model(container.pack("model", meta, tensors), verify=True)


def test_golden_inputs_of_another_revision(parts) -> None:
    meta, tensors = parts
    meta["golden"]["revision"] = 99
    with pytest.raises(LithifyError, match="another revision"):
        open_model(container.pack("model", meta, tensors), verify=True)


@pytest.mark.parametrize("code", ["features.mail", "learner.linear", "calibration"])
def test_codes_of_another_revision(parts, code) -> None:
    meta, tensors = parts
    revision = meta["card"]["engine"][code]
    meta["card"]["engine"][code] = revision + 1
    with pytest.raises(NewerFormat, match="sealed by a newer Lithify"):
        open_model(container.pack("model", meta, tensors))
    meta["card"]["engine"][code] = revision - 1
    with pytest.raises(Unsupported, match="sealed by other code"):
        open_model(container.pack("model", meta, tensors))
    del meta["card"]["engine"][code]
    with pytest.raises(Unsupported):
        open_model(container.pack("model", meta, tensors))


def test_nothing_of_the_rows_is_inside(trained) -> None:
    """Neither contents nor addresses, paths or keys: every row carries a canary in each of them."""
    for model in trained.values():
        data = bytes(model.data)
        for canary in (b"xylograph", b"canary", b"example.com>", b"texts.csv", b"/tmp", b"sender"):
            assert canary not in data


def test_no_key_of_a_row_is_inside(trained, made) -> None:
    from lithify.data.snapshot import open_snapshot
    from lithify.store.home import open_home

    home = open_home(made)
    for kind, model in trained.items():
        data = bytes(model.data)
        for key in open_snapshot(home, kind).table.key:
            assert key.tobytes()[:8] not in data
            assert key.tobytes().hex()[:12].encode() not in data
