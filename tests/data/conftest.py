"""What tests of snapshots share: sources made of rows, and the shipped mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from lithify import rng, samples
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.snapshot import Snapshot
from lithify.data.snapshotting import snapshot
from lithify.data.source import Source
from lithify.store.home import Home, open_home


class ListSource(Source):
    """Rows that are there already."""

    def __init__(self, rows: Sequence[Row | Problem], kind: Literal["mail", "text"] = "mail") -> None:
        self.kind = kind
        self._rows = rows

    def describe(self) -> str:
        return "a list"

    def signature(self) -> str:
        return str(id(self))

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
