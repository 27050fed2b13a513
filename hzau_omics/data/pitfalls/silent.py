"""Features that are 0 in all of a batch, and cells that are 0 throughout, against chance."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from hzau_omics.data.pitfalls.evidence import BatchEvidence
from hzau_omics.data.pitfalls.say import IMPROBABLE

LOW = 0.05
"""Share of the cells that are shallower than what is taken for a shallow cell."""

CERTAIN = -float(np.log(IMPROBABLE))
"""Counts that a cell expects where none at all is improbable, after Poisson: about 14."""


def silent_features(batches: Mapping[str, BatchEvidence]) -> dict[str, NDArray[np.bool_]]:
    r"""Find the features that are 0 in all cells of a batch although that is improbable.

    Had the batch been measured like the others, the probability that all of the :math:`K` cells in
    which a feature is detected are among the :math:`n` cells of the others is
    :math:`\binom{n}{K} / \binom{n + m}{K}`, where the batch has :math:`m` cells. A cell shallower
    than the others' average counts as the fraction of a cell that its depth is of that average,
    and no cell for more than one: for any mixture of Poisson counts a shallow cell detects a
    feature at least with that fraction of the probability. Depth is compared over the features
    that both measured. Cells without any count count for nothing, in the batch as in the others.

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


def _silent(own: BatchEvidence, others: list[BatchEvidence], n_others: int) -> NDArray[np.bool_]:
    detected = np.minimum(np.sum([batch.detected for batch in others], axis=0), n_others)
    average = sum(float(batch.counted.sum()) for batch in others) / n_others
    # What a cell of the others has of each feature; only its shares matter.
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


def silent_batches(batches: Mapping[str, BatchEvidence]) -> list[str]:
    """Find the batches without any count, although the others' cells hardly ever are."""
    found = []
    for name, own in batches.items():
        others = [batch.depth for other, batch in batches.items() if other != name]
        depth = np.concatenate(others) if others else np.empty(0)
        holding = np.array([np.count_nonzero(depth)])
        chance = log_all_among_others(holding, len(depth), float(len(own.depth)))[0]
        if not own.depth.any() and holding[0] and chance < np.log(IMPROBABLE):
            found.append(name)
    return found


def has_improbable_empty_cells(depth: NDArray[np.float64], *, all_features: int | None) -> bool:
    """Say whether cells without any count stand apart from the depth of the others.

    They do where even a shallow cell (the shallowest twentieth of the others aside) would hardly
    ever be empty by chance, and where there are more of them than cells of only a few counts:
    failed measurements have such between them and good ones, rows that were filled in have not.

    Parameters
    ----------
    depth
        Depth of every cell.
    all_features
        For values other than counts, of which a cell normally has one in every feature: their
        number, so that few features may suffice. None for counts.

    Examples
    --------
    >>> has_improbable_empty_cells(np.array([0.0, 5000, 4000, 6000]), all_features=None)
    True
    >>> has_improbable_empty_cells(np.array([0.0, 3, 2, 4]), all_features=None)
    False
    """
    holding = depth[depth > 0]
    if len(holding) in {0, len(depth)}:
        return False
    low = float(np.quantile(holding, LOW))
    if all_features is not None and all_features > 1 and low == all_features:
        return True
    few = int(np.count_nonzero(holding < CERTAIN))
    return low >= CERTAIN and len(depth) - len(holding) > few
