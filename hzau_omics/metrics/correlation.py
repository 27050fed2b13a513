"""Correlation of predictions with observations, feature by feature."""

from typing import Any

import numpy as np

from hzau_omics.errors import DataContractError
from hzau_omics.metrics.arrays import FloatArray, as_matrix

_CONSTANT = 1e-12


def pearson_per_feature(predicted: Any, observed: Any) -> FloatArray:
    """Compute the Pearson correlation of predicted with observed values for each feature.

    Parameters
    ----------
    predicted
        Array of shape (cells, features), for example log1p counts.
    observed
        Array of shape (cells, features) in the same units; entries that are NaN were not measured
        and are left out.

    Returns
    -------
    Array of shape (features,), higher is better. NaN where the correlation is undefined because
    the observed values are constant or fewer than two. A constant prediction of values that vary
    carries no information and counts as 0, so that it cannot raise a mean over features.

    Raises
    ------
    DataContractError
        If the shapes differ, or a prediction is missing or infinite where there is an observation.

    Examples
    --------
    >>> observed = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    >>> pearson_per_feature(2 * observed + 1, observed)
    array([ 1., nan])
    """
    prediction = as_matrix(predicted, name="predicted")
    target = as_matrix(observed, name="observed")
    measured = _check(prediction, target)
    n_measured = measured.sum(axis=0)
    left = _unit_columns(prediction, measured)
    right = _unit_columns(target, measured)
    correlation = np.clip(np.einsum("cf,cf->f", left, right), -1.0, 1.0)
    undefined = (n_measured < 2) | ~right.any(axis=0)
    return np.where(undefined, np.nan, correlation)


def mean_feature_pearson(predicted: Any, observed: Any) -> float:
    """Average the per-feature Pearson correlations.

    Parameters
    ----------
    predicted, observed
        As for :func:`pearson_per_feature`.

    Returns
    -------
    Mean over the features whose correlation is defined, higher is better; NaN if there is none.

    Examples
    --------
    >>> observed = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    >>> round(mean_feature_pearson(-observed, observed), 3)
    -1.0
    """
    correlation = pearson_per_feature(predicted, observed)
    defined = correlation[~np.isnan(correlation)]
    return float(defined.mean()) if defined.size else float("nan")


def _check(prediction: FloatArray, target: FloatArray) -> np.ndarray:
    if prediction.shape != target.shape:
        msg = (
            f"predicted and observed must have the same shape. Received {prediction.shape} and "
            f"{target.shape}. Select the same cells and features in both, in the same order."
        )
        raise DataContractError(msg)
    measured = ~np.isnan(target)
    infinite = measured & ~np.isfinite(target)
    missing = measured & ~np.isfinite(prediction)
    for name, bad in (("observed", infinite), ("predicted", missing)):
        if bad.any():
            cell, feature = (int(i[0]) for i in np.nonzero(bad))
            msg = (
                f"{name} must be finite wherever there is an observation. Received "
                f"{int(bad.sum())} value(s) that are not, the first in row {cell}, column "
                f"{feature}. Set observed to NaN for entries to leave out."
            )
            raise DataContractError(msg)
    return measured


def _unit_columns(values: FloatArray, measured: np.ndarray) -> FloatArray:
    """Centre each column over its measured entries and scale it to length one (or zero)."""
    kept = np.where(measured, values, 0.0)
    count = np.maximum(measured.sum(axis=0), 1)
    # Scaling first keeps squares of very large and very small values representable.
    largest = np.abs(kept).max(axis=0, initial=0.0)
    kept = kept / np.where(largest > 0, largest, 1.0)
    centred = np.where(measured, kept - kept.sum(axis=0) / count, 0.0)
    length = np.sqrt((centred**2).sum(axis=0))
    constant = length <= _CONSTANT * np.sqrt(count)
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, length))
