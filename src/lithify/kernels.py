"""One source, two ways to run it: as plain Python for a single row, compiled by numba for many.

A kernel module is written in the part of Python that numba compiles, decorates its functions with :func:`kernel` and
takes the kernels of other modules with :func:`peer`. Imported normally it is plain Python and loads nothing heavy;
:func:`compiled` loads the same file a second time with every function compiled. Only integer operations and IEEE
add, subtract, multiply, divide, square root and comparison are allowed in kernels, so both give the same bits.

Compiling is paid once for each installation: numba keeps the machine code beside the source, or in ``NUMBA_CACHE_DIR``
where that is not writable. Machine code holds what a kernel calls in other modules, and numba looks at the kernel's own
file alone; so the sources of a module and of all its peers go into the name under which its kernels are kept.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

_compiling = threading.local()
_lock = threading.RLock()
_sources: dict[str, bytes] = {}
"""Digest of the sources of each compiled module and of its peers."""


def kernel(function: Function) -> Function:
    """Marks a function as a kernel: left as it is, or compiled while :func:`compiled` loads its module."""
    sources = getattr(_compiling, "sources", None)
    if sources is None:
        return function
    import numba

    function.__qualname__ += f"_{sources.hexdigest()[:16]}"
    return cast(Function, numba.njit(cache=True, nogil=True)(function))


def peer(name: str) -> ModuleType:
    """Another kernel module, plain or compiled like the one that asks."""
    sources = getattr(_compiling, "sources", None)
    if sources is None:
        return importlib.import_module(name)
    module = compiled(name)
    sources.update(_sources[name])
    return module


def compiled(name: str) -> ModuleType:
    """The kernel module of that name with every kernel compiled; compiled code is cached on disk."""
    alias = f"{name}:compiled"
    with _lock:
        if alias in sys.modules:
            return sys.modules[alias]
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        twin = importlib.util.spec_from_file_location(alias, spec.origin)
        assert twin is not None
        assert twin.loader is not None
        module = importlib.util.module_from_spec(twin)
        before = getattr(_compiling, "sources", None)
        _compiling.sources = hashlib.sha256(Path(spec.origin).read_bytes())
        sys.modules[alias] = module
        try:
            twin.loader.exec_module(module)
            _sources[name] = _compiling.sources.digest()
        except BaseException:
            del sys.modules[alias]
            raise
        finally:
            _compiling.sources = before
        return module


def fitting(name: str, rows: int) -> ModuleType:
    """Compiled for many rows, or where numba is loaded anyway; plain for a few, so that they need not wait for it."""
    return compiled(name) if rows >= 32 or f"{name}:compiled" in sys.modules else importlib.import_module(name)
