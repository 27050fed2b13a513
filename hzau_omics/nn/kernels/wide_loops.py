"""Compiled loops of :mod:`hzau_omics.nn.kernels.negative_binomial_wide`.

numpy has no bfloat16: its values are held as the 16 bits that are the upper half of a float32.
"""

from typing import no_type_check

import numpy as np
from numba import njit, prange

from hzau_omics.nn.kernels.compiled import _OPTIONS, Loop, nb_of_row

_u = np.uint32
HALF, LOWER_HALF = _u(16), _u(0x7FFF)


@njit(inline="always")
@no_type_check
def _widened(bits):  # noqa: ANN001, ANN202
    """Return a bfloat16 as float32."""
    return _u(_u(bits) << HALF).view(np.float32)


@njit(inline="always")
@no_type_check
def rounded(x: np.float32) -> np.uint16:
    """Return a float32 as bfloat16: the nearest, and the even one of two."""
    bits = np.float32(x).view(_u)
    return np.uint16(_u(bits + LOWER_HALF + (_u(bits >> HALF) & _u(1))) >> HALF)


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _wide_row(r, products, bias, *arrays):  # noqa: ANN001, ANN002, ANN202
    """Compute one row of logits, which are a product in bfloat16 and a bias.

    Outputs are as those of :func:`~hzau_omics.nn.kernels.compiled.nb_of_row`; those that have a
    value for each feature are in bfloat16.
    """
    log_prob, grad_logits, grad_library, spread, grad_theta = arrays[8:]
    n = len(bias)
    rows = np.empty((3, n), np.float32)
    logit, gradient, held = rows[0], rows[1], rows[2]
    product, low_gradient, low_spread = products[r], grad_logits[r], spread[r]
    for g in range(n):
        logit[g] = _widened(product[g]) + bias[g]
    nb_of_row(r, logit, *arrays[:8], log_prob, gradient, grad_library, held, grad_theta)
    for g in range(n):
        low_gradient[g] = rounded(gradient[g])
        low_spread[g] = rounded(held[g])


@njit(**_OPTIONS)
@no_type_check
def _wide_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[0])):
        _wide_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _wide_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[0])):
        _wide_row(r, *arrays)


NEGATIVE_BINOMIAL_WIDE = Loop(_wide_serial, _wide_parallel)
