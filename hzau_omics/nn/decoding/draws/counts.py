"""Draws from negative binomials: a compiled loop on the CPU, tensor operations elsewhere.

Small expected counts, most of all single-cell counts, are drawn by going through the probabilities
of 0, 1, 2 and so on until they exceed a uniform number. Large ones are drawn as a Poisson count
whose rate is gamma distributed (Marsaglia and Tsang 2000; Hörmann 1993).

Every entry has random numbers of its own, which follow from the seed and from its place. Draws
therefore do not depend on the number of threads.
"""

import math
from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float
from numba import njit, prange
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.nn.kernels.compiled import Loop
from hzau_omics.nn.kernels.threads import compute

type Floats = NDArray[np.float32]

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "cache": True, "nogil": True}

SMALL_MEAN = 12.0
"""Largest expected count that is drawn by going through probabilities."""

NEGLIGIBLE = 1e-9
"""Probability of a count, above the mean, from which larger counts are not drawn."""

SMALL_RATE = 10.0
"""Largest rate of a Poisson count that is drawn by going through probabilities."""

_u = np.uint64
_STEP, _FIRST, _SECOND = _u(0x9E3779B97F4A7C15), _u(0xBF58476D1CE4E5B9), _u(0x94D049BB133111EB)
_UNIT = 2.0**-53


def sample_nb(
    log_mean: Float[Tensor, "cell feature"],
    log_theta: Float[Tensor, "_ feature"],
    generator: torch.Generator | None,
) -> Float[Tensor, "cell feature"]:
    """Draw negative binomial counts.

    Parameters
    ----------
    log_mean
        Log of the expected counts.
    log_theta
        Log of the inverse dispersions, of shape (1 or cell, feature).
    generator
        Source of the seed; None for torch's global one.
    """
    theta = log_theta.exp()
    ratio = (log_mean - log_theta).exp()
    if log_mean.device.type != "cpu":
        # torch.distributions takes no generator; this is the sampler beneath its Gamma.
        shape = theta.expand_as(log_mean).contiguous()
        return torch.poisson(
            torch._standard_gamma(shape, generator=generator) * ratio, generator=generator
        )
    zero = ratio.log1p().mul_(theta).neg_().exp_()
    seed = torch.randint(2**62, (1,), generator=generator)
    out = torch.empty_like(ratio)
    compute(NEGATIVE_BINOMIAL_DRAWS, seed, ratio, zero, theta, out)
    return out


@njit(inline="always")
@no_type_check
def _mixed(state):  # noqa: ANN001, ANN202
    """Return 64 random bits of a state (the finaliser of SplitMix64)."""
    state = (state ^ (state >> _u(30))) * _FIRST
    state = (state ^ (state >> _u(27))) * _SECOND
    return state ^ (state >> _u(31))


@njit(inline="always")
@no_type_check
def _uniform(state):  # noqa: ANN001, ANN202
    """Return a number from 0 to below 1."""
    return np.float64(_mixed(state) >> _u(11)) * _UNIT


@njit(inline="always")
@no_type_check
def _positive(state):  # noqa: ANN001, ANN202
    """Return a number above 0, at most 1."""
    return np.float64((_mixed(state) >> _u(11)) + _u(1)) * _UNIT


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _gamma(shape, state):  # noqa: ANN001, ANN202
    """Draw from a gamma distribution of scale 1; return the draw and the next state."""
    boost = 1.0
    if shape < 1:
        state += _STEP
        boost = _positive(state) ** (1 / shape)
        shape += 1
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        state += _STEP
        radius = math.sqrt(-2 * math.log(_positive(state)))
        state += _STEP
        normal = radius * math.cos(2 * math.pi * _uniform(state))
        v = 1 + c * normal
        if v <= 0:
            continue
        v = v * v * v
        state += _STEP
        u = _positive(state)
        square = normal * normal
        if u < 1 - 0.0331 * square * square:
            break
        if math.log(u) < 0.5 * square + d * (1 - v + math.log(v)):
            break
    return boost * d * v, state


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _poisson(rate, state):  # noqa: ANN001, ANN202
    """Draw a Poisson count."""
    if rate < SMALL_RATE:
        state += _STEP
        left, p, k = _uniform(state), math.exp(-rate), 0.0
        while left >= p and (p > NEGLIGIBLE or k < rate):
            left -= p
            k += 1
            p *= rate / k
        return k
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    quick = 0.9277 - 3.6224 / (b - 2)
    log_rate = math.log(rate)
    while True:
        state += _STEP
        u = _uniform(state) - 0.5
        state += _STEP
        v = _positive(state)
        distance = 0.5 - abs(u)
        k = math.floor((2 * a / distance + b) * u + rate + 0.43)
        if distance >= 0.07 and v <= quick:
            return k
        if k < 0 or (distance < 0.013 and v > distance):
            continue
        height = math.log(v * inverse / (a / (distance * distance) + b))
        if height <= k * log_rate - rate - math.lgamma(k + 1):
            return k


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _nb_draws_row(  # noqa: PLR0917
    r: int, seed: NDArray[np.int64], ratio: Floats, zero: Floats, theta: Floats, out: Floats
) -> None:
    """Draw one row. `ratio` is mean / theta, `zero` the probability of 0, `out` the result."""
    own = theta[0] if len(theta) == 1 else theta[r]
    start = _mixed(_u(seed[0]) + _u(r) * _FIRST)
    for g in range(ratio.shape[1]):
        state = start + _u(g) * _STEP
        shape, odds = np.float64(own[g]), np.float64(ratio[r, g])
        mean = shape * odds
        if mean <= SMALL_MEAN:
            left, p, k = _uniform(state), np.float64(zero[r, g]), 0.0
            share = odds / (1 + odds)
            while left >= p and (p > NEGLIGIBLE or k < mean):
                left -= p
                p *= share * (shape + k) / (k + 1)
                k += 1
            out[r, g] = k
        elif mean < math.inf:
            gamma, state = _gamma(shape, _mixed(state))
            out[r, g] = _poisson(gamma * odds, state)
        else:
            out[r, g] = mean


# A serial and a parallel form. numba caches by name: two under one name would be one.
@njit(**_OPTIONS)
@no_type_check
def _nb_draws_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[-1])):
        _nb_draws_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _nb_draws_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[-1])):
        _nb_draws_row(r, *arrays)


NEGATIVE_BINOMIAL_DRAWS = Loop(_nb_draws_serial, _nb_draws_parallel)
