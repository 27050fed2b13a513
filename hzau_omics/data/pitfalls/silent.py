"""Features, cells and batches that are 0 throughout, tested against chance.

A feature is silent in a batch if it is 0 in all of the batch's cells.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from hzau_omics.data.pitfalls.summary import BatchSummary

IMPROBABLE = 1e-6
"""Probability below which chance is ruled out."""

LOW = 0.05
"""Quantile of the depth that stands for a shallow cell."""

CERTAIN = -float(np.log(IMPROBABLE))
"""Expected counts of a Poisson cell for which no count at all is improbable: about 14."""


def silent_features(batches: Mapping[str, BatchSummary]) -> dict[str, NDArray[np.bool_]]:
    r"""Find the features that are 0 in all cells of a batch although that is improbable.

    Had the batch been measured like the others, the probability that all of the :math:`K` cells in
    which a feature is detected are among the :math:`n` cells of the others is
    :math:`\binom{n}{K} / \binom{n + m}{K}`, where the batch has :math:`m` cells. A cell shallower
    than the others' average is weighted by the ratio of its depth to that average, and no cell by
    more than 1: for any mixture of Poisson counts, a shallow cell detects a feature with at least
    that fraction of the probability. Depth is compared over the features that both measured. Empty
    cells have no weight, in the batch as in the others.

    Returns
    -------
    dict
        Batch -> boolean array (feature).
    """
    result = {}
    for name, own in batches.items():
        others = [batch for other, batch in batches.items() if other != name]
        result[name] = np.zeros(len(own.detected), dtype=bool)
        n_others = sum(int(np.count_nonzero(batch.counted)) for batch in others)
        if n_others and own.counted.any():
            result[name] = _silent(own, others, n_others)
    return result


def _silent(own: BatchSummary, others: list[BatchSummary], n_others: int) -> NDArray[np.bool_]:
    detected = np.minimum(np.sum([batch.detected for batch in others], axis=0), n_others)
    average = sum(float(batch.counted.sum()) for batch in others) / n_others
    # Expected counts of each feature in the others; only the shares matter.
    mass = np.sum(
        [b.total / max(b.sampled, 1) * np.count_nonzero(b.counted) for b in others], axis=0
    )
    never = own.detected == 0
    silent = np.zeros(len(never), dtype=bool)
    while True:
        shared = 1.0 - float(mass[silent].sum()) / max(float(mass.sum()), 1e-300)
        cells = np.minimum(own.counted / max(average * shared, 1e-300), 1.0).sum()
        found = never & (log_all_among_others(detected, n_others, cells) < np.log(IMPROBABLE))
        if np.array_equal(found | silent, silent):
            return silent
        silent |= found


def log_all_among_others(
    detected: NDArray[np.int64], n_others: int, n_own: float
) -> NDArray[np.float64]:
    """Return the log-probability that all detections fall on the others' cells by chance.

    Parameters
    ----------
    detected
        Cells of the others in which a feature is detected (feature).
    n_others
        Number of cells of the others.
    n_own
        Number of cells of the batch, weighted by depth.

    Examples
    --------
    >>> float(np.exp(log_all_among_others(np.array([1]), 3, 1.0))[0].round(3))
    0.75
    """
    n = float(n_others)
    return np.asarray(
        gammaln(n + 1) - gammaln(n - detected + 1) - gammaln(n + n_own + 1)
        + gammaln(n + n_own - detected + 1)
    )  # fmt: skip


def silent_batches(batches: Mapping[str, BatchSummary]) -> list[str]:
    """Find the batches without any count, although empty cells are rare in the others."""
    silent = []
    for name, own in batches.items():
        others = [batch.depth for other, batch in batches.items() if other != name]
        depth = np.concatenate(others) if others else np.empty(0)
        filled = np.array([np.count_nonzero(depth)])
        chance = log_all_among_others(filled, len(depth), float(len(own.depth)))[0]
        if not own.depth.any() and filled[0] and chance < np.log(IMPROBABLE):
            silent.append(name)
    return silent


def has_improbable_empty_cells(depth: NDArray[np.float64], *, all_features: int | None) -> bool:
    """Return whether empty cells stand apart from the depths of the other cells.

    They do if even a shallow cell (at the 5 % quantile of the others) would rarely be empty by
    chance, and if empty cells outnumber cells with only a few counts. Failed measurements come with
    such cells, as a transition to good ones; rows that were filled in with zeros do not.

    Parameters
    ----------
    depth
        Depth of every cell.
    all_features
        Number of features, for real values, of which a cell normally has one in every feature; a
        few features then suffice. None for counts.

    Examples
    --------
    >>> has_improbable_empty_cells(np.array([0.0, 5000, 4000, 6000]), all_features=None)
    True
    >>> has_improbable_empty_cells(np.array([0.0, 3, 2, 4]), all_features=None)
    False
    """
    filled = depth[depth > 0]
    if len(filled) in {0, len(depth)}:
        return False
    low = float(np.quantile(filled, LOW))
    if all_features is not None and all_features > 1 and low == all_features:
        return True
    few = int(np.count_nonzero(filled < CERTAIN))
    return low >= CERTAIN and len(depth) - len(filled) > few
