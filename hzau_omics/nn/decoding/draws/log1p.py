"""The mean of log(1 + x) of a negative binomial count x, without draws.

For a number x that is not negative, log(1 + x) is the integral of exp(-t) (1 - exp(-t x)) / t over
t from 0 to infinity (Frullani). The expectation of exp(-t x) is known in closed form, which leaves
one integral for each mean and dispersion. It is computed once on a grid of both, and interpolated.
"""

from functools import cache, lru_cache
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

SPACING = 0.25
LOG_MEAN_RANGE = (-12.0, 16.0)
LOG_THETA_RANGE = (-12.0, 14.0)
"""Grid of log means and log inverse dispersions. Below it the mean of log1p is next to 0; at its
upper end of theta a negative binomial is a Poisson."""

LOG_TIME_RANGE, TIME_SPACING = (-32.0, 4.0), 0.5
"""Nodes of the integral over log t."""


@torch.no_grad()
def log1p_mean_nb(
    log_mean: Float[Tensor, "cell feature"], log_theta: Float[Tensor, "_ feature"]
) -> Float[Tensor, "cell feature"]:
    """Return the mean of log1p of negative binomial counts.

    Parameters
    ----------
    log_mean
        Log of the expected counts.
    log_theta
        Log of the inverse dispersions, of shape (1 or cell, feature).

    Examples
    --------
    >>> log1p_mean_nb(torch.zeros(1, 1), torch.full((1, 1), 20.0)).item()  # Poisson of mean 1
    0.5734...
    """
    if len(log_theta) > 1:
        pairs = zip(log_mean.unsqueeze(1), log_theta.unsqueeze(1), strict=True)
        return torch.cat([log1p_mean_nb(mean, theta) for mean, theta in pairs])
    if log_mean.device.type != "cpu":
        return _interpolated(_at_theta(log_theta[0]), log_mean)
    out = torch.empty_like(log_mean)
    compute(LOG1P_MEAN, _table(log_theta[0].numpy().tobytes()), log_mean, out)
    return out


def log1p_mean_poisson(log_mean: Float[Tensor, "cell feature"]) -> Float[Tensor, "cell feature"]:
    """Return the mean of log1p of Poisson counts, given the log of their expected counts."""
    return log1p_mean_nb(log_mean, torch.full_like(log_mean[:1], LOG_THETA_RANGE[1]))


@cache
def _grid() -> Float[Tensor, "theta mean"]:
    """Return the mean of log1p on the grid."""
    log_theta, log_mean = (
        torch.arange(low, high + SPACING, SPACING, dtype=torch.float64)
        for low, high in (LOG_THETA_RANGE, LOG_MEAN_RANGE)
    )
    low, high = LOG_TIME_RANGE
    t = torch.arange(low, high, TIME_SPACING, dtype=torch.float64).exp()
    theta = log_theta.exp()[:, None, None]
    ratio = (log_mean - log_theta[:, None]).exp().unsqueeze(-1)
    # 1 - E exp(-t x), where E exp(-t x) = (1 + mean (1 - exp(-t)) / theta) ** -theta
    gap = -torch.expm1(-theta * torch.log1p(-torch.expm1(-t) * ratio))
    return (gap * (-t).exp()).sum(-1).mul(TIME_SPACING).float()


@lru_cache(maxsize=2)
def _table(log_theta: bytes) -> Float[Tensor, "feature mean"]:
    """Return the rows of the grid, once for the many draws that share their dispersions."""
    return _at_theta(torch.from_numpy(np.frombuffer(log_theta, np.float32).copy()))


def _at_theta(log_theta: Float[Tensor, " feature"]) -> Float[Tensor, "feature mean"]:
    """Return the rows of the grid at some inverse dispersions."""
    grid = _grid().to(log_theta.device)
    first, weights = _places(log_theta, LOG_THETA_RANGE, len(grid))
    return sum(  # type: ignore[return-value]
        grid[first + i] * weight.unsqueeze(1) for i, weight in enumerate(weights)
    )


def _interpolated(
    table: Float[Tensor, "feature mean"], log_mean: Float[Tensor, "cell feature"]
) -> Float[Tensor, "cell feature"]:
    """Return values of a table at log means, with tensor operations."""
    n_knots = table.shape[1]
    first, weights = _places(log_mean, LOG_MEAN_RANGE, n_knots)
    first = first + torch.arange(len(table), device=first.device) * n_knots
    return sum(  # type: ignore[return-value]
        table.view(-1)[first + i] * weight for i, weight in enumerate(weights)
    )


def _places(
    x: Tensor, bounds: tuple[float, float], n_knots: int
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the first of the four knots around each number, and their weights."""
    place = ((x.clamp(*bounds) - bounds[0]) / SPACING).clamp(1, n_knots - 2.001)
    low = place.floor()
    return low.long() - 1, _cubic(place - low)


def _cubic(s: Tensor) -> tuple[Tensor, ...]:
    """Return the weights of four neighbouring knots at a share of the way between the inner two.

    The cubic polynomial through all four (Lagrange).
    """
    before, after, beyond = s + 1, s - 1, s - 2
    return (
        -s * after * beyond / 6,
        before * after * beyond / 2,
        -before * s * beyond / 2,
        before * s * after / 6,
    )


_f = np.float32
_LOWEST, _PER_UNIT = _f(LOG_MEAN_RANGE[0]), _f(1 / SPACING)
_ONE, _TWO, _HALF, _SIXTH = _f(1), _f(2), _f(1 / 2), _f(1 / 6)


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _log1p_mean_row(r: int, table: Floats, log_mean: Floats, out: Floats) -> None:
    """Compute one row, the last argument, as `_interpolated` does."""
    own, result = log_mean[r], out[r]
    last = _f(table.shape[1] - 2.001)
    for g in range(len(own)):
        place = (own[g] - _LOWEST) * _PER_UNIT
        # Not `max`: NaN must not become an index.
        place = min(place if place > _ONE else _ONE, last)
        low = np.int32(place)
        s = place - _f(low)
        before, after, beyond = s + _ONE, s - _ONE, s - _TWO
        outer = s * after * _SIXTH
        inner = before * beyond * _HALF
        result[g] = (
            outer * (before * table[g, low + 2] - beyond * table[g, low - 1])
            + inner * (after * table[g, low] - s * table[g, low + 1])
        )  # fmt: skip


# A serial and a parallel form. numba caches by name: two under one name would be one.
@njit(**_OPTIONS)
@no_type_check
def _log1p_mean_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[-1])):
        _log1p_mean_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _log1p_mean_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[-1])):
        _log1p_mean_row(r, *arrays)


LOG1P_MEAN = Loop(_log1p_mean_serial, _log1p_mean_parallel)
