"""Peers of ``images``: what a person writes who follows the tutorials, under a limit of time.

Every function gets the folder with ``train/<class>`` and ``test/<class>`` and returns what was reached. Reading the
files counts as training time, as it does for Lithify.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
Reached = dict[str, Any]


def pytorch(folder: Path, seconds: float) -> Reached:
    """The common CIFAR-10 loop: ResNet-18 for 32 pixels, DataLoader with two workers, PIL, SGD, float32."""
    import torch
    from torch.utils.data import DataLoader

    from benchmarks.images_resnet import resnet18

    began = time.monotonic()
    torch.manual_seed(0)
    train, test = _Files(folder / "train", augment=True), _Files(folder / "test", augment=False)
    model = resnet18(len(train.classes))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    loss = torch.nn.CrossEntropyLoss()
    seen = 0
    while time.monotonic() - began < seconds:
        for pixels, target in DataLoader(train, batch_size=128, shuffle=True, num_workers=2):
            optimizer.zero_grad()
            loss(model(pixels), target).backward()
            optimizer.step()
            seen += len(target)
            if time.monotonic() - began >= seconds:
                break
    fit = time.monotonic() - began
    model.eval()
    right, taken = 0, time.perf_counter()
    with torch.no_grad():
        for pixels, target in DataLoader(test, batch_size=100):
            right += int((model(pixels).argmax(1) == target).sum())
    taken = time.perf_counter() - taken
    return {"accuracy": right / len(test), "fit": fit, "seen": seen, "predict": len(test) / taken}


class _Files:
    """A dataset of files: opened with PIL, cropped and mirrored at random, made a tensor and normalised."""

    def __init__(self, folder: Path, augment: bool) -> None:
        self.classes = sorted(path.name for path in folder.iterdir())
        self.files = [
            (path, code) for code, name in enumerate(self.classes) for path in sorted((folder / name).iterdir())
        ]
        self.augment = augment

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, at: int) -> tuple[Any, int]:
        import torch
        from PIL import Image, ImageOps

        path, code = self.files[at]
        with Image.open(path) as image:
            picture = image.convert("RGB")
        if self.augment:
            left, top = (int(torch.randint(0, 9, ()).item()) for _ in range(2))
            picture = ImageOps.expand(picture, 4).crop((left, top, left + 32, top + 32))
            if torch.rand(()).item() < 0.5:
                picture = ImageOps.mirror(picture)
        values = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float().div(255.0)
        return (values - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None], code


def keras(folder: Path, seconds: float) -> Reached:
    """The Keras tutorial's convolutional network, with its data in memory and its usual augmentation."""
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras as k

    began = time.monotonic()
    k.utils.set_random_seed(0)
    (x, y), (tx, ty) = (_arrays(folder / side) for side in ("train", "test"))
    layers: list[Any] = [k.layers.RandomFlip("horizontal"), k.layers.Rescaling(1 / 255)]
    for filters in (32, 64, 64):
        layers += [k.layers.Conv2D(filters, 3, activation="relu", padding="same"), k.layers.MaxPooling2D()]
    layers += [k.layers.Flatten(), k.layers.Dense(64, activation="relu"), k.layers.Dense(int(y.max()) + 1)]
    model = k.Sequential([k.Input(x.shape[1:]), *layers])
    model.compile("adam", k.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])

    class Limit(k.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if time.monotonic() - began >= seconds:
                self.model.stop_training = True

    history = model.fit(x, y, batch_size=64, epochs=1000, verbose=0, callbacks=[Limit()])
    fit, taken = time.monotonic() - began, time.perf_counter()
    predicted = model.predict(tx, batch_size=100, verbose=0).argmax(1)
    taken = time.perf_counter() - taken
    seen = len(history.epoch) * len(x)
    return {"accuracy": float((predicted == ty).mean()), "fit": fit, "seen": seen, "predict": len(ty) / taken}


def hog(folder: Path, seconds: float) -> Reached:
    """Histograms of oriented gradients and a linear classifier."""
    from skimage.feature import hog as describe
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def described(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        each: Callable[[Any], Any] = lambda image: describe(image, 9, (8, 8), (2, 2), channel_axis=-1)  # noqa: E731
        return np.stack([each(image) for image in pixels])

    began = time.monotonic()
    x, y = _arrays(folder / "train")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100)).fit(described(x), y)
    fit = time.monotonic() - began
    tx, ty = _arrays(folder / "test")
    taken = time.perf_counter()
    predicted = model.predict(described(tx))
    taken = time.perf_counter() - taken
    return {"accuracy": float((predicted == ty).mean()), "fit": fit, "seen": len(y), "predict": len(ty) / taken}


def _arrays(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels and codes of a folder, by PIL."""
    from PIL import Image

    def opened() -> Iterator[tuple[NDArray[np.uint8], int]]:
        for code, name in enumerate(sorted(path.name for path in folder.iterdir())):
            for path in sorted((folder / name).iterdir()):
                with Image.open(path) as image:
                    yield np.array(image.convert("RGB")), code

    pixels, codes = zip(*opened(), strict=True)
    return np.stack(pixels), np.array(codes)
