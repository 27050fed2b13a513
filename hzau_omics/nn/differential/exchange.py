"""A test of no difference: the groups' cells are exchanged within batches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, ndtr

from hzau_omics.nn.differential.counts import MeasuredCells
from hzau_omics.nn.differential.loops import add_residuals

Array = NDArray[np.float64]

SYMMETRIC = 1e-3
"""Skewness below which a distribution is taken as normal."""


@dataclass
class ResidualSums:
    """Sums over the cells of each group and batch, of every feature: (group, batch, feature).

    A residual is a value minus what is expected of it without a difference, times the value's
    weight.

    Attributes
    ----------
    n
        Number of cells in which the feature was measured.
    weight
        Sum of weights times size factors: how much a cell's group counts.
    first, second, third
        Sums of the residuals, of their squares, and of their cubes.
    """

    n: Array
    weight: Array
    first: Array
    second: Array
    third: Array

    @classmethod
    def zeros(cls, n_groups: int, n_batches: int, n_features: int) -> "ResidualSums":
        """Return sums over no cells."""
        shape = (n_groups, n_batches, n_features)
        return cls(*(np.zeros(shape) for _ in range(5)))

    def add(
        self, groups: NDArray[np.int64], cells: MeasuredCells, *, rates: Array, dispersion: Array
    ) -> None:
        """Add cells of one batch.

        Parameters
        ----------
        groups
            Group of each cell (cell,).
        cells
            The cells.
        rates
            Expected values per unit of size in this batch (feature,).
        dispersion
            Overdispersion of each feature; cells of which less is known weigh less (feature,).
        """
        counts = np.bincount(groups, minlength=len(self.n))
        self.n[:, cells.batch] += counts[:, None] * cells.measured
        of_cells = cells.values, cells.sizes, cells.measured
        sums = self.weight, self.first, self.second, self.third
        add_residuals(groups, cells.batch, *of_cells, rates, dispersion, *sums)

    def pick(self, groups: NDArray[np.int64]) -> "ResidualSums":
        """Return the sums over several groups together (batch, feature)."""
        return ResidualSums(*(getattr(self, name)[groups].sum(0) for name in _NAMES))


_NAMES = ("n", "weight", "first", "second", "third")


def p_values(one: ResidualSums, other: ResidualSums) -> tuple[Array, Array]:
    """Return p-values of no difference, and the sign of the difference.

    The statistic is the score of a count model: the sum of the residuals in group one. Its first
    three moments over all exchanges of cells between the groups, batch by batch, are exact; a
    shifted gamma distribution has the same three, and gives the tail. Cells of the groups may
    differ in size: the variance is then at least the one that follows from their weights.

    Parameters
    ----------
    one, other
        Sums of two groups (batch, feature).

    Returns
    -------
    Two-sided p-values (feature,), 1 where nothing differs in any batch that has both groups; and
    -1, 0 or 1: whether values are lower or higher in group one.
    """
    usable = (one.n > 0) & (other.n > 0)
    score = np.where(usable, _score(one, other), 0.0).sum(0)
    pooled, third = (np.where(usable, part, 0.0).sum(0) for part in _moments(one, other))
    apart = np.where(usable, _variance_apart(one, other), 0.0).sum(0)
    variance = np.maximum(pooled, apart)
    return _two_sided(score, variance, third), np.sign(score)


def _score(one: ResidualSums, other: ResidualSums) -> Array:
    share = _share(one, other)
    return one.first - share * (one.first + other.first)


def _share(one: ResidualSums, other: ResidualSums) -> Array:
    weight = one.weight + other.weight
    return np.divide(one.weight, weight, out=np.zeros_like(weight), where=weight > 0)


def _variance_apart(one: ResidualSums, other: ResidualSums) -> Array:
    """Return the variance of the statistic if a residual's is proportional to its weight.

    What both groups show of it together, since a small group hardly shows its own.
    """
    share, weight = _share(one, other), one.weight + other.weight
    second = one.second + other.second
    each = np.divide(second, weight, out=np.zeros_like(weight), where=weight > 0)
    return np.asarray(each * ((1 - share) ** 2 * one.weight + share**2 * other.weight))


def _moments(one: ResidualSums, other: ResidualSums) -> tuple[Array, Array]:
    """Return variance and third central moment of the sum over group one, cells exchanged."""
    n, n_one = np.maximum(one.n + other.n, 1.0), one.n
    mean = (one.first + other.first) / n
    second = (one.second + other.second) / n
    third = (one.third + other.third) / n
    centred2 = np.maximum(second - mean**2, 0.0)
    centred3 = third - 3 * mean * second + 2 * mean**3
    pairs = n_one * other.n
    variance = pairs / np.maximum(n - 1, 1.0) * centred2
    skewed = pairs * (n - 2 * n_one) / np.maximum((n - 1) * (n - 2), 1.0) * centred3
    return variance, skewed


def _two_sided(score: Array, variance: Array, third: Array) -> Array:
    deviation = np.sqrt(variance)
    known = deviation > 0
    scale = np.where(known, deviation, 1.0)
    skewness = np.where(known, third / scale**3, 0.0)
    upper = upper_tail(score / scale, skewness)
    lower = upper_tail(-score / scale, -skewness)
    return np.asarray(np.where(known, np.minimum(1.0, 2 * np.minimum(upper, lower)), 1.0))


def upper_tail(z: Array, skewness: Array) -> Array:
    """Return the chance of at least `z` under a shifted gamma with mean 0, variance 1 and skewness.

    A negative skewness is taken as 0: the tail is then short, and a gamma distribution would end
    before the values do.

    Examples
    --------
    >>> upper_tail(np.array([0.0]), np.array([0.0])).tolist()
    [0.5]
    """
    bent = skewness > SYMMETRIC
    shape = 4.0 / np.where(bent, skewness, 1.0) ** 2
    at = np.maximum(shape + np.sqrt(shape) * z, 0.0)
    return np.asarray(np.where(bent, gammaincc(shape, at), ndtr(-z)))
