"""Random orders that a disk can read fast: short runs of neighbours, shuffled within windows."""

import numpy as np
from numpy.typing import NDArray

RUN = 16
"""Adjacent cells on disk that are read together."""

WINDOW = 8192
"""Cells that are in memory at a time, shuffled among themselves."""


def shuffled_runs(
    cells: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    run: int = RUN,
    window: int = WINDOW,
) -> NDArray[np.int64]:
    """Return cells in a random order that consists of runs of neighbours.

    Runs of `run` positions come in random order, and `window` cells at a time are permuted: with
    the defaults each window draws 512 runs from the whole store.

    Parameters
    ----------
    cells
        Positions, each at most once.
    rng
        Random generator.
    run, window
        Positions per run, cells per window.

    Examples
    --------
    >>> order = shuffled_runs(np.arange(64), np.random.default_rng(0), run=4, window=16)
    >>> sorted(order) == list(range(64)), len({int(i) // 4 for i in order[:16]})
    (True, 4)
    """
    ordered = np.sort(cells)
    first = np.flatnonzero(np.diff(ordered // run, prepend=-1))
    length = np.diff(first, append=len(ordered))
    runs = rng.permutation(len(first))
    length = length[runs]
    # Position within the order -> position within the sorted cells, run by run.
    place = np.repeat(first[runs] - np.cumsum(length) + length, length)
    place += np.arange(len(ordered))
    order: NDArray[np.int64] = ordered[place]
    for start in range(0, len(order), window):
        rng.shuffle(order[start : start + window])
    return order
