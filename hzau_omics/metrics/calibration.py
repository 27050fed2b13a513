"""Calibration of predictive distributions, by the randomised probability integral transform."""

from typing import Any, NamedTuple

import numpy as np

from hzau_omics.arrays import unmasked
from hzau_omics.checks import INNER_SHARE, check_number
from hzau_omics.errors import DataContractError
from hzau_omics.messages import number
from hzau_omics.metrics.arrays import FloatArray


class Coverage(NamedTuple):
    """Share of observations inside the central predictive interval.

    Attributes
    ----------
    overall
        Over all cells and features, each observation counting once.
    per_feature
        Array of shape (features,); NaN for a feature without observations.
    """

    overall: float
    per_feature: FloatArray


def randomised_pit(samples: Any, observed: Any, rng: np.random.Generator) -> FloatArray:
    r"""Compute the randomised probability integral transform from predictive draws.

    With S draws, ``below`` of them smaller than and ``ties`` of them equal to the observation,

    .. math:: u = \frac{below + v\,(ties + 1)}{S + 1}, \qquad v \sim U(0, 1).

    If the observation and its draws are exchangeable (the predictive distribution is correct), the
    rank of the observation among the S + 1 values, with ties broken at random, is uniform on 0..S.
    That rank is ``below`` plus a uniform integer from 0..ties, and ``v (ties + 1)`` is such an
    integer plus an independent uniform on (0, 1). Hence u is exactly uniform on (0, 1), for any
    number of draws and also for counts that are mostly zero.

    Parameters
    ----------
    samples
        Predictive draws, array of shape (draws, ...), in the units of ``observed``.
    observed
        Array of shape (...), for example (cells, features); NaN where nothing was measured.
    rng
        Random generator that draws v.

    Returns
    -------
    Array of the shape of ``observed``, values in [0, 1), NaN where ``observed`` is NaN.

    Raises
    ------
    DataContractError
        If there are no draws, the shapes do not match, or a draw is NaN.

    References
    ----------
    Czado, Gneiting and Held (2009), Predictive model assessment for count data, Biometrics 65;
    here with ranks among draws in place of an exact distribution function.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> draws = rng.poisson(0.1, size=(50, 200))
    >>> pit = randomised_pit(draws, rng.poisson(0.1, size=200), rng)
    >>> bool(0.4 < pit.mean() < 0.6)
    True
    """
    draws = np.asarray(unmasked(samples))
    target = np.asarray(unmasked(observed), dtype=np.float64)
    if draws.ndim == 0 or draws.shape[1:] != target.shape or draws.shape[0] == 0:
        msg = (
            "samples must be (draws, *shape of observed) with at least one draw. Received samples "
            f"{draws.shape} and observed {target.shape}. Put the draws along the first axis."
        )
        raise DataContractError(msg)
    if np.isnan(draws).any():
        msg = (
            f"samples must not hold NaN. Received {int(np.isnan(draws).sum())} in {draws.shape}. "
            "Mark unmeasured entries with NaN in observed, not in the draws."
        )
        raise DataContractError(msg)
    below = (draws < target).sum(axis=0)
    ties = (draws == target).sum(axis=0)
    pit = (below + rng.random(target.shape) * (ties + 1)) / (draws.shape[0] + 1)
    return np.where(np.isnan(target), np.nan, pit)


def interval_coverage(pit: Any, level: float = 0.9) -> Coverage:
    """Measure the share of observations inside the central predictive interval.

    This is the share of the randomised PIT inside ``[(1 - level) / 2, (1 + level) / 2]``. It
    estimates coverage without the upward bias of closed quantile intervals on discrete data.

    Parameters
    ----------
    pit
        Array or DataFrame of shape (cells, features) or (cells,), NaN where not observed.
    level
        Nominal coverage, between 0 and 1.

    Returns
    -------
    ``Coverage(overall, per_feature)``. Calibrated intervals have a coverage of ``level``; below it
    they are too narrow, above it too wide.

    Raises
    ------
    ConfigError
        If ``level`` is not between 0 and 1.
    DataContractError
        If ``pit`` has values outside [0, 1], none at all, or more than two dimensions.

    Examples
    --------
    >>> round(interval_coverage(np.linspace(0, 1, 1001)).overall, 3)
    0.9
    """
    level = check_number("level", level, INNER_SHARE, remedy="Use 0.9 for 90 % intervals.")
    values = _check_pit(pit)
    observed = ~np.isnan(values)
    # The tolerance keeps a bound such as 0.05 inside despite the rounding of (1 - level) / 2.
    inside = np.abs(values - 0.5) <= level / 2 + 1e-12
    n_observed = observed.sum(axis=0)
    share = inside.sum(axis=0) / np.maximum(n_observed, 1)
    per_feature = np.where(n_observed > 0, share, np.nan)
    return Coverage(float(inside.sum() / observed.sum()), per_feature)


def pit_uniformity(pit: Any) -> float:
    """Compute the Kolmogorov-Smirnov distance of the PIT from the uniform distribution.

    Parameters
    ----------
    pit
        Array or DataFrame of shape (cells, features) or (cells,), NaN where not observed; all
        values are pooled.

    Returns
    -------
    Largest difference between the empirical and the uniform distribution function, in [0, 1];
    lower is better.

    Raises
    ------
    DataContractError
        If ``pit`` has values outside [0, 1], or none at all.

    Examples
    --------
    >>> pit_uniformity(np.full(100, 0.5))
    0.5
    """
    values = _check_pit(pit)
    ordered = np.sort(values[~np.isnan(values)])
    steps = np.arange(ordered.size + 1) / ordered.size
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def _check_pit(pit: Any) -> FloatArray:
    values = np.asarray(unmasked(pit), dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or np.isnan(values).all():
        msg = (
            "pit must be (cells, features) with at least one value that is not NaN. Received shape "
            f"{values.shape}. Compute it for cells in which the modality was measured."
        )
        raise DataContractError(msg)
    if np.nanmin(values) < 0 or np.nanmax(values) > 1:
        msg = (
            f"pit must lie in [0, 1]. Received values from {number(np.nanmin(values))} to "
            f"{number(np.nanmax(values))}. Pass the output of "
            "randomised_pit or get_pit, not counts."
        )
        raise DataContractError(msg)
    return values
