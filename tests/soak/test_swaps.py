"""A million requests across a hundred swaps, and twenty workers that are killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.deployment.swapping import DEPTH, swap_under_load

pytestmark = pytest.mark.soak


@pytest.mark.timeout(3000)
def test_a_million_requests_across_a_hundred_swaps(tmp_path: Path) -> None:
    answers, wrong, cut = swap_under_load(tmp_path, swaps=100, requests=1_000_000)
    print(f"{answers.total():,} requests, {len(wrong)} wrong, {len(cut)} connections cut")
    assert not wrong
    assert not cut
    assert answers.total() >= 1_000_000
    assert min(answers.values()) > 100_000


@pytest.mark.timeout(3000)
def test_a_killed_worker_takes_only_what_it_held(tmp_path: Path) -> None:
    answers, wrong, cut = swap_under_load(tmp_path, swaps=0, kills=20, requests=200_000)
    print(f"{answers.total():,} requests, {len(wrong)} wrong, {len(cut)} connections cut, {sum(cut)} unanswered")
    assert not wrong
    assert len(cut) <= 20 * 4  # each kill ends at most the connections of one worker
    assert sum(cut) <= 20 * 4 * DEPTH
    assert answers.total() >= 200_000
