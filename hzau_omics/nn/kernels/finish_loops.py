"""Compiled loops of :mod:`hzau_omics.nn.kernels.finish`."""

from typing import no_type_check

import numpy as np
from numba import njit, prange

from hzau_omics.nn.kernels.compiled import _FAST, _OPTIONS, Floats, Integers, Loop, _exp, _f

CHUNKS = 16
"""Parts that the rows of a gradient are summed in."""

_u = np.uint64
GOLDEN, FIRST, SECOND = _u(0x9E3779B97F4A7C15), _u(0xBF58476D1CE4E5B9), _u(0x94D049BB133111EB)
LEVELS = _f(256.0)


@njit(inline="always")
@no_type_check
def _random_bits(seed, counter):  # noqa: ANN001, ANN202
    """64 random bits from a seed and a counter (splitmix64; Steele, Lea and Flood 2014)."""
    z = seed + counter * GOLDEN
    z = (z ^ (z >> _u(30))) * FIRST
    z = (z ^ (z >> _u(27))) * SECOND
    return z ^ (z >> _u(31))


@njit(inline="always", fastmath=_FAST, error_model="numpy")
@no_type_check
def _sigmoid(y):  # noqa: ANN001, ANN202
    # Of the two forms, each is exact where its exponential is at most 1.
    small = _exp(-abs(y))
    high = _f(1.0) / (_f(1.0) + small)
    return max(np.copysign(high, y), small * high)


@njit(inline="always")
@no_type_check
def _keep_row(r, n, options, kept):  # noqa: ANN001, ANN202
    """Fill `kept` with 8 random bits for each value of a row."""
    words = kept.view(np.uint64)
    seed = np.uint64(options[0]) ^ (np.uint64(r) * SECOND)
    for block in range(len(words)):
        words[block] = _random_bits(seed, np.uint64(block) + _u(1))


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _finish_row(  # noqa: PLR0917
    r: int,
    x: Floats,
    weight: Floats,
    bias: Floats,
    options: Integers,
    moments: Floats,
    out: Floats,
) -> None:
    """Compute one row of the output, the last argument, and its mean and inverse deviation.

    `moments` hold the constant that is added to the variance at first.
    """
    row, own, n = x[r], out[r], x.shape[1]
    total = _f(0.0)
    for g in range(n):
        total += row[g]
    mean = total / _f(n)
    square = _f(0.0)
    for g in range(n):
        square += (row[g] - mean) * (row[g] - mean)
    inverse = _f(1.0) / np.sqrt(square / _f(n) + moments[r, 1])
    moments[r, 0], moments[r, 1] = mean, inverse
    for g in range(n):
        y = (row[g] - mean) * inverse * weight[g] + bias[g]
        own[g] = y * _sigmoid(y)
    if options[1]:
        bits = np.empty((n + 7) // 8 * 8, np.uint8)
        _keep_row(r, n, options, bits)
        dropped, scale = np.uint8(options[1]), LEVELS / (LEVELS - _f(options[1]))
        for g in range(n):
            own[g] = own[g] * scale if bits[g] >= dropped else _f(0.0)


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _backward_row(  # noqa: PLR0917
    r: int,
    x: Floats,
    weight: Floats,
    bias: Floats,
    options: Integers,
    moments: Floats,
    grad: Floats,
    grad_x: Floats,
    weight_sum: Floats,
    bias_sum: Floats,
) -> None:
    """Compute the gradient of one row, and add to those of weight and bias."""
    row, up, own, n = x[r], grad[r], grad_x[r], x.shape[1]
    mean, inverse = moments[r, 0], moments[r, 1]
    if options[1]:
        bits = np.empty((n + 7) // 8 * 8, np.uint8)
        _keep_row(r, n, options, bits)
        dropped, scale = np.uint8(options[1]), LEVELS / (LEVELS - _f(options[1]))
        for g in range(n):
            own[g] = up[g] * scale if bits[g] >= dropped else _f(0.0)
    else:
        own[:] = up
    total, aligned = _f(0.0), _f(0.0)
    for g in range(n):
        scaled = (row[g] - mean) * inverse
        y = scaled * weight[g] + bias[g]
        s = _sigmoid(y)
        slope = own[g] * s * (_f(1.0) + y * (_f(1.0) - s))
        weight_sum[g] += slope * scaled
        bias_sum[g] += slope
        slope *= weight[g]
        own[g] = slope
        total += slope
        aligned += slope * scaled
    total, aligned = total / _f(n), aligned / _f(n)
    for g in range(n):
        own[g] = inverse * (own[g] - total - (row[g] - mean) * inverse * aligned)


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _backward_chunk(c, *arrays):  # noqa: ANN001, ANN002, ANN202
    x, weight, bias, options, moments, grad, grad_x, weight_sum, bias_sum = arrays
    size = (len(x) + CHUNKS - 1) // CHUNKS
    for r in range(c * size, min((c + 1) * size, len(x))):
        _backward_row(
            r, x, weight, bias, options, moments, grad, grad_x, weight_sum[c], bias_sum[c]
        )


@njit(**_OPTIONS)
@no_type_check
def _finish_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[0])):
        _finish_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _finish_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[0])):
        _finish_row(r, *arrays)


@njit(**_OPTIONS)
@no_type_check
def _finish_backward_serial(*arrays):  # noqa: ANN002, ANN202
    for c in range(CHUNKS):
        _backward_chunk(c, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _finish_backward_parallel(*arrays):  # noqa: ANN002, ANN202
    for c in prange(CHUNKS):
        _backward_chunk(c, *arrays)


FINISH = Loop(_finish_serial, _finish_parallel)
FINISH_BACKWARD = Loop(_finish_backward_serial, _finish_backward_parallel)
