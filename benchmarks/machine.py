"""What a figure was measured on: the class of hardware and the versions, never which machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_TOLD = ("sse4_2", "avx2", "fma", "avx512f", "avx512_vnni", "amx_tile", "asimd", "sve")
_PACKAGES = ("numpy", "numba", "pyarrow", "scikit-learn", "scipy")


def describe() -> list[str]:
    """Lines for below a table."""
    return [f"Machine: {hardware()}.", f"Versions: {versions()}."]


def hardware() -> str:
    """Cores, architecture, maker of the processor and the instruction sets that matter."""
    words = [f"{len(os.sched_getaffinity(0))} cores", platform.machine()]
    facts = _cpu()
    if maker := facts.get("vendor_id"):
        words.append(maker)
    flags = facts.get("flags", facts.get("Features", "")).split()
    told = [name for name in _TOLD if name in flags]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return ", ".join([*words, " ".join(told) or "no known instruction sets", f"{memory:.0f} GiB of memory"])


def versions(packages: tuple[str, ...] = _PACKAGES) -> str:
    """Python, Lithify and the packages the figures depend on."""
    import lithify

    told = [f"Python {platform.python_version()}", f"lithify {lithify.__version__}"]
    for name in packages:
        try:
            told.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            told.append(f"{name} absent")
    return ", ".join(told)


def load() -> str:
    """How busy the machine is, since timings are worth nothing on a busy one."""
    one, five, _ = os.getloadavg()
    return f"load {one:.1f} (last minute), {five:.1f} (last five)"


def _cpu() -> dict[str, str]:
    """The facts of the first processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0].splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}
