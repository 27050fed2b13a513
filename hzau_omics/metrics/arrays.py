"""Checks that the metrics share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hzau_omics.arrays import dense, unmasked
from hzau_omics.errors import DataContractError

type FloatArray = NDArray[np.float64]


def as_matrix(values: Any, *, name: str) -> FloatArray:
    """Return values as a dense float64 matrix.

    Parameters
    ----------
    values
        Array, sparse matrix or DataFrame of shape (rows, columns); masked entries become NaN.
    name
        What the values are, for the error message.

    Returns
    -------
    Array of shape (rows, columns).

    Raises
    ------
    DataContractError
        If the values do not have two dimensions.

    Examples
    --------
    >>> as_matrix([[1, 2]], name="counts").dtype
    dtype('float64')
    """
    matrix = dense(values, np.float64)
    if matrix.ndim != 2:
        msg = (
            f"{name} must be a matrix (cells x features). Received {matrix.ndim} dimension(s), "
            f"shape {matrix.shape}. Reshape it; for a single feature, pass `values[:, None]`."
        )
        raise DataContractError(msg)
    return matrix


def check_counts(values: Any, *, name: str) -> None:
    """Refuse values that are negative or not finite.

    Parameters
    ----------
    values
        Array or sparse matrix of counts.
    name
        What the values are, for the error message.

    Raises
    ------
    DataContractError
        If any value is NaN, infinite or negative.

    Examples
    --------
    >>> check_counts(np.array([[0, 3]]), name="train_x_counts")
    """
    stored = values.data if sparse.issparse(values) else np.asarray(unmasked(values))
    n_bad = int(np.size(stored) - np.count_nonzero(np.isfinite(stored) & (stored >= 0)))
    if n_bad:
        msg = (
            f"{name} must hold counts: finite and not negative. Received {n_bad} value(s) that are "
            "NaN, infinite or negative. Pass the raw counts of cells that were measured."
        )
        raise DataContractError(msg)


def check_same_length(first: Any, second: Any, *, names: tuple[str, str]) -> None:
    """Refuse two arrays whose first axes differ in length.

    Parameters
    ----------
    first, second
        Arrays with cells along the first axis.
    names
        What the two are, for the error message.

    Raises
    ------
    DataContractError
        If the lengths differ.

    Examples
    --------
    >>> check_same_length([1, 2], ["a", "b"], names=("embedding", "labels"))
    """
    lengths = [x.shape[0] if hasattr(x, "shape") else len(x) for x in (first, second)]
    if lengths[0] != lengths[1]:
        msg = (
            f"{names[0]} and {names[1]} must describe the same cells. Received {lengths[0]} and "
            f"{lengths[1]} rows. Select the same cells in both, in the same order."
        )
        raise DataContractError(msg)
