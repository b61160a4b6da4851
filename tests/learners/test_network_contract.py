"""The network keeps every promise of a learner, on images, on hashed features and on columns."""

from __future__ import annotations

import numpy as np
import pytest

from lithify import rng
from lithify.checks import Case, learner_checks, make_case, make_table_case
from lithify.checks.cases import frozen
from lithify.data.batches import Pixels, TrainingData
from lithify.data.state import State
from lithify.features.image import Image, ImageParams
from lithify.features.text import Text, TextParams
from lithify.learners.network.network import Network

TINY = {"width": 0.04, "depth": 1, "batch": 32, "epochs": 1.0, "device": "cpu", "precision": "fp32"}
TOPICS = (b"kernel patch thanks list", b"free money click prize", b"rain football garden soup")


def _texts(classes: int) -> Case:
    codes = [number % classes for number in range(40)]
    rows = [b" ".join([TOPICS[code]] * 3) + b" %d" % (number * 37) for number, code in enumerate(codes)]
    return make_case(Text(TextParams(body_bits=8, shape_bits=8)), rows, codes, grains=4)


def _images(classes: int, channels: int) -> Case:
    """Noise with a bright band at another height for each label; beside it what no camera takes."""
    side, rows = 10, 24
    features = Image(ImageParams(side=side, channels=channels))
    images = (rng.uniform(rng.key(0, "noise"), 0, rows * side * side * channels) * 120).astype(np.uint8)
    images = images.reshape(rows, side, side, channels)
    codes = np.arange(rows) % classes
    for image, code in zip(images, codes, strict=True):
        image[3 * code : 3 * code + 3] += 120
    data = TrainingData(
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
    wild = np.stack([np.full((side, side, channels), value, np.uint8) for value in (0, 255, 7)])
    facts = {"mean": [0.5] * channels, "std": [0.25] * channels}
    return Case(frozen(data), features, State({}, facts), {"pixels": Pixels.of(wild)})


CASES = {
    "images": (_images(3, 3), {"width": 0.1, "views": 6, "shift": 1, "colour": 0.1, "erase": 0.3}),
    "grey images of two labels": (_images(2, 1), {"width": 0.1, "views": 1, "optimiser": "adamw"}),
    "images in bf16": (_images(2, 3), {"width": 0.1, "views": 2, "optimiser": "sgd", "precision": "bf16"}),
    "images by Winograd": (_images(3, 3), {"width": 0.5, "views": 1, "convolutions": "winograd"}),
    "images by tiles": (_images(2, 3), {"width": 0.1, "views": 1, "convolutions": "tiled", "precision": "bf16"}),
    "two labels": (make_table_case(2, grains=4), {"dropout": 0.25}),
    "five labels": (make_table_case(5, grains=4), {"class_weight": "balanced", "optimiser": "sgd"}),
    "values": (make_table_case(0, grains=4), {"ema": 0.0, "clip": 1.0}),
    "categories alone": (make_table_case(0, numbers=False, grains=2), {}),
    "text": (_texts(2), {"fold": 6, "breadth": 3}),
    "text of three labels": (_texts(3), {"fold": 6, "breadth": 2, "optimiser": "muon"}),
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{on}-{name}")
        for on, (case, given) in CASES.items()
        for name, check in learner_checks(Network, case, {**TINY, **given})
    ],
)
def test_network(check) -> None:
    check()
