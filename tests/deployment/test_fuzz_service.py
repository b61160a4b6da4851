"""Whatever is sent to a server, it answers as documented, tells nothing of itself, and goes on as before."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.deployment.sound import Case
from tests.deployment.storm import Line, rage, served, valid


def test_a_storm_of_damaged_requests(tmp_path: Path) -> None:
    with served(tmp_path, "--max-body", "1MiB", "--log", str(tmp_path / "log")) as server:
        before, pids = valid(server.url), server.children()
        found = rage(server, 1_500, seed=1)
        assert not found.wrong, "\n".join(found.wrong[:20])
        assert len(found.statuses) > 7
        assert valid(server.url) == before
        assert server.children() == pids
        elsewhere = Case(b"GET /v1 HTTP/1.1\r\nHost: evil.example\r\n\r\n", "GET", "/v1")
        with contextlib.closing(Line(server.url)) as line:
            assert [answer.status for answer in line.ask(elsewhere)] == [403]
    said = (tmp_path / "stderr").read_text()
    assert "Traceback" not in said
    assert "failure" not in said
    assert "ERROR" not in said
    assert "/" not in (tmp_path / "log").read_text().replace("image/", "")
