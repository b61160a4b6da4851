"""The other end of ``deaths.py``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Storm:
    """Trains in children that are killed, in a home of its own."""

    def __init__(self, made: Path, folder: Path, recipe: dict[str, Any], snapshot: str = "mail") -> None:
        self.made, self.folder, self.count = made, folder, 0
        self.points = 0
        script = Path(__file__).with_name("deaths.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.turn(recipe, snapshot)

    def turn(self, recipe: dict[str, Any], snapshot: str) -> None:
        """From now on another recipe is trained; compiles and warms up what it needs."""
        self.recipe, self.snapshot = recipe, snapshot
        self._say(self.fresh(), warm=True)
        assert "sha256:" in self._hear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def fresh(self) -> Path:
        """A home in which nothing was trained yet."""
        self.count += 1
        return Path(shutil.copytree(self.made, self.folder / f"storm-{self.count}"))

    def train(
        self, home: Path, threads: int = 1, point: int = 0, after: float | None = None, processes: int = 1
    ) -> str:
        """The digest of the model, or ``killed``, or what went wrong."""
        self._say(home, threads, point, after, processes)
        heard: str = json.loads(self._hear())
        said, _, points = heard.rpartition(" ")
        if not said.startswith("sha256:"):
            return heard
        self.points = int(points)
        return said

    def _say(
        self,
        home: Path,
        threads: int = 1,
        point: int = 0,
        after: float | None = None,
        processes: int = 1,
        warm: bool = False,
    ) -> None:
        job = {"home": str(home), "threads": threads, "point": point, "after": after, "warm": warm}
        job |= {"processes": processes}
        job |= {"recipe": self.recipe, "snapshot": self.snapshot}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()

    def _hear(self) -> str:
        return self.process.stdout.readline().strip()
