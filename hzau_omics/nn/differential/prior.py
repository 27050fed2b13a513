"""What is believed of changes: a prior learned from all features, and their posteriors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, softmax

Array = NDArray[np.float64]

STEP = 2.0
"""Ratio of neighbouring scales of the prior."""
NULL_WEIGHT, NULL_SHARE = 10.0, 0.05
"""Features without a change that are assumed besides those tested: at most, and their share."""
ENOUGH = 50
N_STEPS, TOLERANCE = 500, 1e-5
NEGLIGIBLE = 1e-4
"""Weight of a component of the prior below which it is left out."""
N_HALVINGS, CLOSE = 28, 1e-6


@dataclass(frozen=True)
class Expected:
    """What a model expects of the changes.

    Attributes
    ----------
    mean
        Expected log fold change (feature,).
    variance
        Its sampling variance (feature,).
    """

    mean: Array
    variance: Array


@dataclass(frozen=True)
class Posterior:
    """Posterior of each feature's change: a mixture of normal distributions (feature, component).

    A component of standard deviation 0 is a point.

    Attributes
    ----------
    weight, mean, deviation
        Weights, which sum to 1 for each feature, means and standard deviations.
    """

    weight: Array
    mean: Array
    deviation: Array

    def expectation(self) -> Array:
        """Return posterior means (feature,)."""
        return np.asarray((self.weight * self.mean).sum(1))

    def spread(self) -> Array:
        """Return posterior standard deviations (feature,)."""
        second = (self.weight * (self.mean**2 + self.deviation**2)).sum(1)
        return np.sqrt(np.maximum(second - self.expectation() ** 2, 0.0))

    def above(self, value: float | Array) -> Array:
        """Return the probability of a change above a value (feature,)."""
        at = np.asarray(value, dtype=np.float64).reshape(-1, 1)
        scale = np.where(self.deviation > 0, self.deviation, 1.0)
        spread_out = ndtr((self.mean - at) / scale)
        return np.asarray(
            (self.weight * np.where(self.deviation > 0, spread_out, self.mean > at)).sum(1)
        )

    def quantile(self, q: float) -> Array:
        """Return quantiles by bisection (feature,)."""
        reach = 10 * self.deviation
        low, high = (self.mean - reach).min(1) - 1e-9, (self.mean + reach).max(1) + 1e-9
        for _ in range(N_HALVINGS):
            middle = (low + high) / 2
            beyond = self.above(middle) > 1 - q
            low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
        return self._at_point((low + high) / 2)

    def _at_point(self, value: Array) -> Array:
        """Return values with those that bisection brought to a point set to the point itself."""
        gap = np.abs(np.where(self.deviation > 0, np.inf, self.mean - value[:, None]))
        rows, nearest = np.arange(len(value)), gap.argmin(1)
        return np.where(gap[rows, nearest] < CLOSE, self.mean[rows, nearest], value)


def posterior(change: Array, error: Array, expected: Expected | None = None) -> Posterior:
    """Return posteriors of changes, given estimates and their standard errors.

    The prior is a mixture of normal distributions around 0 and around what a model expects, and of
    no change at all. Its weights maximise the likelihood of all features' estimates, with a penalty
    that favours no change (adaptive shrinkage, Stephens 2017, with two centres).

    Parameters
    ----------
    change, error
        Estimated changes and standard errors (feature,).
    expected
        What a model expects; None for a prior around 0 only.

    Of fewer than `ENOUGH` features no prior can be learned: it is then flat.
    """
    if len(change) < ENOUGH:
        return Posterior(np.ones((len(change), 1)), change[:, None], error[:, None])
    scales = _scales(change, error)
    centre, spread = _components(len(change), scales, expected)
    total = np.maximum(spread + error[:, None] ** 2, np.finfo(float).tiny)
    gap = change[:, None] - centre
    log_likelihood = -0.5 * (np.log(total) + gap**2 / total)
    weight = _weights(log_likelihood)
    used = np.flatnonzero(weight > NEGLIGIBLE)
    prior = np.log(weight[used] / weight[used].sum())
    shrink = (spread / total)[:, used]
    # A model learned from these cells follows their noise: it is no more certain than they are.
    certainty = np.where(used < spread.shape[1] // (1 + (expected is not None)), shrink, 1.0)
    return Posterior(
        softmax(prior + log_likelihood[:, used], axis=1),
        centre[:, used] + shrink * gap[:, used],
        np.sqrt(np.maximum(certainty, 0.0)) * error[:, None],
    )


def _scales(change: Array, error: Array) -> Array:
    known = error[error > 0]
    least = known.min() / 10 if known.size else 1e-2
    excess = float(np.max(change**2 - error**2, initial=0.0))
    most = max(2 * np.sqrt(max(excess, 0.0)), 8 * least)
    return np.asarray(least * STEP ** np.arange(np.ceil(np.log(most / least) / np.log(STEP)) + 1))


def _components(n_features: int, scales: Array, expected: Expected | None) -> tuple[Array, Array]:
    """Return centres and variances of the prior's components (feature, component)."""
    variances = np.concatenate([[0.0], scales**2])
    shape = (n_features, len(variances))
    centres, spreads = [np.zeros(shape)], [np.broadcast_to(variances, shape)]
    if expected is not None:
        centres.append(np.broadcast_to(expected.mean[:, None], shape))
        spreads.append(variances + expected.variance[:, None])
    return np.concatenate(centres, 1), np.concatenate(spreads, 1)


def _weights(log_likelihood: Array) -> Array:
    """Return the mixture's weights by expectation maximisation (component,)."""
    n_features, n_components = log_likelihood.shape
    likelihood = np.exp(log_likelihood - log_likelihood.max(1, keepdims=True))
    penalty = np.zeros(n_components)
    penalty[0] = min(NULL_WEIGHT, NULL_SHARE * n_features)
    weight = np.full(n_components, 1.0 / n_components)
    for _ in range(N_STEPS):
        counts = weight * (likelihood.T @ (1.0 / (likelihood @ weight))) + penalty
        updated = counts / counts.sum()
        done = float(np.abs(updated - weight).max()) < TOLERANCE
        weight = updated
        if done:
            break
    return np.asarray(weight)


def log_odds(probability: Array) -> Array:
    """Return natural log odds, finite."""
    inside = np.clip(probability, 1e-8, 1 - 1e-8)
    return np.log(inside) - np.log1p(-inside)
