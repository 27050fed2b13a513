"""Measures of a mapping: labels and their probabilities, imputed protein, place in the latent.

All are pure functions on arrays. Probabilities have shape (cell, type), and ``code`` is the
position of each cell's true type.
"""

import numpy as np
from sklearn.metrics import f1_score

from benchmarks.integration.neighbours import nearest, share_elsewhere
from hzau_omics.metrics import mean_feature_pearson

FLOOR = 1e-6
"""Least probability that the log score counts with."""
N_BINS = 10
N_RESAMPLED = 1_000


def accuracy(probabilities: np.ndarray, code: np.ndarray) -> float:
    """Return the share of cells whose most probable type is the true one."""
    return float((probabilities.argmax(axis=1) == code).mean())


def macro_f1(probabilities: np.ndarray, code: np.ndarray) -> float:
    """Return the F1 score, mean over the types that cells have."""
    there = np.unique(code)
    found = probabilities.argmax(axis=1)
    return float(f1_score(code, found, labels=there, average="macro", zero_division=0.0))


def log_score(probabilities: np.ndarray, code: np.ndarray) -> float:
    """Return the negative log probability of the true type, in nats per cell; lower is better."""
    p = probabilities[np.arange(len(code)), code]
    return float(-np.log(np.maximum(p, FLOOR)).mean())


def calibration_error(top: np.ndarray, right: np.ndarray, n_bins: int = N_BINS) -> float:
    """Return how far the probability of the most probable type is from how often it is right.

    Parameters
    ----------
    top
        Probability of each cell's most probable type.
    right
        Whether it is the true one.
    n_bins
        Bins with equally many cells, in the order of `top`.

    Returns
    -------
    Mean over cells of the distance between the mean of `top` in a bin and the share that is right.
    """
    order = np.argsort(top, kind="stable")
    gap = 0.0
    for rows in np.array_split(order, min(n_bins, len(order))):
        gap += len(rows) * abs(top[rows].mean() - right[rows].mean())
    return gap / len(order)


def calibration_interval(
    top: np.ndarray, right: np.ndarray, *, seed: int = 0, n: int = N_RESAMPLED
) -> tuple[float, float]:
    """Return the central 95 % of calibration errors over samples of cells with replacement."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        rows = rng.integers(0, len(top), len(top))
        found.append(calibration_error(top[rows], right[rows]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def set_coverage(sets: np.ndarray, code: np.ndarray) -> float:
    """Return the share of cells whose set (cell, type) has the true type."""
    return float(sets[np.arange(len(code)), code].mean())


def set_size(sets: np.ndarray) -> float:
    """Return the mean number of types in a set (cell, type)."""
    return float(sets.sum(axis=1).mean())


def protein_correlation(imputed: np.ndarray, counts: np.ndarray) -> float:
    """Return the Pearson correlation over cells, mean over proteins.

    Parameters
    ----------
    imputed
        As log1p of counts (cell, protein).
    counts
        Measured counts (cell, protein); NaN where a protein was not measured.
    """
    return mean_feature_pearson(imputed, np.log1p(counts))


def reference_share(reference: np.ndarray, query: np.ndarray) -> tuple[float, float]:
    """Return the share of query cells' nearest neighbours that are reference cells, and the even.

    Parameters
    ----------
    reference, query
        Latents (cell, dimension) in one space.
    """
    is_query = np.repeat([False, True], [len(reference), len(query)])
    near = nearest(np.vstack([reference, query]))
    return share_elsewhere(near, is_query, is_query)
