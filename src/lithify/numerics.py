"""Arithmetic whose bits do not depend on the machine.

``exp`` and ``log`` from a C library give other last bits with and without fused multiply-add. The ones here use only
what IEEE 754 fixes to the bit: addition, multiplication, division, comparison and integer operations on the bits. They
exist twice, for NumPy arrays and for one number (which numba compiles), with the very same operations in the very same
order; NumPy rounds after each and numba without ``fastmath`` fuses nothing, so both give the same bits.

What cannot be made portable, such as BLAS, is pinned and written down; see :mod:`lithify.engines`.

Sources: the reductions and coefficients are those of FDLIBM (Sun Microsystems 1993, ``e_exp.c`` and ``e_log.c``;
accurate to 1 ulp).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_INVERSE_LN2 = 1.44269504088896338700e00
_ROUNDER = 6755399441055744.0  # 1.5 * 2**52: adding and subtracting it rounds to a whole number
_EXP_TOP, _EXP_BOTTOM = 710.0, -746.0  # beyond them exp is infinite or zero

_P1, _P2, _P3 = 1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05
_P4, _P5 = -1.65339022054652515390e-06, 4.13813679705723846039e-08

_L1, _L2, _L3 = 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01
_L4, _L5, _L6 = 2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01
_L7 = 1.479819860511658591e-01

_BLOCK = 1 << 14
_FEW = 4
"""Up to so many values are quicker one by one; the bits are the same."""
_SMALLEST_NORMAL = 2.0**-1022
_TWO_54 = 2.0**54
_MANTISSA = (1 << 52) - 1
_ONE_BITS = 1023 << 52
_ROOT_OFFSET = 0x95F6400000000  # carries into the exponent when the mantissa is above the square root of two


def _by_blocks(function: Callable[[Any], NDArray[np.float64]]) -> Callable[[ArrayLike], NDArray[np.float64]]:
    """A function of each value for itself, some values at a time: what it makes on its way stays in the cache."""

    @functools.wraps(function)
    def of_all(x: ArrayLike) -> NDArray[np.float64]:
        values = np.asarray(x, dtype=np.float64)
        if values.size <= _BLOCK:
            return function(values)
        flat, out = values.ravel(), np.empty(values.size)
        for at in range(0, len(flat), _BLOCK):
            out[at : at + _BLOCK] = function(flat[at : at + _BLOCK])
        return out.reshape(values.shape)

    return of_all


@_by_blocks
def exp(x: ArrayLike) -> NDArray[np.float64]:
    """Exponential: e to the power of ``x``, to within 1 ulp; the same bits everywhere.

    Parameters
    ----------
    x : array of float64, any shape

    Returns
    -------
    array of float64, shaped like ``x``

    Examples
    --------
    >>> exp([0.0, 1.0, -np.inf]).tolist()
    [1.0, 2.7182818284590455, 0.0]
    """
    values = np.asarray(x, dtype=np.float64)
    if values.size <= _FEW:
        return np.array([exp_float(value) for value in values.ravel().tolist()]).reshape(values.shape)
    missing = np.isnan(values)
    bounded = np.where(missing, 0.0, np.maximum(np.minimum(values, _EXP_TOP), _EXP_BOTTOM))
    with np.errstate(over="ignore", under="ignore"):
        whole = (bounded * _INVERSE_LN2 + _ROUNDER) - _ROUNDER
        high = bounded - whole * _LN2_HIGH
        low = whole * _LN2_LOW
        r = high - low
        t = r * r
        c = r - t * (_P1 + t * (_P2 + t * (_P3 + t * (_P4 + t * _P5))))
        y = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
        k = whole.astype(np.int64)
        half = k >> 1
        scaled = (y * ((half + 1023) << 52).view(np.float64)) * ((k - half + 1023) << 52).view(np.float64)
    return np.where(missing, values, scaled)


@_by_blocks
def log(x: ArrayLike) -> NDArray[np.float64]:
    """Natural logarithm of ``x``, to within 1 ulp; the same bits everywhere. NaN below zero, -inf at zero.

    >>> log([1.0, 0.0]).tolist()
    [0.0, -inf]
    """
    values = np.asarray(x, dtype=np.float64)
    ordinary = (values > 0.0) & (values < np.inf)
    normal = np.where(ordinary, values, 1.0)
    tiny = normal < _SMALLEST_NORMAL
    bits = (normal * np.where(tiny, _TWO_54, 1.0)).view(np.int64)
    up = ((bits & _MANTISSA) + _ROOT_OFFSET) >> 52
    k = ((bits >> 52) - 1023) + up - np.where(tiny, 54, 0)
    f = ((bits & _MANTISSA) | (_ONE_BITS - (up << 52))).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    r = z * (_L1 + w * (_L3 + w * (_L5 + w * _L7))) + w * (_L2 + w * (_L4 + w * _L6))
    square = 0.5 * f * f
    whole = k.astype(np.float64)
    result = whole * _LN2_HIGH - ((square - (s * (square + r) + whole * _LN2_LOW)) - f)
    edge = np.where(values == 0.0, -np.inf, np.where(values < 0.0, np.nan, values))
    return np.where(ordinary, result, edge)


@_by_blocks
def sigmoid(x: ArrayLike) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow and accurate in both tails.

    >>> sigmoid([0.0, 800.0, -800.0]).tolist()
    [0.5, 1.0, 0.0]
    """
    values = np.asarray(x, dtype=np.float64)
    e = exp(-np.abs(values))
    return np.where(values < 0.0, e, 1.0) / (1.0 + e)


@_by_blocks
def log1pexp(x: ArrayLike) -> NDArray[np.float64]:
    """log(1 + exp(x)), without overflow and accurate in both tails: the logistic loss of a margin ``-x``.

    >>> log1pexp([0.0, 800.0, -800.0]).tolist()
    [0.6931471805599453, 800.0, 0.0]
    """
    values = np.asarray(x, dtype=np.float64)
    e = exp(-np.abs(values))
    w = 1.0 + e
    return np.where(values > 0.0, values, np.where(values <= 0.0, 0.0, values)) + (log(w) + (e - (w - 1.0)) / w)


def softmax(scores: ArrayLike) -> NDArray[np.float64]:
    """Probabilities from scores; the classes are added from first to last, not in an order of NumPy's choosing.

    Parameters
    ----------
    scores : (n, C) array of float64

    Returns
    -------
    (n, C) array of float64, rows adding up to 1

    Examples
    --------
    >>> softmax([[0.0, 0.0]]).tolist()
    [[0.5, 0.5]]
    """
    values = np.asarray(scores, dtype=np.float64)
    e = exp(values - values.max(axis=1, keepdims=True))
    total = e[:, 0].copy()
    for column in range(1, e.shape[1]):
        total += e[:, column]
    e /= total[:, None]
    return e


def exp_scalar(x: float) -> float:
    """:func:`exp` of one number, operation for operation."""
    if x != x:
        return x
    bounded = max(min(x, _EXP_TOP), _EXP_BOTTOM)
    whole = (bounded * _INVERSE_LN2 + _ROUNDER) - _ROUNDER
    high = bounded - whole * _LN2_HIGH
    low = whole * _LN2_LOW
    r = high - low
    t = r * r
    c = r - t * (_P1 + t * (_P2 + t * (_P3 + t * (_P4 + t * _P5))))
    y = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    k = np.int64(whole)
    half = k >> np.int64(1)
    first = float(np.int64((half + np.int64(1023)) << np.int64(52)).view(np.float64))
    second = float(np.int64((k - half + np.int64(1023)) << np.int64(52)).view(np.float64))
    return (y * first) * second


def exp_float(x: float) -> float:
    """:func:`exp` of one number in plain Python, operation for operation: far quicker than with NumPy's scalars.

    The two powers of two are exact however they are made.

    >>> exp_float(0.0), exp_float(-800.0), exp_float(800.0)
    (1.0, 0.0, inf)
    """
    if x != x:
        return x
    bounded = max(min(x, _EXP_TOP), _EXP_BOTTOM)
    whole = (bounded * _INVERSE_LN2 + _ROUNDER) - _ROUNDER
    high = bounded - whole * _LN2_HIGH
    low = whole * _LN2_LOW
    r = high - low
    t = r * r
    c = r - t * (_P1 + t * (_P2 + t * (_P3 + t * (_P4 + t * _P5))))
    y = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    k = int(whole)
    half = k >> 1
    return (y * math.ldexp(1.0, half)) * math.ldexp(1.0, k - half)


def log_scalar(x: float) -> float:
    """:func:`log` of one number, operation for operation."""
    if not (x > 0.0 and x < np.inf):
        return -np.inf if x == 0.0 else (np.nan if x < 0.0 else x)
    tiny = x < _SMALLEST_NORMAL
    bits = np.float64(x * _TWO_54 if tiny else x).view(np.int64)
    mantissa = bits & np.int64(_MANTISSA)
    up = (mantissa + np.int64(_ROOT_OFFSET)) >> np.int64(52)
    k = ((bits >> np.int64(52)) - np.int64(1023)) + up - np.int64(54 if tiny else 0)
    f = np.int64(mantissa | (np.int64(_ONE_BITS) - (up << np.int64(52)))).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    r = z * (_L1 + w * (_L3 + w * (_L5 + w * _L7))) + w * (_L2 + w * (_L4 + w * _L6))
    square = 0.5 * f * f
    whole = np.float64(k)
    return float(whole * _LN2_HIGH - ((square - (s * (square + r) + whole * _LN2_LOW)) - f))


class Compiled(NamedTuple):
    """The scalar functions compiled by numba, to be called inside other compiled kernels."""

    exp: Callable[[float], float]
    log: Callable[[float], float]
    sigmoid: Callable[[float], float]
    log1pexp: Callable[[float], float]


def _kept_apart(function: Callable[[float], float]) -> Callable[[float], float]:
    """A function whose machine code is kept by another name in the compiled twin of this module.

    What numba keeps knows the module that it was made in, and the twin cannot be imported by its name
    (:func:`lithify.kernels.compiled`).
    """
    if ":" in __name__:
        function.__qualname__ += "_of_twin"
    return function


@functools.cache
def compiled() -> Compiled:
    """Compiles the scalar functions (on their first call); they give the bits of the array functions."""
    from numba import njit

    exp_ = njit(cache=True)(_kept_apart(exp_scalar))
    log_ = njit(cache=True)(_kept_apart(log_scalar))

    @njit()
    def sigmoid_(x: float) -> float:
        e = exp_(-abs(x))
        return (e if x < 0.0 else 1.0) / (1.0 + e)

    @njit()
    def log1pexp_(x: float) -> float:
        e = exp_(-abs(x))
        w = 1.0 + e
        return (x if x > 0.0 else (0.0 if x <= 0.0 else x)) + (log_(w) + (e - (w - 1.0)) / w)

    return Compiled(exp_, log_, sigmoid_, log1pexp_)
