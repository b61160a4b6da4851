"""What this machine can compute with, found out without loading torch.

A recipe is resolved, and a run's fingerprint taken, in processes that never train; torch takes seconds and hundreds of
megabytes to load, so none of them shall.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lithify import engines

CUDA_PINS = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""Without it cuBLAS takes its scratch memory as it comes, and the order of its sums with it (cuBLAS, 2.1.4)."""
_NAME_BYTES = 256
_TILES = "amx_bf16"
_BF16 = ({_TILES}, {"AuthenticAMD", "avx512_bf16"})
"""What a CPU must have for convolutions in bf16 to be quicker; on Intel's they take longer without tiles."""
_WIDE_FLAG = "avx512f"


@functools.cache
def torch_version() -> str:
    """The installed version of torch, such as ``2.13.0+cpu``; empty without one."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def device_of(asked: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` is CUDA where there is a device and a torch that can use it.

    >>> device_of("cpu")
    'cpu'
    """
    if asked != "auto":
        return asked
    installed = torch_version()
    return "cuda" if installed and not installed.endswith("+cpu") and gpu() is not None else "cpu"


def precision_of(asked: str, device: str) -> str:
    """``bf16`` or ``fp32``; ``auto`` is bf16 where convolutions in it are quicker.

    >>> precision_of("fp32", "cpu")
    'fp32'
    """
    if asked != "auto":
        return asked
    if device == "cuda":
        found = gpu()
        return "bf16" if found is not None and found[1] >= (8, 0) else "fp32"
    here = set(engines.cpu_class().split())
    return "bf16" if any(needed <= here for needed in _BF16) else "fp32"


def convolutions_of(device: str, precision: str) -> str:
    """What computes 3 × 3 convolutions fastest there: ``plain``, ``tiled`` or ``winograd``, as far as was measured.

    >>> convolutions_of("cuda", "bf16")
    'plain'
    """
    flags = engines.cpu_class().split() if device == "cpu" else []
    found = {"bf16": ("tiled", _TILES), "fp32": ("winograd", _WIDE_FLAG)}[precision]
    return found[0] if found[1] in flags else "plain"


def fingerprint(device: str, tier: str) -> dict[str, int | str]:
    """What the bits of a training on that device in that tier depend on: torch, and the CPU's class or the GPU.

    >>> sorted(fingerprint("cpu", "native"))
    ['network.cpu', 'network.tier', 'network.torch']
    """
    found: dict[str, int | str] = {"network.torch": torch_version() or "none", "network.tier": tier}
    if device == "cuda":
        name, capability, driver = gpu() or ("none", (0, 0), 0)
        return found | {
            "network.gpu": f"{name} {capability[0]}.{capability[1]}",
            "network.driver": driver,
            "network.cuda": _libraries(),
        }
    return found | {"network.cpu": engines.cpu_class() if tier == "native" else tier}


def needs(device: str, tier: str) -> dict[str, str]:
    """The environment that a process must be started with to train there.

    >>> needs("cpu", "native")["OMP_NUM_THREADS"]
    '1'
    """
    return {**engines.pins(tier), **engines.MALLOC, **(CUDA_PINS if device == "cuda" else {})}


@functools.cache
def gpu() -> tuple[str, tuple[int, int], int] | None:
    """Name, compute capability and CUDA version of the driver of the first CUDA device; None where there is none."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    device, count, driver = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    major, minor = ctypes.c_int(), ctypes.c_int()
    calls: list[Any] = [
        lambda: cuda.cuInit(0),
        lambda: cuda.cuDeviceGetCount(ctypes.byref(count)),
        lambda: cuda.cuDeviceGet(ctypes.byref(device), 0),
        lambda: cuda.cuDeviceGetName(name, _NAME_BYTES, device),
        lambda: cuda.cuDeviceGetAttribute(ctypes.byref(major), 75, device),
        lambda: cuda.cuDeviceGetAttribute(ctypes.byref(minor), 76, device),
        lambda: cuda.cuDriverGetVersion(ctypes.byref(driver)),
    ]
    if any(call() != 0 for call in calls) or count.value < 1:
        return None
    return name.value.decode(errors="replace"), (major.value, minor.value), driver.value


def _libraries() -> str:
    """Versions of the CUDA libraries that torch brings, as far as they are packages."""
    found: Mapping[str, str] = {name: _version(name) for name in ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13")}
    return " ".join([torch_version().partition("+")[2], *(f"{name} {text}" for name, text in found.items() if text)])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
