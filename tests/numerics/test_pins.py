"""Pins, engines and probes."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lithify import engines
from lithify.errors import Unsupported, UsageError


def test_every_tier_pins_one_thread() -> None:
    for tier in engines.TIERS:
        pins = engines.pins(tier)
        assert [pins[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")] == ["1"] * 3
    assert engines.pins("x86-avx512")["MKL_CBWR"] == "COMPATIBLE"
    assert "X86_V4" in engines.pins("x86-portable")["NPY_DISABLE_CPU_FEATURES"]
    with pytest.raises(UsageError, match="x86-portable"):
        engines.pins("arm")


@pytest.mark.parametrize(("tier", "kernels"), [("x86-avx512", "SkylakeX"), ("x86-portable", "Haswell")])
def test_tiers_choose_the_kernels_of_numpy(tier: str, kernels: str) -> None:
    """OpenBLAS would choose by the machine, and its products have other bits from one to the next."""
    if tier == "x86-avx512" and "avx512f" not in engines.cpu_class().split():
        pytest.skip("needs AVX-512")
    found = "import numpy, threadpoolctl; print([each.get('architecture') for each in threadpoolctl.threadpool_info()])"
    environment = {**os.environ, **engines.pins(tier)}
    told = subprocess.run([sys.executable, "-c", found], env=environment, capture_output=True, text=True, check=True)
    assert kernels in told.stdout


def test_pins_are_copies() -> None:
    engines.pins()["OMP_NUM_THREADS"] = "8"
    assert engines.pins()["OMP_NUM_THREADS"] == "1"


def test_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = engines.pins()
    assert engines.pinned(wanted, wanted | {"HOME": "/"})
    assert not engines.pinned(wanted, wanted | {"OMP_NUM_THREADS": "2"})
    assert not engines.pinned(wanted, {})
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    assert engines.pinned(wanted)


def test_engine_and_fingerprint() -> None:
    assert list(engines.engine({"b": 1, "a": "x"})) == ["a", "b"]
    assert engines.fingerprint({"b": 1, "a": "x"}) == engines.fingerprint({"a": "x", "b": 1})
    assert engines.fingerprint({"a": 1}) != engines.fingerprint({"a": "1"})
    for value in (1.5, True, None):
        with pytest.raises(TypeError, match="int or str"):
            engines.engine({"a": value})  # type: ignore[dict-item]


def test_a_probe_sees_a_single_bit() -> None:
    values = np.arange(4.0)
    answer = engines.probe("sum", lambda: values)
    assert answer == engines.probe("sum", lambda: [values.copy()])
    other = values.copy()
    other[2] = np.nextafter(other[2], 3)
    different = [("sum", other), ("dot", values), ("sum", values.astype(np.float32)), ("sum", values.reshape(2, 2))]
    for name, array in different:
        assert engines.probe(name, lambda array=array: array) != answer


@pytest.mark.parametrize(("platform", "fine"), [("linux", True), ("darwin", True), ("win32", False), ("cygwin", False)])
def test_platform(monkeypatch: pytest.MonkeyPatch, platform: str, fine: bool) -> None:
    monkeypatch.setattr(engines.sys, "platform", platform)
    if fine:
        engines.check_platform()
    else:
        with pytest.raises(Unsupported, match=platform):
            engines.check_platform()
