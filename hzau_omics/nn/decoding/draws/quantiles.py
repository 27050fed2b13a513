"""Quantiles of few draws of many entries."""

from collections.abc import Sequence
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

WIDTH = 256
"""Entries that are sorted together, so that their draws stay in the processor's cache."""


def quantiles_of(
    draws: Float[Tensor, "sample cell feature"], probabilities: Float[Tensor, " quantile"]
) -> Float[Tensor, "quantile cell feature"]:
    """Return quantiles over draws, with linear interpolation between neighbouring draws.

    Examples
    --------
    >>> draws = torch.tensor([4.0, 0.0, 1.0]).view(3, 1, 1)
    >>> quantiles_of(draws, torch.tensor([0.5, 0.75])).flatten()
    tensor([1.0000, 2.5000])
    """
    if draws.device.type != "cpu":
        return _of_sorted(draws.sort(0).values, probabilities.tolist())
    out = draws.new_empty(len(probabilities), *draws.shape[1:])
    compute(QUANTILES, probabilities.double(), draws.flatten(1), out.view(len(out), -1))
    return out


def _of_sorted(
    draws: Float[Tensor, "sample cell feature"], probabilities: Sequence[float]
) -> Float[Tensor, "quantile cell feature"]:
    """Return quantiles of sorted draws, with tensor operations (`torch.quantile` takes few)."""
    last = len(draws) - 1
    found = []
    for probability in probabilities:
        low = int(probability * last)
        a, b = draws[low], draws[min(low + 1, last)]
        found.append(torch.where(a == b, a, a + (probability * last - low) * (b - a)))
    return torch.stack(found)


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _exchange(low: Floats, high: Floats) -> None:
    """Order two draws of every entry."""
    for e in range(len(low)):
        a, b = low[e], high[e]
        low[e] = a if a < b else b
        high[e] = b if a < b else a


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _sort(held: Floats) -> None:
    """Sort the draws of every entry (sample, entry) in place, by merge exchange.

    The comparisons are the same for all values (Knuth, Algorithm 5.2.2M), so that a processor makes
    those of many entries at once.
    """
    n = len(held)
    top = 1
    while top < n:
        top *= 2
    p = top // 2
    while p > 0:
        q, r, d = top // 2, 0, p
        while True:
            for i in range(n - d):
                if i & p == r:
                    _exchange(held[i], held[i + d])
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _quantiles_part(
    start: int, probabilities: NDArray[np.float64], draws: Floats, out: Floats
) -> None:
    """Compute the quantiles (quantile, entry) of some entries, the last argument."""
    stop = min(start + WIDTH, draws.shape[1])
    held = draws[:, start:stop].copy()
    _sort(held)
    last = len(held) - 1
    for q in range(len(probabilities)):
        low = int(probabilities[q] * last)
        high, share = min(low + 1, last), np.float32(probabilities[q] * last - low)
        for e in range(stop - start):
            a, b = held[low, e], held[high, e]
            # The difference of two infinities is not a number.
            out[q, start + e] = a if a == b else a + share * (b - a)


# A serial and a parallel form. numba caches by name: two under one name would be one.
@njit(**_OPTIONS)
@no_type_check
def _quantiles_serial(*arrays):  # noqa: ANN002, ANN202
    for i in range(-(-arrays[-1].shape[1] // WIDTH)):
        _quantiles_part(i * WIDTH, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _quantiles_parallel(*arrays):  # noqa: ANN002, ANN202
    for i in prange(-(-arrays[-1].shape[1] // WIDTH)):
        _quantiles_part(i * WIDTH, *arrays)


QUANTILES = Loop(_quantiles_serial, _quantiles_parallel)
