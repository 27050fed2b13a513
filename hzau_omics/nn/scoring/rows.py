"""Compiled loops over sparse measurements and what a decoder expects of them, cell by cell."""

import math
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit, prange
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.kernels.compiled import Loop
from hzau_omics.nn.kernels.threads import compute
from hzau_omics.nn.reliability.contamination import BISECTIONS, LEAST, Contamination

type Floats = NDArray[np.float32]
type Integers = NDArray[np.int64]

# Sums may be reordered, so that a processor adds several numbers at once.
_OPTIONS: dict[str, Any] = {
    "fastmath": {"reassoc", "nsz", "arcp", "contract"},
    "error_model": "numpy",
    "cache": True,
    "nogil": True,
}


def contamination_rows(
    entries: SparseEntries,
    mean: Float[Tensor, "cell feature"],
    ambient: Float[Tensor, " entry"],
) -> Contamination:
    """Return what :func:`~hzau_omics.nn.reliability.contamination.contamination` does, on the CPU.

    Parameters
    ----------
    entries
        Counts, or values that add up.
    mean
        Expected value of every feature.
    ambient
        Share of each entry's feature in the ambient profile.
    """
    found = mean.new_empty(2, len(mean))
    compute(CONTAMINATION, entries.start, entries.feature, entries.value, mean, ambient, found)
    return Contamination(*found)


def correlation_rows(
    entries: SparseEntries, expected: Float[Tensor, "cell feature"]
) -> Float[Tensor, " cell"]:
    """Return the correlation of each cell's values with the expected ones over all features.

    0 where one of the two does not vary. Only for the CPU.
    """
    found = expected.new_empty(len(expected))
    compute(CORRELATION, entries.start, entries.feature, entries.value, expected, found)
    return found


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _contamination_row(  # noqa: PLR0917
    r: int,
    start: Integers,
    feature: Integers,
    value: Floats,
    mean: Floats,
    ambient: Floats,
    found: Floats,
) -> None:
    """Compute purity and log ratio of one cell, the two rows of the last argument."""
    first, n = start[r], start[r + 1] - start[r]
    least = np.float32(LEAST)
    sum_of_means = np.float32(0)
    for g in range(mean.shape[1]):
        sum_of_means += mean[r, g]
    own, difference = np.empty(n, np.float32), np.empty(n, np.float32)
    counts, shares = value[first : first + n], ambient[first : first + n]
    total, ratio = 0.0, 0.0
    for e in range(n):
        own[e] = max(mean[r, feature[first + e]] / sum_of_means, least)
        other = max(shares[e], least)
        difference[e] = other - own[e]
        total += counts[e]
        ratio += counts[e] * math.log(own[e] / other)
    low, high = np.float32(0), np.float32(1)
    for _ in range(BISECTIONS):
        middle = (low + high) * np.float32(0.5)
        slope = np.float32(0)
        for e in range(n):
            slope += counts[e] * difference[e] / (own[e] + middle * difference[e])
        if slope > 0:
            low = middle
        else:
            high = middle
    found[0, r] = 1 - (low + high) * np.float32(0.5) if total > 0 else np.nan
    found[1, r] = ratio / total


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _correlation_row(  # noqa: PLR0917
    r: int, start: Integers, feature: Integers, value: Floats, expected: Floats, found: Floats
) -> None:
    """Compute the correlation of one cell, a number of the last argument."""
    row, n = expected[r], expected.shape[1]
    centre = np.float32(0)
    for g in range(n):
        centre += row[g]
    centre /= n
    of_expected = np.float32(0)
    for g in range(n):
        of_expected += (row[g] - centre) * (row[g] - centre)
    # The centred expectations sum to 0, so that values need no centring for the product.
    total, squares, product = 0.0, 0.0, 0.0
    for e in range(start[r], start[r + 1]):
        total += value[e]
        squares += value[e] * value[e]
        product += value[e] * (row[feature[e]] - centre)
    spread = max(squares - total * total / n, 0.0) * of_expected
    found[r] = product / math.sqrt(spread) if spread > 0 else 0.0


# Each loop in a serial and a parallel form. numba caches by name: two under one name would be one.
@njit(**_OPTIONS)
@no_type_check
def _contamination_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(arrays[-1].shape[1]):
        _contamination_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _contamination_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(arrays[-1].shape[1]):
        _contamination_row(r, *arrays)


@njit(**_OPTIONS)
@no_type_check
def _correlation_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[-1])):
        _correlation_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _correlation_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[-1])):
        _correlation_row(r, *arrays)


CONTAMINATION = Loop(_contamination_serial, _contamination_parallel)
CORRELATION = Loop(_correlation_serial, _correlation_parallel)
