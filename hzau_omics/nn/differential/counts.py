"""Weighted residuals of counts, and their sums over the cells of a group."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hzau_omics.nn.differential.loops import add_values

Array = NDArray[np.float64]

LARGEST_DISPERSION = 100.0


class MeasuredCells(NamedTuple):
    """Cells of one batch, whose values were measured.

    Attributes
    ----------
    batch
        Code of the batch.
    values
        Values, 0 where the batch did not measure a feature (cell, feature).
    sizes
        Size factor of each cell (cell,).
    measured
        1 where the batch measured a feature, else 0 (feature,).
    """

    batch: int
    values: NDArray[np.floating]
    sizes: Array
    measured: Array


@dataclass
class GroupSums:
    """Sums over the cells of each group and batch, of every feature.

    Arrays have the shape (group, batch, feature) unless another is given.

    Attributes
    ----------
    n
        Number of cells in which the feature was measured.
    size
        Sum of their size factors.
    size2
        Sum of squared size factors.
    total
        Sum of the values.
    square
        Sum of squared values.
    cross
        Sum of values times size factors.
    detected
        Number of cells with a value above 0.
    """

    n: Array
    size: Array
    size2: Array
    total: Array
    square: Array
    cross: Array
    detected: Array

    @classmethod
    def zeros(cls, n_groups: int, n_batches: int, n_features: int) -> "GroupSums":
        """Return sums over no cells."""
        shape = (n_groups, n_batches, n_features)
        return cls(*(np.zeros(shape) for _ in range(7)))

    def add(self, groups: NDArray[np.int64], cells: MeasuredCells) -> None:
        """Add cells of one batch.

        Parameters
        ----------
        groups
            Group of each cell (cell,).
        cells
            The cells.
        """
        batch, shape = cells.batch, len(self.n)
        n, size, size2 = (
            np.bincount(groups, cells.sizes**power, minlength=shape)[:, None] * cells.measured
            for power in range(3)
        )
        self.n[:, batch] += n
        self.size[:, batch] += size
        self.size2[:, batch] += size2
        sums = self.total, self.square, self.cross, self.detected
        add_values(groups, batch, cells.values, cells.sizes, *sums)

    def pick(self, groups: NDArray[np.int64]) -> "GroupSums":
        """Return the sums over several groups together, (batch, feature) each."""
        return GroupSums(*(getattr(self, name)[groups].sum(0) for name in _NAMES))

    def of(self, groups: NDArray[np.int64]) -> "GroupSums":
        """Return the sums of some groups (group, batch, feature)."""
        return GroupSums(*(getattr(self, name)[groups] for name in _NAMES))


_NAMES = ("n", "size", "size2", "total", "square", "cross", "detected")


def rate(total: Array, size: Array) -> Array:
    """Return values per unit of size, 0 where nothing was measured."""
    return np.divide(total, size, out=np.zeros_like(total), where=size > 0)


def residual_square(sums: GroupSums, rates: Array) -> Array:
    """Return the sum of squared residuals of values from ``rate * size``."""
    square = sums.square - 2 * rates * sums.cross + rates**2 * sums.size2
    return np.maximum(square, 0.0)


def dispersions(sums: GroupSums) -> Array:
    """Return the overdispersion of each feature by moments: variance = mean + d mean² (feature,).

    Within groups and batches, so that differences between them are no dispersion.
    """
    rates = rate(sums.total, sums.size)
    excess = (residual_square(sums, rates) - sums.total).sum((0, 1))
    square = (rates**2 * sums.size2).sum((0, 1))
    found = np.divide(excess, square, out=np.zeros_like(excess), where=square > 0)
    return np.clip(found, 0.0, LARGEST_DISPERSION)
