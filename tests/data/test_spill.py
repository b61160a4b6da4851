from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lithify.data import spill
from lithify.data.spill import Spill, release


def test_a_large_array_lies_in_a_file_and_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "IN_MEMORY", 10_000)
    pieces = [np.arange(n, dtype=np.uint32).reshape(-1, 1) + n for n in (3000, 0, 5, 4000)]
    large = Spill(tmp_path)
    for piece in pieces:
        large.append(piece)
    whole = large.whole()
    assert not whole.flags.owndata
    assert np.array_equal(whole, np.concatenate(pieces))
    release(whole[100:6000])
    assert np.array_equal(whole, np.concatenate(pieces))
    assert list(tmp_path.iterdir()) == []


def test_a_small_one_stays_in_memory(tmp_path: Path) -> None:
    small = Spill(tmp_path)
    small.append(np.arange(3))
    small.append(np.arange(2))
    whole = small.whole()
    release(whole)
    assert whole.tolist() == [0, 1, 2, 0, 1]


def test_released_pages_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "IN_MEMORY", 0)
    large = Spill(tmp_path)
    large.append(np.ones(8 << 20, dtype=np.uint64))
    whole = large.whole()
    before = _resident()
    assert whole.sum() == 8 << 20
    assert _resident() - before > 60 << 20
    release(whole)
    assert _resident() - before < 4 << 20


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
