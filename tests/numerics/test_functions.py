"""exp, log and what is built on them: accurate, and the same bits from NumPy and from numba."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lithify import canon, engines, numerics, rng

COUNT = 250_000
EDGES = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 2.0**-1022, 2.0**-1074 * 12345,
     1.7976931348623157e308, 709.782712893384, 709.7827128933841, 710.0, 711.0, -708.3964185322641, -745.1332191019411,
     -745.1332191019412, -746.0, -1e308, 1e308, 2.0**0.5, 0.5**0.5, np.nextafter(1, 0), np.nextafter(1, 2)]
)  # fmt: skip


def spread(low: float, high: float, purpose: str) -> NDArray[np.float64]:
    return low + (high - low) * rng.uniform(rng.key(0, purpose), 0, COUNT)


def arguments() -> NDArray[np.float64]:
    return np.concatenate([spread(-746, 711, "wide"), spread(-2, 2, "near"), spread(-40, 40, "middle"), EDGES])


def positives() -> NDArray[np.float64]:
    """Every exponent, subnormals too, and many near one."""
    patterns = (rng.bits(rng.key(0, "any"), 0, COUNT) & np.uint64(2**63 - 1)).view(np.float64)
    patterns = patterns[np.isfinite(patterns)]
    return np.concatenate([patterns, spread(0.4, 2.5, "near one"), np.exp2(-spread(1022, 1074, "subnormal")), EDGES])


def bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.where(np.isnan(values), np.nan, values).view(np.int64)


def ulps(found: NDArray[np.float64], exact: NDArray[np.longdouble]) -> float:
    """The largest error in units of the last place; infinities and NaN must agree."""
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float64)
    finite = np.isfinite(rounded) & np.isfinite(found)
    sure = np.abs(np.abs(exact) - np.longdouble(1.7976931348623157e308)) > 1e294  # else rounding to infinity may differ
    np.testing.assert_array_equal(np.where(finite, 0, found)[sure], np.where(finite, 0, rounded)[sure])
    error = np.abs(found[finite].astype(np.longdouble) - exact[finite])
    return float((error / np.spacing(np.abs(rounded[finite])).astype(np.longdouble)).max())


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs an extended long double as the reference")
def test_accuracy() -> None:
    x, positive = arguments().astype(np.longdouble), positives().astype(np.longdouble)
    with np.errstate(all="ignore"):
        assert ulps(numerics.exp(arguments()), np.exp(x)) < 1.0
        assert ulps(numerics.log(positives()), np.log(positive)) < 1.0
        assert ulps(numerics.sigmoid(arguments()), np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x)))) < 3.0
        assert ulps(numerics.log1pexp(arguments()), np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))) < 2.5


@numba.njit
def apply(function, values):
    result = np.empty_like(values)
    for index in range(len(values)):
        result[index] = function(values[index])
    return result


@pytest.mark.parametrize("name", ["exp", "log", "sigmoid", "log1pexp"])
def test_numba_gives_the_bits_of_numpy(name: str) -> None:
    values = positives() if name == "log" else arguments()
    compiled = apply(getattr(numerics.compiled(), name), values)
    np.testing.assert_array_equal(bits(compiled), bits(getattr(numerics, name)(values)))


@pytest.mark.parametrize("name", ["exp", "log"])
def test_plain_python_gives_the_bits_of_numpy(name: str) -> None:
    values = np.concatenate([(positives() if name == "log" else arguments())[::100], EDGES])
    one_by_one = np.array([getattr(numerics, f"{name}_scalar")(float(value)) for value in values])
    np.testing.assert_array_equal(bits(one_by_one), bits(getattr(numerics, name)(values)))


def test_known_bits() -> None:
    """The same everywhere: these digests were computed once and must never change."""
    steps = np.arange(-3000, 3000)
    x = steps / 8.0
    results = [numerics.exp(x), numerics.log(numerics.exp(x)), numerics.sigmoid(x), numerics.log1pexp(x)]
    results.append(numerics.softmax(np.stack([x, x[::-1], x * 0.5], axis=1)))
    assert [canon.digest(result.tobytes())[7:19] for result in results] == KNOWN


KNOWN = ["9f6c14b5ed12", "56440e141813", "105a41abd563", "ca36d4c5aed0", "7afc592df441"]

DISPATCH = """
import numpy as np
from lithify import engines, numerics, rng
x = rng.uniform(rng.key(0, "x"), 0, 10_000) * 80 - 40
print(engines.probe("functions", lambda: [numerics.exp(x), numerics.log(x * x), numerics.sigmoid(x)]))
"""


def test_the_instruction_set_does_not_matter() -> None:
    answers = set()
    for tier in ("native", "x86-portable"):
        environment = os.environ | engines.pins(tier) | {"PYTHONPATH": os.pathsep.join(sys.path)}
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", DISPATCH],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        answers.add(ended.stdout)
    assert len(answers) == 1


def test_softmax_rows_add_up_and_do_not_overflow() -> None:
    scores = np.array([[1000.0, 999.0, -1000.0], [0.0, 0.0, 0.0], [-5.0, 3.0, 2.0]])
    found = numerics.softmax(scores)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(found[0, :2], [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))], rtol=1e-14)
    np.testing.assert_array_equal(numerics.softmax(scores[2:]), found[2:])
    wide = np.asfortranarray(np.repeat(scores, 50, axis=1))
    np.testing.assert_array_equal(numerics.softmax(wide), numerics.softmax(np.ascontiguousarray(wide)))


@given(st.floats(allow_nan=False))
def test_sigmoid_mirrors(x: float) -> None:
    both = numerics.sigmoid([x, -x])
    assert 0.0 <= both[0] <= 1.0
    assert both.sum() == pytest.approx(1.0, abs=1e-15)


def test_shapes_and_other_dtypes() -> None:
    for function in (numerics.exp, numerics.log, numerics.sigmoid, numerics.log1pexp):
        assert function(np.ones((2, 0, 3))).shape == (2, 0, 3)
        assert function(1).shape == ()
        assert function(np.ones(2, dtype=np.float32)).dtype == np.float64
