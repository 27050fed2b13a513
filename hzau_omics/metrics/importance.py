"""Importance weights of latent draws: bounds on likelihoods, and the variance of the weights."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hzau_omics.arrays import unmasked
from hzau_omics.errors import ConfigError


def importance_bound(log_weights: ArrayLike) -> NDArray[np.float64]:
    """Return log (1/K) sum_k w_k of each cell in nats: a lower bound on a log likelihood.

    The bound is tighter with more draws (Burda, Grosse and Salakhutdinov 2016). Higher is better.

    Parameters
    ----------
    log_weights
        Log weights (draw, cell), as from ``get_log_importance_weights``.

    Examples
    --------
    >>> importance_bound([[-1.0, -4.0], [-1.0, -2.0]]).round(2)
    array([-1.  , -2.57])
    """
    values = _draws(log_weights)
    top = values.max(axis=0)
    return np.asarray(top + np.log(np.mean(np.exp(values - top), axis=0)))


def weight_variance(log_weights: ArrayLike) -> float:
    """Return the variance of log weights over draws, averaged over cells (lower is better).

    Table 1 of Wu and Goodman (2018) compares this quantity: with the exact posterior the weights of
    the marginal are constant, and the variance is 0. Cells without weights (NaN) are left out.

    Parameters
    ----------
    log_weights
        Log weights (draw, cell).

    Examples
    --------
    >>> weight_variance([[-1.0, -4.0], [-1.0, -2.0]])
    0.5
    """
    values = _draws(log_weights)
    variances = values.var(axis=0)
    return float(np.mean(variances[np.isfinite(variances)]))


def _draws(log_weights: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(unmasked(log_weights), dtype=np.float64)
    if values.ndim != 2 or not len(values):
        msg = (
            "Log weights must have the shape (draw, cell) with at least one draw. Received "
            f"{values.shape}. Pass the output of get_log_importance_weights."
        )
        raise ConfigError(msg)
    return values
