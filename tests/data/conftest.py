"""What tests of snapshots share: sources made of rows, and the shipped mail."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from lithify import rng, samples
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.snapshot import Snapshot
from lithify.data.snapshotting import snapshot
from lithify.data.source import Source
from lithify.store.home import Home, open_home

_NUMBERS = itertools.count()


class ListSource(Source):
    """Rows that are there already."""

    def __init__(self, rows: Sequence[Row | Problem], kind: Literal["mail", "text", "image"] = "mail") -> None:
        self.kind = kind
        self._rows = rows
        self._number = next(_NUMBERS)

    def describe(self) -> str:
        return "a list"

    def signature(self) -> str:
        return str(self._number)

    def rows(self) -> Iterator[Row | Problem]:
        yield from self._rows


def make_message(number: int, words: int = 40) -> bytes:
    """A message whose text is shared with no other number, a day later than the one before it."""
    draws = rng.bits(rng.key(7, "message", number), 0, n=words).tolist()
    text = b" ".join(b"w%x" % (draw >> 40) for draw in draws)
    month = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[number // 28 % 12]
    date = b"%d %s %d 10:00:00 +0000" % (number % 28 + 1, month, 2002 + number // 336)
    return b"Date: %s\nSubject: %d\n\n%s\n" % (date, number, text)


def make_rows(count: int, first: int = 0) -> list[Row]:
    """Rows of distinct messages, labels in turn, one a day."""
    return [
        Row(make_message(n), "ham" if n % 2 else "spam", time=1_010_000_000 + 86_400 * n, origin=f"row {n}")
        for n in range(first, first + count)
    ]


def make_pixels(number: int, size: tuple[int, int] = (12, 10), channels: int = 3) -> np.ndarray:
    """Pixels (h, w, channels) of large smooth blots that no other number has; ``size`` is (width, height)."""
    draws = rng.bits(rng.key(7, "picture", number), 0, n=4 * 4 * channels).astype(np.uint64) >> np.uint64(56)
    small = draws.astype(np.uint8).reshape(4, 4, channels)
    planes = [Image.fromarray(small[:, :, c]).resize(size, Image.Resampling.BICUBIC) for c in range(channels)]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


def make_picture(number: int, form: str = "png", size: tuple[int, int] = (12, 10)) -> bytes:
    """An encoded image with the pixels of that number."""
    stream = io.BytesIO()
    image = Image.fromarray(make_pixels(number, size))
    image.save(stream, form, **({"quality": 95} if form in ("jpeg", "webp") else {}))
    return stream.getvalue()


def put_files(root: Path, files: dict[str, bytes]) -> Path:
    """Writes files under a folder and returns it."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture(scope="session")
def pixels() -> Callable[..., np.ndarray]:
    return make_pixels


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    return make_picture


@pytest.fixture(scope="session")
def put() -> Callable[[Path, dict[str, bytes]], Path]:
    return put_files


@pytest.fixture(scope="session")
def source_of() -> type[ListSource]:
    return ListSource


@pytest.fixture(scope="session")
def message() -> Callable[..., bytes]:
    return make_message


@pytest.fixture(scope="session")
def rows() -> Callable[..., list[Row]]:
    return make_rows


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


@pytest.fixture(scope="session")
def sample_snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The shipped mail, frozen; not to be changed."""
    return snapshot(open_source(samples.mail()), open_home(tmp_path_factory.mktemp("sample") / "home"), name="sample")
