"""Twenty kills of workers over many requests: only what was in flight inside them is lost."""

from __future__ import annotations

import pytest
from tests.deployment.test_supervisor import kill_under_load


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_kills_over_many_requests() -> None:
    kill_under_load(20, workers=4, clients=32, least=300_000)
