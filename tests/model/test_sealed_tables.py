"""Models of tables from hostile files: refused, or as harmless as any other; never a crash, whatever was changed."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.training import tables

from lithify.data.snapshot import open_snapshot
from lithify.errors import GoldenMismatch, LithifyError, MalformedContainer, Unsupported, UsageError
from lithify.model.model import Model, open_model
from lithify.recipe import parse
from lithify.store import container
from lithify.store.home import open_home
from lithify.training.run import Settings, train

KINDS = [("tree", "three"), ("boosting", "two"), ("ensemble", "values"), ("linear", "three"), ("tree", "values")]
Meta = dict[str, Any]
Spoil = Callable[[Meta], Any]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[tuple[str, str], Model]:
    folder = tables.make(tmp_path_factory.mktemp("tables") / "home")
    home = open_home(folder)
    found = {}
    for learner, task in KINDS:
        asked = parse(tables.recipe(learner))
        settings = Settings(threads=1)
        found[learner, task] = train(home, open_snapshot(home, task), asked, source=task, settings=settings).model
    data = {key: bytes(model.data) for key, model in found.items()}
    shutil.rmtree(folder)
    return {key: open_model(each) for key, each in data.items()}


def opened(model: Model) -> tuple[Meta, dict[str, np.ndarray]]:
    file = container.unpack(bytes(model.data))
    return file.meta, {name: array.copy() for name, array in file.tensors.items()}


def setting(path: str, value: Any) -> Spoil:
    *above, last = path.split(".")

    def spoil(meta: Meta) -> None:
        for name in above:
            meta = meta[name]
        meta[last] = value

    return spoil


def field(meta: Meta, name: str) -> dict[str, str]:
    return next(each for each in meta["card"]["data"]["fields"] if each["name"] == name)


def both(one: Spoil, other: Spoil) -> Spoil:
    return lambda meta: (one(meta), other(meta))


BINS = {"edges": [1, 2.5], "margins": [1, 2, 3.5], "rows": [100, 100, 100]}
TWO, VALUES = ("boosting", "two"), ("ensemble", "values")
SPOILS: list[tuple[tuple[str, str], str, Spoil]] = [
    *((TWO, "task", setting("task", value)) for value in ("regression", "ranking", "", None, 5, ["classification"])),
    (TWO, "both tasks", both(setting("task", "regression"), setting("card.data.task", "regression"))),
    (TWO, "card's task", setting("card.data.task", "regression")),
    (VALUES, "labels", setting("labels", ["a", "b"])),
    (VALUES, "task", both(setting("task", "classification"), setting("card.data.task", "classification"))),
    (TWO, "one label more", setting("labels", ["no", "perhaps", "yes"])),
    (TWO, "kind", setting("kind", "mail")),
    (TWO, "both kinds", both(setting("kind", "mail"), setting("card.data.kind", "mail"))),
    (TWO, "both kinds are texts", both(setting("kind", "text"), setting("card.data.kind", "text"))),
    *((TWO, "features", setting("features.name", value)) for value in ("text", "text words", "tables", "", None)),
    *((TWO, "conformal", setting("conformal", value)) for value in ({}, [], 5, {"kind": "intervals"}, {"kind": []})),
    *((TWO, "coverage", setting("conformal.coverage", value)) for value in (0, 1, -1, 2, "0.9", None)),
    *((TWO, "few", setting("conformal.thresholds", v)) for v in ([], [0.5], [0.5] * 3, [2, 0], [-1, 0], ["x", 1])),
    (TWO, "held", setting("conformal.held", [True, 1])),
    (TWO, "rows", setting("conformal.rows", [0, 0])),
    (TWO, "sets and intervals", lambda meta: meta["conformal"].update(margins=[1])),
    *((VALUES, "margins", setting("conformal.margins", value)) for value in ([-1], [None], ["1"], [1, 1], [], 1)),
    *((VALUES, "edges of bins", setting("conformal.edges", value)) for value in ([0], ["0"], [None], None)),
    *((VALUES, "rows of bins", setting("conformal.rows", value)) for value in ([0], [-1], [], 100, [100, 100])),
    (VALUES, "edges that do not ascend", lambda meta: meta["conformal"].update(BINS | {"edges": [1, 1]})),
    (VALUES, "a bin of too few", lambda meta: meta["conformal"].update(BINS | {"rows": [100, 100, 3]})),
    (VALUES, "infinite bins", lambda meta: meta["conformal"].update(BINS | {"margins": [1, 2, None]})),
    *((TWO, "fields", setting("card.data.fields", value)) for value in ([], [[]], {}, [{"name": "age"}], None)),
    (TWO, "form", lambda meta: field(meta, "age").update(form="d/m")),
    (TWO, "kind of a field", lambda meta: field(meta, "age").update(kind="category")),
    (TWO, "role", lambda meta: field(meta, "age").update(role="left out")),
    (TWO, "name", lambda meta: field(meta, "age").update(name="Age")),
    (TWO, "a field more", lambda meta: meta["card"]["data"]["fields"].append({**field(meta, "age"), "name": "zz"})),
    (TWO, "fields out of order", lambda meta: meta["card"]["data"]["fields"].reverse()),
    (TWO, "a field twice", lambda meta: meta["card"]["data"]["fields"].insert(0, field(meta, "age"))),
    *((TWO, "read", setting("features.params.fields", v)) for v in ([], [["age", "number"]], [["b", "x"]], [["a"]])),
    (TWO, "another learner", setting("learner.name", "linear")),
    (TWO, "columns", lambda meta: meta["learner"]["facts"].update(columns=meta["learner"]["facts"]["columns"] + 1)),
    (TWO, "fewer columns", lambda meta: meta["learner"]["facts"].update(columns=2)),
    (("tree", "three"), "columns", lambda meta: meta["learner"]["facts"].update(columns=1 << 40)),
    (("tree", "three"), "classes", lambda meta: meta["learner"]["facts"].update(classes=2)),
    (VALUES, "no members", setting("learner.facts.members", [])),
    (VALUES, "weights", lambda meta: meta["learner"]["facts"]["members"][0].update(weight=0.9)),
    (VALUES, "itself", lambda meta: meta["learner"]["facts"]["members"][0].update(learner="ensemble")),
    *((TWO, "calibration", setting("calibration.kind", value)) for value in ("values", "temperature", [])),
    (VALUES, "calibration", setting("calibration", {"kind": "platt", "slope": 1, "offset": 0, "rows": 3})),
    *((VALUES, "edges", setting("reference.edges", v)) for v in ([], [1.0] * 18, [2.0] + [1.0] * 18, ["x"] * 19)),
    (VALUES, "reference", setting("reference", {"rows": 1, "predicted": [1], "histograms": [[1]]})),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "spoil"), [pytest.param(k, spoil, id=f"{i}-{n}") for i, (k, n, spoil) in enumerate(SPOILS)]
)
def test_a_hostile_document_is_refused(models, kind, spoil) -> None:
    meta, tensors = opened(models[kind])
    spoil(meta)
    data = container.pack("model", meta, tensors)
    with pytest.raises(MalformedContainer) as refused:
        open_model(data)
    assert len(str(refused.value)) < 1500


def test_bins_of_intervals_are_taken(models) -> None:
    meta, tensors = opened(models[VALUES])
    meta["conformal"].update(BINS)
    found = open_model(container.pack("model", meta, tensors)).predict([{"age": 20.0}, {"age": 77.0, "job": "smith"}])
    for one in found:
        low, high = one.interval or (0.0, 0.0)
        assert high - low == pytest.approx(7.0)


def test_one_row_is_explained_at_a_time(models) -> None:
    model = models[TWO]
    made = tables.columns("two", rows=2)
    frame = {name: made[name] for name in tables.FIELDS}
    one, other = ({name: cells[at] for name, cells in frame.items()} for at in (0, 1))
    for several in ([one, other], frame, []):
        with pytest.raises(UsageError, match="One row"):
            model.explain(several)
    alone = model.explain(one)
    assert model.explain([one]) == alone
    assert model.explain({name: [cell] for name, cell in one.items()}).items == alone.items


HOSTILE: tuple[Any, ...] = (None, -1, 0, 2**40, "x", "", [], {}, True, 0.5, -1e308, [None], {"a": 1})
ROWS = [{}, *({"age": 20.0 + n, "job": "smith", "note": "meeting", "seen": 1e9, "member": n % 2} for n in range(40))]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything in a document, containers included."""
    if path:
        yield path
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in below:
        yield from leaves(item, (*path, key))


def try_out(data: bytes) -> bool:
    """Whether a file is refused; one that is not has to work like any other."""
    try:
        model = open_model(data)
    except LithifyError:
        return True
    with contextlib.suppress(GoldenMismatch, Unsupported):
        model.verify()
    found = model.predict(ROWS)
    assert len(found) == len(ROWS)
    model.explain(ROWS[3])
    model.draft.importances()
    repr(model)
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_any_change_of_the_document_is_refused_or_harmless(models, kind) -> None:
    meta, tensors = opened(models[kind])
    draw = random.Random(str(kind))
    paths = [path for path in leaves(meta) if path[0] not in ("card", "reference") or draw.random() < 0.3]
    refused = 0
    for path in draw.sample(paths, min(len(paths), 90)):
        spoilt, _ = opened(models[kind])
        at: Any = spoilt
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = draw.choice(HOSTILE)
        refused += try_out(container.pack("model", spoilt, tensors))
    assert refused > 45


def spoilt_arrays(array: np.ndarray, draw: random.Random) -> Iterator[np.ndarray]:
    yield array[:-1]
    yield array[None]
    yield np.concatenate([array, array])
    yield array.astype(np.float32 if array.dtype != np.float32 else np.int32)
    limits: list[Any] = [np.nan, np.inf, -1e308] if array.dtype.kind == "f" else [np.iinfo(array.dtype).max, 0, 7]
    if array.dtype.kind == "i":
        limits += [-1, np.iinfo(array.dtype).min]
    for value in limits:
        changed = array.copy()
        changed.reshape(-1)[draw.randrange(array.size)] = value
        yield changed


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_any_change_of_a_tensor_is_refused_or_harmless(models, kind) -> None:
    """Kernels do not look at bounds: what is walked has to be proven sound before."""
    meta, tensors = opened(models[kind])
    draw = random.Random(str(kind))
    refused = tried = 0
    for name, array in tensors.items():
        for changed in spoilt_arrays(array, draw) if array.size else ():
            tried += 1
            refused += try_out(container.pack("model", meta, {**tensors, name: changed}))
        without = {other: each for other, each in tensors.items() if other != name}
        with pytest.raises(MalformedContainer):
            open_model(container.pack("model", meta, without))
    assert refused > 0.6 * tried


def test_a_lone_change_of_the_golden_scores_is_found(models) -> None:
    for model in models.values():
        meta, tensors = opened(model)
        tensors["golden/raw"][5, -1] = np.nextafter(tensors["golden/raw"][5, -1], np.inf)
        with pytest.raises(GoldenMismatch):
            open_model(container.pack("model", meta, tensors), verify=True)
