"""Means of groups in which cells lack the values: what predictions add, and their error.

Prediction-powered inference (Angelopoulos and others 2023): measured cells say by how much
predictions are off, and how much a prediction is worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hzau_omics.nn.differential.counts import MeasuredCells, rate
from hzau_omics.nn.differential.effect import ENOUGH, GroupMeans
from hzau_omics.nn.differential.loops import add_predictions, add_products

Array = NDArray[np.float64]

MEASURED, LACKING = 0, 1
"""Parts of a group: cells whose values were measured, and cells that lack them."""


@dataclass
class PredictionSums:
    """Sums over a sample of cells of each group.

    Attributes
    ----------
    n
        Number of sampled cells (group, part, feature).
    first, second
        Sums of the predictions and of their squares (group, part, feature).
    value, size
        Sums of the measured values, and of the cells' sizes (group, feature).
    value_times, size_times
        Sums of predictions times values, and times sizes (group, feature).
    """

    n: Array
    first: Array
    second: Array
    value: Array
    size: Array
    value_times: Array
    size_times: Array

    @classmethod
    def zeros(cls, n_groups: int, n_features: int) -> "PredictionSums":
        """Return sums over no cells."""
        parts, plain = (n_groups, 2, n_features), (n_groups, n_features)
        return cls(*(np.zeros(parts) for _ in range(3)), *(np.zeros(plain) for _ in range(4)))

    def add(
        self,
        group: int,
        prediction: NDArray[np.floating],
        cells: MeasuredCells | None,
        usable: Array,
    ) -> None:
        """Add cells of one group.

        Parameters
        ----------
        group
            Where they belong.
        prediction
            Their predicted values (cell, feature).
        cells
            Their measured values; None for cells that lack them.
        usable
            1 for features that are counted, else 0 (feature,).
        """
        part = LACKING if cells is None else MEASURED
        self.n[group, part] += len(prediction) * usable
        add_predictions(prediction, usable, self.first[group, part], self.second[group, part])
        if cells is not None:
            self.size[group] += cells.sizes.sum() * usable
            sums = self.value[group], self.value_times[group], self.size_times[group]
            add_products(prediction, cells.values, cells.sizes, usable, *sums)

    def mean(self) -> Array:
        """Return mean predictions (group, part, feature)."""
        return rate(self.first, self.n)

    def variance(self) -> Array:
        """Return variances of predictions over cells (group, part, feature)."""
        n = np.maximum(self.n, 1.0)
        centred = np.maximum(self.second / n - (self.first / n) ** 2, 0.0)
        return np.asarray(centred * n / np.maximum(n - 1, 1.0))

    def covariance(self) -> Array:
        """Return covariances of a cell's pull on its group's mean with its prediction."""
        n = np.maximum(self.n[:, MEASURED], 1.0)
        rates = rate(self.value, self.size)
        product = (self.value_times - rates * self.size_times) / n
        mean_size = self.size / n
        return np.divide(product, mean_size, out=np.zeros_like(product), where=mean_size > 0)


@dataclass(frozen=True)
class Bias:
    """How far mean predictions are off in a group of similar cells.

    Attributes
    ----------
    ratio
        Measured over predicted mean (feature,).
    variance
        Variance of the log of this ratio from group to group, beyond sampling (feature,).
    """

    ratio: Array
    variance: Array


def bias_of(sums: PredictionSums) -> Bias:
    """Return the bias of predictions from groups of measured cells, such as clusters.

    Variances of single features are averaged with the median of all, since there are few groups.
    """
    n = sums.n[:, MEASURED]
    known = (n >= ENOUGH) & (sums.value > 0) & (sums.first[:, MEASURED] > 0)
    measured, predicted = rate(sums.value, sums.size), sums.mean()[:, MEASURED]
    log_ratio = np.where(known, np.log(np.where(known, measured, 1.0)), 0.0)
    log_ratio -= np.where(known, np.log(np.where(known, predicted, 1.0)), 0.0)
    noise = np.where(known, 1.0 / np.maximum(sums.value, 1.0), 0.0)
    weight = np.where(known, n, 0.0)
    total = np.maximum(weight.sum(0), 1.0)
    centre = (weight * log_ratio).sum(0) / total
    spread = (weight * ((log_ratio - centre) ** 2 - noise)).sum(0) / total
    n_known = known.sum(0)
    spread = np.maximum(spread, 0.0) * n_known / np.maximum(n_known - 1, 1)
    some = n_known > 1
    typical = float(np.median(spread[some])) if some.any() else 1.0
    return Bias(np.exp(centre), np.where(some, (spread + typical) / 2, max(typical, 1.0)))


@dataclass(frozen=True)
class Completion:
    """What completes the means of measured cells by those of cells that lack the values.

    Attributes
    ----------
    n_cells
        Cells of each group and part (group, part, feature).
    sums
        Predictions of a sample of them.
    bias
        The error of predictions in groups without measured cells.
    """

    n_cells: Array
    sums: PredictionSums
    bias: Bias

    def of(self, means: GroupMeans, members: Sequence[NDArray[np.int64]]) -> GroupMeans:
        """Return means over all cells of two groups.

        Parameters
        ----------
        means
            Means of their measured cells.
        members
            Which groups make up the one, and which the other.
        """
        found = [self._completed(means, k, members[k]) for k in (0, 1)]
        mean, variance = (np.stack(parts) for parts in zip(*found, strict=True))
        return GroupMeans(mean, variance, means.shared, means.n)

    def rests_on_few(
        self, means: GroupMeans, members: Sequence[NDArray[np.int64]]
    ) -> NDArray[np.bool_]:
        """Return of which features a group rests on few measured cells, and not on predictions."""
        few = np.zeros(means.n.shape[1], bool)
        for n, own in zip(means.n, members, strict=True):
            n_lacking = self.n_cells[own, LACKING].sum(0)
            few |= (n > 0) & (n < ENOUGH) & (n_lacking <= n)
        return few

    def lacking(self, members: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return of which features some cells of these groups lack the values (feature,)."""
        return np.asarray(self.n_cells[members, LACKING].sum(0) > 0)

    def share_measured(self, members: NDArray[np.int64]) -> Array:
        """Return the share of the cells of these groups that were measured (feature,)."""
        n = self.n_cells[members].sum(0)
        return np.asarray(n[MEASURED] / np.maximum(n.sum(0), 1.0))

    def means(self, members: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return mean predictions over all cells of these groups, and their variance."""
        own = self.n_cells[members]
        share = own / np.maximum(own.sum((0, 1)), 1.0)
        mean = (share * self._mean[members]).sum((0, 1))
        error = rate(self._variance[members], self.sums.n[members])
        return mean, (share**2 * error).sum((0, 1))

    @cached_property
    def _mean(self) -> Array:
        """Return mean predictions (group, part, feature)."""
        return self.sums.mean()

    @cached_property
    def _covariance(self) -> Array:
        """Return covariances of values with predictions (group, feature)."""
        return self.sums.covariance()

    @cached_property
    def _slope(self) -> Array:
        """Return how much of a difference in predictions is one in values, 0 to 1 (feature,)."""
        n = self.sums.n[:, MEASURED]
        spread = (n * self.sums.variance()[:, MEASURED]).sum(0)
        common = (n * self._covariance).sum(0)
        slope = np.divide(common, spread, out=np.zeros_like(common), where=spread > 0)
        return np.asarray(np.clip(slope, 0.0, 1.0))

    def _completed(
        self, means: GroupMeans, which: int, members: NDArray[np.int64]
    ) -> tuple[Array, Array]:
        """Return mean and variance of one group (feature,)."""
        own = self.n_cells[members]
        n = own.sum(0)
        share = own / np.maximum(n, 1.0)
        predicted = (share * self._mean[members]).sum(0)
        error = (share**2 * rate(self._variance[members], self.sums.n[members])).sum(0)
        common = rate(self._covariance[members], own[:, MEASURED])
        common = (share[:, MEASURED] ** 2 * common).sum(0)
        lacking = n[LACKING] / np.maximum(n.sum(0), 1.0)
        step = self._slope * lacking
        mean, variance = means.mean[which], means.variance[which]
        powered = mean + step * (predicted[LACKING] - predicted[MEASURED])
        doubt = variance - 2 * step * common + step**2 * error.sum(0)
        # Of too few measured cells to correct predictions, both parts count as they are.
        alone = predicted[LACKING] * self.bias.ratio
        alone_doubt = error[LACKING] * self.bias.ratio**2 + alone**2 * self.bias.variance
        mixed = (1 - lacking) * mean + lacking * alone
        mixed_doubt = (1 - lacking) ** 2 * variance + lacking**2 * alone_doubt
        cases = [n[LACKING] == 0, means.n[which] >= ENOUGH]
        doubt = np.maximum(doubt, variance / 100)
        return (
            np.maximum(np.select(cases, [mean, powered], mixed), 0.0),
            np.select(cases, [variance, doubt], mixed_doubt),
        )

    @cached_property
    def _variance(self) -> Array:
        """Return variances of predictions over cells; of one cell, that of all groups.

        Of shape (group, part, feature).
        """
        n, own = self.sums.n, self.sums.variance()
        typical = (n * own).sum((0, 1)) / np.maximum(n.sum((0, 1)), 1.0)
        return np.where(n < ENOUGH, np.maximum(own, typical), own)
