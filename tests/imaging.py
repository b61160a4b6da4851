"""Made-up pictures of three labels, and a learner of them that is quick: a linear map of a coarse grid."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from lithify import rng
from lithify.data import split
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.features.image import Image, ImageParams
from lithify.learners.base import SCORED, Learner
from lithify.media.pixels import to_pnm
from lithify.model.draft import Draft

SIDE, GRID = 16, 4
LABELS = ("blue", "green", "red")


@dataclass(frozen=True)
class PatchesParams:
    ridge: float = 1.0
    steps: int = 1


class Patches(Learner):
    """Least squares from the mean colours of a grid of 4 x 4 patches, which are the embedding too."""

    Params: ClassVar[type] = PatchesParams
    engine: ClassVar[Mapping[str, int | str]] = {"patches": 1}
    reads: ClassVar[tuple[str, ...]] = ("pixels",)

    def steps(self, data):
        return 1

    def start(self, data):
        return State({"weights": np.zeros((3 * GRID * GRID + 1, data.outputs))})

    def grain(self, state, data, step, grain):
        rows = data.train[grain :: data.grains]
        x = with_one(patches(data.blocks["pixels"].take(rows)))
        return {"xx": x.T @ x, "xy": x.T @ np.eye(data.outputs)[data.target[rows]]}

    def apply(self, state, data, step, total):
        ridge = self.params.ridge * np.eye(len(total["xx"]))
        return State({"weights": np.linalg.solve(total["xx"] + ridge, total["xy"])}, {"done": True})

    def done(self, state):
        return bool(state.facts.get("done"))

    def finish(self, state, data):
        steps = np.arange(1, 101, dtype=np.float32)
        history = np.stack([steps, 2.3 / np.sqrt(steps), 1 - 0.9 / np.sqrt(steps)], axis=1)
        return State({"weights": state.arrays["weights"], "history": history.astype(np.float32)})

    def predict(self, state, blocks):
        return self._scores(state, patches(blocks["pixels"].take(np.arange(len(blocks["pixels"])))))

    def _scores(self, state, embedding):
        raw = 12.0 * (with_one(embedding)[:, :, None] * state.arrays["weights"]).sum(axis=1)
        return raw - raw[:, :1] if raw.shape[1] == 2 else raw

    def score_all(self, state, features, fitted, contents: Sequence[bytes]):
        found = []
        for at in range(0, len(contents), SCORED):
            block = features.transform(fitted, contents[at : at + SCORED])["pixels"]
            found.append(patches(block.take(np.arange(len(block)))))
        embedding = np.concatenate(found)
        return self._scores(state, embedding), embedding.astype(np.float32)

    def contributions(self, state, blocks, column):
        pixels = blocks["pixels"].take(np.array([0]))
        weights = 12.0 * state.arrays["weights"][:, column]
        grid = patches(pixels).reshape(GRID, GRID, 3) - 0.5
        shares = (grid * weights[:-1].reshape(GRID, GRID, 3)).sum(axis=2).repeat(2, 0).repeat(2, 1) / 4.0
        return {"pixels": shares.ravel()}, float(weights[-1] + 0.5 * weights[:-1].sum())

    def audit(self, state, features, fitted, classes):
        weights = state.arrays.get("weights")
        if weights is None or weights.shape != (3 * GRID * GRID + 1, classes):
            raise MalformedContainer("The weights do not fit.")


def patches(pixels: np.ndarray) -> np.ndarray:
    size = pixels.shape[1] // GRID
    cut = pixels[:, : GRID * size, : GRID * size].reshape(len(pixels), GRID, size, GRID, size, 3)
    return cut.mean(axis=(2, 4)).reshape(len(pixels), -1) / 255.0


def with_one(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def picture(label: str, number: int, side: int = 20, labels: Sequence[str] = LABELS) -> np.ndarray:
    """A disc of the label's colour on a dim, noisy ground, (side, side, 3) uint8."""
    code = list(labels).index(label)
    noise = rng.below(rng.key(3, "picture", label, number), 0, 90, side * side * 3).reshape(side, side, 3)
    y, x = np.mgrid[:side, :side]
    shift = rng.below(rng.key(3, "at", label, number), 0, 5, 2) - 2
    disc = (x - side // 2 - shift[0]) ** 2 + (y - side // 2 - shift[1]) ** 2 < (side // 3) ** 2
    pixels = noise + 40
    pixels[disc, code % 3] += 90 + 12 * (code // 3)
    return np.clip(pixels, 0, 255).astype(np.uint8)


@dataclass
class StandInImages:
    """The face of a snapshot of pictures."""

    labels: tuple[str, ...]
    table: Any
    contents: list[bytes]
    manifest: dict[str, Any]
    home: Any = None
    kind: str = "image"
    task: str = "classification"
    digest: str = "sha256:" + "5a" * 32

    def content(self, rows):
        return [self.contents[row] for row in rows]

    def batches(self, rows, size=1024):
        for start in range(0, len(rows), size):
            yield rows[start : start + size], self.content(rows[start : start + size])

    def rows(self, side):
        return np.flatnonzero(np.isin(self.table.side, split.SIDES[side]))


def images(count: int = 120, labels: Sequence[str] = LABELS, home: Any = None, wrong: int = 0) -> StandInImages:
    """So many pictures of each label: half to learn from, and of the rest half each to calibrate and to test with.

    The first ``wrong`` test pictures of each label carry the next label.
    """
    contents, codes, sides = [], [], []
    for code, label in enumerate(labels):
        for number in range(count):
            contents.append(to_pnm(picture(label, number, labels=labels)))
            sides.append((split.TRAIN, split.TRAIN, split.CALIBRATE, split.TEST)[number % 4])
            is_wrong = sides[-1] == split.TEST and number // 4 < wrong
            codes.append((code + is_wrong) % len(labels))
    keys = np.stack([np.frombuffer(hashlib.sha256(each).digest(), dtype=np.uint8) for each in contents])
    n = len(contents)
    table = SimpleNamespace(
        key=keys,
        label=np.array(codes, dtype=np.int32),
        value=np.zeros(n),
        time=np.full(n, split.TIME_MISSING),
        weight=np.ones(n),
        group=np.arange(n),
        field_group=np.zeros(n, dtype=np.int64),
        side=np.array(sides, dtype=np.uint8),
        generation=np.zeros(n, dtype=np.uint16),
        signature=np.zeros((n, 128), dtype=np.uint16),
    )
    manifest: dict[str, Any] = {
        "kind": "image",
        "task": "classification",
        "fields": [],
        "labels": list(labels),
        "rows": {"count": n},
        "split": {"rule": "given", "reason": "the folders name the sides", "counts": {}},
        "groups": {"near_duplicate_groups": 0, "rows_in_them": 0},
        "generations": [n],
        "period": None,
        "quarantine": {},
        "copies": 0,
        "truncated": 0,
        "parent": None,
        "images": {"side": 20, "largest": 20, "smallest": 20, "channels": 3},
    }
    return StandInImages(tuple(labels), table, contents, manifest, home)


def draft(snapshot: StandInImages) -> Draft:
    """What training on the training rows makes, before it is calibrated."""
    params = ImageParams(side=SIDE, channels=3)
    features = Image(params)
    rows = snapshot.rows("train")
    fitted = features.fit([snapshot.content(rows)])
    made = Patches(PatchesParams())
    data = SimpleNamespace(
        blocks=features.transform(fitted, snapshot.content(rows)),
        train=np.arange(len(rows)),
        target=snapshot.table.label[rows],
        outputs=len(snapshot.labels),
        grains=1,
    )
    state = made.finish(made.apply(made.start(data), data, 0, made.grain(None, data, 0, 0)), data)
    return Draft(
        kind="image",
        task="classification",
        labels=snapshot.labels,
        spam="",
        learner_name="patches",
        features_params=vars(params),
        learner_params=vars(PatchesParams()),
        features_state=fitted,
        learner_state=state,
        calibration={"kind": "temperature", "slope": 1.0, "rows": 90},
        cutoffs=None,
        conformal=None,
    )
