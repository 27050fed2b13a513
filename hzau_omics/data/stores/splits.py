"""Reproducible splits into training, validation, calibration and test cells."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import (
    POSITIVE_SHARE,
    PROPER_SHARE,
    SHARE,
    check_integer,
    check_number,
    check_seed,
    if_given,
)
from hzau_omics.errors import ConfigError

ROUNDING = 1e-9

LEAST_EACH = 200
"""Fewest validation cells, and as many calibration cells, that are told apart by default."""


class Split(NamedTuple):
    """Positions of the cells of each part, in ascending order.

    Attributes
    ----------
    train
        Cells that the weights are fitted to.
    validation
        Cells that early stopping selects the epoch with.
    calibration
        Cells that only what follows training is fitted to; there may be none.
    test
        Cells that are left out.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    calibration: NDArray[np.int64]
    test: NDArray[np.int64]

    @property
    def for_calibrations(self) -> NDArray[np.int64]:
        """Cells that calibrations see: without calibration cells the validation cells."""
        return self.calibration if len(self.calibration) else self.validation


def split_cells(
    n_cells: int,
    *,
    train_size: float = 0.9,
    validation_size: float | None = None,
    calibration_size: float | None = None,
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
        Share of validation cells, rounded down; None takes all cells that are neither for training
        nor for calibration. The cells left over are test cells.
    calibration_size
        Share of calibration cells, below 1 and rounded down. None takes half of the cells that
        `validation_size` alone gives, if these are 400 or more, and no cells otherwise. Training
        cells are the same whatever its value.
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
    >>> [len(part) for part in split_cells(10, train_size=0.8, seed=1)]
    [8, 2, 0, 0]
    >>> [len(part) for part in split_cells(10_000, train_size=0.9, seed=1)]
    [9000, 500, 500, 0]
    """
    n_cells = check_integer("n_cells", n_cells)
    sizes = _sizes(n_cells, *check_shares(train_size, validation_size, calibration_size))
    rng = np.random.default_rng(check_seed("seed", seed))
    rank = rng.random(n_cells)
    if stratify is not None:
        rank = _stratified(rank, _strata(stratify, n_cells))
    order = np.argsort(rank, kind="stable")
    return Split(*(np.sort(part) for part in np.split(order, np.cumsum(sizes))))


def check_shares(
    train_size: float, validation_size: float | None, calibration_size: float | None
) -> tuple[float, float | None, float | None]:
    """Return the shares of training, validation and calibration cells as plain numbers.

    Raises
    ------
    ConfigError
        One is out of range, or their sum exceeds 1.
    """
    train = check_number("train_size", train_size, POSITIVE_SHARE)
    validation = if_given(check_number, "validation_size", validation_size, SHARE)
    calibration = if_given(check_number, "calibration_size", calibration_size, PROPER_SHARE)
    shares = {
        "train_size": train,
        "validation_size": validation,
        "calibration_size": calibration,
    }
    given = {name: share for name, share in shares.items() if share is not None}
    if sum(given.values()) > 1 + ROUNDING:
        received = ", ".join(f"{name}={share}" for name, share in given.items())
        msg = (
            "train_size, validation_size and calibration_size must be at most 1 together. "
            f"Received {received}. Make one of them smaller."
        )
        raise ConfigError(msg)
    return train, validation, calibration


def _sizes(
    n_cells: int, train_size: float, validation_size: float | None, calibration_size: float | None
) -> tuple[int, int, int]:
    """Return the numbers of training, validation and calibration cells."""
    n_train = int(np.ceil(n_cells * train_size - ROUNDING))
    n_calibration = _at_most(n_cells - n_train, n_cells, calibration_size or 0)
    left = n_cells - n_train - n_calibration
    n_validation = left if validation_size is None else _at_most(left, n_cells, validation_size)
    if n_calibration and not n_validation and validation_size is None:
        msg = (
            "calibration_size takes cells that are not trained on, of which some must be left for "
            f"validation. Received calibration_size={calibration_size} and "
            f"train_size={train_size}: make one of them smaller, or give validation_size=0."
        )
        raise ConfigError(msg)
    if calibration_size is None and n_validation >= 2 * LEAST_EACH:
        n_calibration = n_validation // 2
        n_validation -= n_calibration
    return n_train, n_validation, n_calibration


def _at_most(most: int, n_cells: int, share: float) -> int:
    """Return the number of cells of a share, rounded down, or `most` if this is less."""
    return min(int(np.floor(n_cells * share + ROUNDING)), most)


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
