"""Reproducible splits into training, validation and test cells."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import (
    POSITIVE_SHARE,
    SHARE,
    check_integer,
    check_number,
    check_seed,
    if_given,
)
from hzau_omics.errors import ConfigError

ROUNDING = 1e-9


class Split(NamedTuple):
    """Positions of the training, validation and test cells, each in ascending order."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split_cells(
    n_cells: int,
    *,
    train_size: float = 0.9,
    validation_size: float | None = None,
    seed: int = 0,
    stratify: ArrayLike | None = None,
) -> Split:
    """Split cells at random, the same way for the same seed.

    Parameters
    ----------
    n_cells
        Number of cells.
    train_size
        Share of training cells, above 0 and at most 1; rounded up to whole cells.
    validation_size
        Share of validation cells, rounded down; None takes all cells that are not used for
        training. The cells left over are test cells.
    seed
        Seed of the split; the global random state is neither used nor changed.
    stratify
        One value or one row per cell, such as `MosaicStore.present`: the shares then hold within
        each distinct value, and a value that two or more cells have is among the training cells.

    Raises
    ------
    ConfigError
        If a share is out of range, or `stratify` does not have one entry per cell.

    Examples
    --------
    >>> train, validation, test = split_cells(10, train_size=0.8, seed=1)
    >>> len(train), len(validation), len(test)
    (8, 2, 0)
    """
    n_cells = check_integer("n_cells", n_cells)
    n_train, n_validation = _sizes(n_cells, *check_shares(train_size, validation_size))
    rng = np.random.default_rng(check_seed("seed", seed))
    rank = rng.random(n_cells)
    if stratify is not None:
        rank = _stratified(rank, _strata(stratify, n_cells))
    order = np.argsort(rank, kind="stable")
    train, validation, test = np.split(order, [n_train, n_train + n_validation])
    return Split(np.sort(train), np.sort(validation), np.sort(test))


def check_shares(train_size: float, validation_size: float | None) -> tuple[float, float | None]:
    """Return the shares of training and validation cells as plain numbers.

    Raises
    ------
    ConfigError
        One is out of range, or their sum exceeds 1.
    """
    train = check_number("train_size", train_size, POSITIVE_SHARE)
    validation = if_given(check_number, "validation_size", validation_size, SHARE)
    if validation is not None and train + validation > 1 + ROUNDING:
        msg = (
            "validation_size must be at most 1 together with train_size. "
            f"Received validation_size={validation} and train_size={train}."
        )
        raise ConfigError(msg)
    return train, validation


def _sizes(n_cells: int, train_size: float, validation_size: float | None) -> tuple[int, int]:
    n_train = int(np.ceil(n_cells * train_size - ROUNDING))
    if validation_size is None:
        return n_train, n_cells - n_train
    n_validation = int(np.floor(n_cells * validation_size + ROUNDING))
    return n_train, min(n_validation, n_cells - n_train)


def _strata(stratify: ArrayLike, n_cells: int) -> NDArray[np.int64]:
    values = np.asarray(stratify)
    if values.ndim == 0 or len(values) != n_cells:
        msg = f"stratify must have one entry per cell ({n_cells}). Received shape {values.shape}."
        raise ConfigError(msg)
    if values.ndim > 1 and values.dtype == bool:
        # Rows packed into numbers, since sorting millions of rows takes gigabytes.
        values = np.packbits(values, axis=1)
        values = values[:, 0] if values.shape[1] == 1 else values
    axis = 0 if values.ndim > 1 else None
    return np.asarray(np.unique(values, axis=axis, return_inverse=True)[1]).reshape(-1)


def _stratified(rank: NDArray[np.float64], strata: NDArray[np.int64]) -> NDArray[np.float64]:
    # Spread each stratum evenly over the order: its k-th cell lies in (k, k + 1) / size.
    spread = np.empty_like(rank)
    for stratum in range(int(strata.max()) + 1):
        cells = np.flatnonzero(strata == stratum)
        cells = cells[np.argsort(rank[cells], kind="stable")]
        spread[cells] = (np.arange(len(cells)) + rank[cells]) / len(cells)
        if len(cells) > 1:
            spread[cells[0]] -= (
                1  # so that its first cell comes before all others and is trained on
            )
    return spread
