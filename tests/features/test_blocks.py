"""Blocks made piece by piece: the same as in one go, kept in the cache, made again when damaged."""

from __future__ import annotations

import numpy as np
import pytest

from lithify.data import spill
from lithify.data.snapshot import open_snapshot
from lithify.features import blocks
from lithify.features.text import Text, TextParams
from lithify.progress import silent

FEATURES = Text(TextParams(body_bits=8, shape_bits=8))


@pytest.fixture
def snap(home):
    return open_snapshot(home, "text")


def _assemble(home, snap, interrupt=lambda: None):
    rows = np.arange(3, len(snap))
    return blocks.assemble(snap, rows, FEATURES, FEATURES.fit([]), home.cache, silent, interrupt)["hashed"]


def _bytes(block) -> tuple[bytes, bytes]:
    return block.start.tobytes(), block.index.tobytes()


@pytest.mark.parametrize("in_memory", [1 << 20, 0])
@pytest.mark.parametrize("size", [1, 7, 50])
def test_pieces_give_the_block_of_one_go(home, snap, monkeypatch, size, in_memory) -> None:
    whole = _bytes(_assemble(home, snap))
    assert not list(home.cache.iterdir())
    monkeypatch.setattr(blocks, "PIECE_ROWS", size)
    monkeypatch.setattr(spill, "IN_MEMORY", in_memory)
    assert _bytes(_assemble(home, snap)) == whole
    monkeypatch.setattr(FEATURES.__class__, "transform", lambda *_: pytest.fail("it was in the cache"))
    assert _bytes(_assemble(home, snap)) == whole


def test_a_damaged_piece_is_made_again(home, snap, monkeypatch) -> None:
    whole = _bytes(_assemble(home, snap))
    monkeypatch.setattr(blocks, "PIECE_ROWS", 40)
    _assemble(home, snap)
    for number, path in enumerate(sorted(home.cache.rglob("*.block"))):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if number else data[:-1] + b"\1")
    assert _bytes(_assemble(home, snap)) == whole


def test_pieces_that_were_made_stay(home, snap, monkeypatch) -> None:
    """Whoever ends the work after every single piece still comes to the end."""
    whole = _bytes(_assemble(home, snap))
    monkeypatch.setattr(blocks, "PIECE_ROWS", 30)

    def stop() -> None:
        raise InterruptedError

    for _ in range(4):
        with pytest.raises(InterruptedError):
            _assemble(home, snap, stop)
    assert _bytes(_assemble(home, snap, stop)) == whole
