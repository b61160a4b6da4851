"""A hundred thousand damaged requests: documented answers only, nothing told, no memory lost, nobody dead."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.deployment.storm import rage, served, valid

pytestmark = pytest.mark.soak
REQUESTS = 100_000
GROWTH = 30 << 20
"""Bytes by which a worker's own memory may grow over the last half of the storm."""
MOST = 300 << 20
"""Bytes that a worker may hold of its own at any time."""


@pytest.mark.timeout(3000)
def test_a_hundred_thousand_damaged_requests(tmp_path: Path) -> None:
    with served(tmp_path, "--max-body", "1MiB", "--log", str(tmp_path / "log")) as server:
        before, pids = valid(server.url), server.children()
        found = rage(server, REQUESTS, seed=2)
        print(
            f"{REQUESTS:,} requests in {found.seconds:.0f} s, {dict(sorted(found.statuses.items()))}, "
            f"memory {found.growth() / 2**20:+.1f} MiB, at most {found.most() >> 20} MiB"
        )
        assert not found.wrong, "\n".join(found.wrong[:20])
        assert valid(server.url) == before
        assert server.children() == pids
        assert found.growth() < GROWTH
        assert found.most() < MOST
    said = (tmp_path / "stderr").read_text()
    assert "Traceback" not in said
    assert "failure" not in said
    assert "ERROR" not in said
