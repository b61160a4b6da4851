"""Compiled kernels follow their source and that of the kernels they call."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

INNER = "from lithify.kernels import kernel\n@kernel\ndef inner(x):\n    return x + {}\n"
OUTER = (
    "from lithify.kernels import kernel, peer\n"
    "i = peer('inner_kernels')\n"
    "@kernel\ndef outer(x):\n    return i.inner(x) * 2\n"
)
RUN = "from lithify.kernels import compiled; print(compiled('outer_kernels').outer(1))"


def test_a_change_in_a_kernel_reaches_the_compiled_ones_that_call_it(tmp_path: Path) -> None:
    (tmp_path / "outer_kernels.py").write_text(OUTER)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    results = []
    for added in (1, 1, 5):
        (tmp_path / "inner_kernels.py").write_text(INNER.format(added))
        env = {**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        env["PYTHONDONTWRITEBYTECODE"] = "1"  # Python's own cache takes a file of the same second and size for the same
        done = subprocess.run([sys.executable, "-c", RUN], env=env, capture_output=True, text=True, check=True)
        results.append(int(done.stdout))
    assert results == [4, 4, 12]
