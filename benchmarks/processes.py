"""Fresh processes: what a person who types a command waits for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.options import ROOT


def timed(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[float, str]:
    """Seconds of one fresh Python process, and what it printed; its failure is an error here."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        env=_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments[:3])} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return seconds, done.stdout


def called(module: str, facts: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Runs ``python -m MODULE FACTS`` in a fresh process; what it printed as JSON, and its ``wall`` seconds."""
    seconds, printed = timed(["-m", module, json.dumps(dict(facts))], environment)
    return {**json.loads(printed), "wall": seconds}


def facts() -> dict[str, Any]:
    """What such a process was given."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    return given


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", ""), str(ROOT / "src")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | dict(more or {})
