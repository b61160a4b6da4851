"""A swap fails no request, and every answer is wholly of one model."""

from __future__ import annotations

from pathlib import Path

from tests.deployment.swapping import swap_under_load


def test_no_request_fails_while_an_alias_moves(tmp_path: Path) -> None:
    answers, wrong, cut = swap_under_load(tmp_path, swaps=8)
    assert not wrong
    assert not cut
    assert len(answers) == 2
    assert min(answers.values()) > 100
