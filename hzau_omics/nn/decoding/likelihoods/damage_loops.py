"""Compiled loops for the CPU that damage counts: every row in one pass, its zeros at little cost.

Every entry has random numbers of its own, as in
:mod:`~hzau_omics.nn.decoding.draws.counts`, whatever the number of threads.
"""

import math
from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float
from numba import njit, prange
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.nn.decoding.draws.counts import (
    _FIRST,
    _OPTIONS,
    _STEP,
    _mixed,
    _poisson,
    _positive,
    _u,
    _uniform,
)
from hzau_omics.nn.kernels.compiled import Loop
from hzau_omics.nn.kernels.threads import compute

type Floats = NDArray[np.float32]
type Rows = Float[Tensor, "row feature"]

FEW, SMALL_MEAN = 12, 10.0
"""Largest count whose units are kept or lost one by one; largest expected number of kept or lost
units that is drawn by going through probabilities."""


def thinned_rows(x: Rows, kept: Float[Tensor, "row 1"]) -> Rows:
    """Keep each unit of counts with a probability."""
    return _damaged(THINNED_COUNTS, x, kept)


def ambient_rows(x: Rows, kept: Float[Tensor, "row 1"], profile: Rows) -> Rows:
    """Keep each unit of counts with a probability, and add Poisson counts from a profile.

    The expected number of added counts is that of lost ones; `profile` sums to 1.
    """
    return _damaged(AMBIENT_COUNTS, x, kept, profile)


def _damaged(loop: Loop, x: Rows, kept: Float[Tensor, "row 1"], *profile: Rows) -> Rows:
    seed = torch.randint(2**62, (1,))
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    compute(loop, seed, kept.flatten(), x, *profile, out)
    return out


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _kept_of(count, kept, state):  # noqa: ANN001, ANN202
    """Draw how many units of a count are kept: a binomial count."""
    n = int(count)
    if n <= FEW:
        found = 0
        for _ in range(n):
            state += _STEP
            if _uniform(state) < kept:
                found += 1
        return found
    p = min(kept, 1 - kept)
    found = _few_of(n, p, state) if n * p < SMALL_MEAN else _many_of(n, p, state)
    return found if kept <= 0.5 else n - found


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _few_of(n, p, state):  # noqa: ANN001, ANN202
    """Draw a binomial count by going through the probabilities of 0, 1, 2 and so on."""
    left, q, k = _uniform(state + _STEP), math.exp(n * math.log1p(-p)), 0
    while left >= q and k < n:
        left -= q
        k += 1
        q *= p / (1 - p) * (n - k + 1) / k
    return k


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _many_of(n, p, state):  # noqa: ANN001, ANN202
    """Draw a binomial count of a larger mean by transformed rejection (Hörmann 1993)."""
    spread = math.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    quick = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * spread
    mode = math.floor((n + 1) * p)
    log_odds = math.log(p / (1 - p))
    height = math.lgamma(mode + 1) + math.lgamma(n - mode + 1)
    while True:
        state += _STEP
        u = _uniform(state) - 0.5
        state += _STEP
        v = _positive(state)
        distance = 0.5 - abs(u)
        k = math.floor((2 * a / distance + b) * u + n * p + 0.5)
        if distance >= 0.07 and v <= quick:
            return k
        if k < 0 or k > n:
            continue
        log_v = math.log(v * alpha / (a / (distance * distance) + b))
        at_k = math.lgamma(k + 1) + math.lgamma(n - k + 1)
        if log_v <= height - at_k + (k - mode) * log_odds:
            return k


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _thinned_row(r: int, seed: Any, kept: Floats, x: Floats, out: Floats) -> None:
    """Thin the counts of one row, the last argument."""
    start = _mixed(_u(seed[0]) + _u(r) * _FIRST)
    share = np.float64(kept[r])
    for g in range(x.shape[1]):
        count = x[r, g]
        out[r, g] = _kept_of(count, share, _mixed(start + _u(g) * _STEP)) if count > 0 else 0


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _ambient_row(  # noqa: PLR0917
    r: int, seed: Any, kept: Floats, x: Floats, profile: Floats, out: Floats
) -> None:
    """Thin the counts of one row, the last argument, and add those of a profile."""
    total = 0.0
    for g in range(x.shape[1]):
        total += x[r, g]
    lost = (1 - np.float64(kept[r])) * total
    _thinned_row(r, seed, kept, x, out)
    start = _mixed(_mixed(_u(seed[0]) + _u(r) * _FIRST))
    for g in range(x.shape[1]):
        state = start + _u(g) * _STEP
        rate = lost * profile[r, g]
        # Most rates are small, and give 0 without their exponential: it is at least 1 - rate.
        if _uniform(state + _STEP) >= 1 - rate:
            out[r, g] += _poisson(rate, state)


# A serial and a parallel form. numba caches by name: two under one name would be one.
@njit(**_OPTIONS)
@no_type_check
def _thinned_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[-1])):
        _thinned_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _thinned_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[-1])):
        _thinned_row(r, *arrays)


@njit(**_OPTIONS)
@no_type_check
def _ambient_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[-1])):
        _ambient_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _ambient_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[-1])):
        _ambient_row(r, *arrays)


THINNED_COUNTS = Loop(_thinned_serial, _thinned_parallel)
AMBIENT_COUNTS = Loop(_ambient_serial, _ambient_parallel)
