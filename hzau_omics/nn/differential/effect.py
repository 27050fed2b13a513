"""The size of a difference between two groups, and its standard error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from hzau_omics.nn.differential.counts import GroupSums, rate, residual_square

Array = NDArray[np.float64]

NOT_EXPRESSED = 0.01
"""Mean counts per cell below which a feature is not expressed in a group."""
MOST_OF_THE_NOISE = 0.9
HALF_A_COUNT = 0.5
SMALLEST_P = 1e-300
CERTAIN = 4.0
ENOUGH = 20
"""Measured cells that say by themselves how much they vary."""


@dataclass(frozen=True)
class GroupMeans:
    """Mean values of two groups that are comparable, and the variances of these means.

    Attributes
    ----------
    mean
        Values per unit of size (group, feature).
    variance
        Their sampling variance (group, feature).
    shared
        Whether the groups were compared within batches (feature,): some batch has cells of both.
    n
        Measured cells that the means rest on (group, feature).
    """

    mean: Array
    variance: Array
    shared: NDArray[np.bool_]
    n: Array


def group_means(one: GroupSums, other: GroupSums, dispersion: Array) -> GroupMeans:
    """Return means over the batches that both groups are in, weighted alike in both.

    A batch weighs by the precision of a difference within it: n1 n2 / (n1 + n2), as in the test of
    Mantel and Haenszel (1959). Where no batch has both groups, each has the mean of its own cells.
    Of few cells, the variance is at least that of counts with this overdispersion (feature,).
    """
    both = (one.n > 0) & (other.n > 0)
    shared = both.any(0)
    common = np.where(both, one.n * other.n / np.maximum(one.n + other.n, 1.0), 0.0)
    weights = [np.where(shared, common, sums.n) for sums in (one, other)]
    found = [_mean(*pair, dispersion) for pair in zip((one, other), weights, strict=True)]
    mean, variance = (np.stack(parts) for parts in zip(*found, strict=True))
    n = [np.where(w > 0, sums.n, 0).sum(0) for w, sums in zip(weights, (one, other), strict=True)]
    return GroupMeans(mean, variance, shared, np.stack(n))


def _mean(sums: GroupSums, weight: Array, dispersion: Array) -> tuple[Array, Array]:
    rates = rate(sums.total, sums.size)
    bessel = sums.n / np.maximum(sums.n - 1, 1.0)
    square = np.maximum(residual_square(sums, rates) * bessel, HALF_A_COUNT)
    of_counts = rates * sums.size + dispersion * rates**2 * sums.size2
    square = np.where(sums.n < ENOUGH, np.maximum(square, of_counts), square)
    of_batch = np.divide(square, sums.size**2, out=np.zeros_like(square), where=sums.size > 0)
    total = np.where(weight.any(0), weight.sum(0), 1.0)
    return (weight * rates).sum(0) / total, (weight**2 * of_batch).sum(0) / total**2


def pseudocount(one: GroupSums, other: GroupSums) -> float:
    """Return what features show that are not expressed.

    It is the 0.9 quantile of the larger mean over features of fewer than 0.01 counts per cell in
    both groups, and at least half a count in the smaller group that was measured.
    """
    counts = [rate(sums.total.sum(0), sums.n.sum(0)) for sums in (one, other)]
    rates = [rate(sums.total.sum(0), sums.size.sum(0)) for sums in (one, other)]
    silent = (counts[0] < NOT_EXPRESSED) & (counts[1] < NOT_EXPRESSED)
    sizes = [sums.size.sum(0).max(initial=0.0) for sums in (one, other)]
    measured = [size for size in sizes if size > 0]
    least = HALF_A_COUNT / min(measured) if measured else SMALLEST_P
    noise = np.maximum(*rates)[silent]
    return max(least, float(np.quantile(noise, MOST_OF_THE_NOISE)) if noise.size else 0.0)


def offsets(one: GroupSums, other: GroupSums, silent: float, predicted: NDArray[np.bool_]) -> Array:
    """Return what is added to the means of both groups before a ratio (group, feature).

    Half a count in each group: the log of a mean is then nearly unbiased (Haldane 1956). To
    predictions `silent`: of features that are not expressed, they are too certain to take a ratio.

    Parameters
    ----------
    one, other
        Sums of two groups (batch, feature).
    silent
        What features show that are not expressed (`pseudocount`).
    predicted
        Whether predictions are part of the means (feature,).
    """
    size = np.stack([one.size.sum(0), other.size.sum(0)])
    counted = (size > 0) & ~predicted
    return np.where(counted, HALF_A_COUNT / np.where(counted, size, 1.0), silent)


def log_ratio(mean: Array, variance: Array, offset: float | Array) -> tuple[Array, Array]:
    """Return the log2 fold change of group one over the other, and its standard error (feature,).

    Parameters
    ----------
    mean, variance
        Means of both groups, and their sampling variance (group, feature).
    offset
        What is added to each mean.
    """
    shifted = np.maximum(mean, 0.0) + offset
    change = np.log2(shifted[0]) - np.log2(shifted[1])
    error = np.sqrt((variance / shifted**2).sum(0)) / np.log(2.0)
    return change, np.asarray(error)


def as_error(change: Array, p_value: Array, error: Array) -> Array:
    """Return the standard error with which a change has at least its p-value.

    Beyond `CERTAIN` standard errors the p-value says no more of it: it is one of no change.
    """
    quantile = np.minimum(-ndtri(np.clip(p_value, SMALLEST_P, 1.0) / 2), CERTAIN)
    implied = np.divide(np.abs(change), quantile, out=np.zeros_like(change), where=quantile > 0)
    return np.maximum(error, np.where(quantile < CERTAIN, implied, 0.0))


def p_value_beyond(change: Array, error: Array, delta: float) -> Array:
    """Return p-values of a change within [-delta, delta] (feature,).

    The hypothesis is an interval, as in McCarthy and Smyth (2009); with ``delta=0`` this is the
    two-sided test.
    """
    known = error > 0
    scale = np.where(known, error, 1.0)
    size = np.abs(change)
    found = ndtr((delta - size) / scale) + ndtr((-delta - size) / scale)
    return np.asarray(np.where(known, np.minimum(found, 1.0), 1.0))
