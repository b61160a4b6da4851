"""What a run's bits depend on beside data and recipe: the engine, and what is done to keep it the same.

What cannot be made portable, such as BLAS, is pinned by the environment in which a worker process starts (:func:`pins`)
and written down in the engine of the run (:func:`engine`), with the class of the CPU where that matters.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.errors import Unsupported, UsageError

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_TIER_PINS: dict[str, dict[str, str]] = {
    "native": {},
    "x86-avx512": {
        "ATEN_CPU_CAPABILITY": "avx512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "MKL_CBWR": "COMPATIBLE",
        "OPENBLAS_CORETYPE": "SkylakeX",
    },
    "x86-portable": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "COMPATIBLE",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    },
}
TIERS = tuple(_TIER_PINS)
"""From fastest to most portable: the same kind of CPU, any x86-64 with AVX-512, any x86-64 with AVX2."""


def pins(tier: str = "native") -> dict[str, str]:
    """The environment in which a worker of that tier must be started, before any numeric library loads.

    >>> pins()["OMP_NUM_THREADS"]
    '1'
    """
    if tier not in _TIER_PINS:
        raise UsageError("There is no such tier.", expected=", ".join(TIERS), found=tier)
    return _ONE_THREAD | _TIER_PINS[tier]


def pinned(wanted: Mapping[str, str], env: Mapping[str, str] = os.environ) -> bool:
    """Whether an environment, by default this process's, holds all the ``wanted`` pins."""
    return all(env.get(name) == value for name, value in wanted.items())


_NUMERIC_FLAGS = (
    "avx2",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
    "amx_bf16",
    "amx_fp16",
)
_ARM_FLAGS = ("asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve", "sve2", "sme")
"""Of the flags of a CPU those by which numeric libraries choose their kernels."""

MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # more is refused by older versions, which then take 128 KiB
    "MALLOC_TRIM_THRESHOLD_": str(4 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
"""Settings of the GNU C library's allocator for processes that allocate and free large arrays at every step: memory
that was freed is kept for the next step instead of being handed back and zeroed again. They change no bit."""


@functools.cache
def cpu_class() -> str:
    """The numeric instruction set of this machine's CPU: machines of one class choose the same kernels.

    Elsewhere than on Linux it is the architecture alone.
    """
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            facts = file.read(1 << 16)
    except OSError:
        facts = ""
    return class_of(platform.machine(), facts)


def class_of(machine: str, cpuinfo: str) -> str:
    r"""The class of a CPU from its architecture and the text of ``/proc/cpuinfo``, whose first entry counts.

    The vendor is in it, since libraries look at that too.

    >>> class_of("x86_64", "vendor_id\t: GenuineIntel\nflags\t\t: fpu avx512f fma avx2 amx_bf16\n")
    'x86-64 GenuineIntel avx2 fma avx512f amx_bf16'
    >>> class_of("arm64", "")
    'arm64'
    """
    entry = dict(reversed([line.partition(":")[::2] for line in cpuinfo.splitlines() if ":" in line]))
    facts = {name.strip(): value.split() for name, value in entry.items()}
    flags = {*facts.get("flags", []), *facts.get("Features", [])}
    known = _NUMERIC_FLAGS if machine == "x86_64" else _ARM_FLAGS
    words = [machine.replace("_", "-"), *facts.get("vendor_id", [])[:1], *(flag for flag in known if flag in flags)]
    return " ".join(words)


def engine(parts: Mapping[str, int | str]) -> dict[str, int | str]:
    """What a run's bits depend on beside data and recipe, in canonical order.

    Learners, features and calibration each declare their parts, such as ``{"linear": 1}``; the package's version is
    never among them.

    >>> engine({"mail": 2, "linear": 1})
    {'linear': 1, 'mail': 2}
    """
    for name, value in parts.items():
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise TypeError(f"engine part {name!r} must be int or str, not {type(value).__name__}")
    return dict(sorted(parts.items()))


def fingerprint(parts: Mapping[str, int | str]) -> str:
    """Digest of an engine."""
    return canon.digest_of(engine(parts))


def probe(name: str, function: Callable[[], NDArray[Any] | Sequence[NDArray[Any]]]) -> str:
    """Digest of a computation with a known answer; machines that would compute other bits give another digest.

    Parameters
    ----------
    name : str
        What is probed; enters the digest.
    function : callable without arguments
        Returns one array or several.
    """
    result = function()
    arrays = [result] if isinstance(result, np.ndarray) else list(result)
    facts = [[str(array.dtype.str), list(array.shape), canon.digest(array.tobytes())] for array in arrays]
    return canon.digest_of([name, facts])


def check_platform() -> None:
    """Raises ``Unsupported`` on platforms where Lithify cannot keep its promises."""
    if sys.platform in ("win32", "cygwin"):
        raise Unsupported(
            "Lithify does not run on Windows.",
            expected="Linux, or macOS in the native tier",
            found=sys.platform,
            hint="Use the Windows Subsystem for Linux.",
        )
