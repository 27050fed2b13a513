"""Counts that are unlikely to be raw: they scatter less than Poisson counts, or are very large."""

import numpy as np

from hzau_omics.data.pitfalls.summary import ModalitySummary

LARGE = 1e6
"""Raw counts rarely exceed this."""

FEWEST_CELLS = 100
"""Cells that estimates of scatter need."""

LOWEST_TOTAL = 100
"""Mean total below which totals say nothing about normalisation."""

FEWEST_COUNTS = 2.0
"""Mean above which the scatter of a feature tells raw counts from logarithms."""

LOWEST_DISPERSION = 0.5
"""Variance in units of the mean (Poisson: 1) below which a feature is too even for raw counts."""


def are_totals_alike(summary: ModalitySummary) -> bool:
    """Return whether cells' totals scatter less than those of equally deep Poisson counts.

    Values that were divided by the cell's total and rounded do so. Totals that are exactly equal
    in most cells are fine: they come from downsampling to that depth. Binary values are fine too.
    """
    totals = summary.depth[summary.depth > 0]
    few = len(totals) < FEWEST_CELLS
    if few or totals.mean() < LOWEST_TOTAL or summary.largest[0] <= 1:
        return False
    _, repeated = np.unique(totals, return_counts=True)
    # Five standard errors below the 1 of Poisson counts.
    limit = 1 - 5 * np.sqrt(2 / len(totals))
    return bool(totals.var() < limit * totals.mean() and repeated.max() < 0.8 * len(totals))


def too_even_features(summary: ModalitySummary) -> tuple[int, int]:
    """Count the features that scatter less than raw counts, and the features that can show it.

    Raw counts scatter at least as much as Poisson counts; logarithms, rounded or not, scatter less.
    Only features with a mean of 2 or more can show it, and only with a hundred cells or more. The
    first count is 0 unless there are two such features, and they are a tenth of those that can
    show it.
    """
    batches = summary.batches.values()
    n = sum(batch.sampled for batch in batches)
    if n < FEWEST_CELLS:
        return 0, 0
    mean = np.sum([batch.total for batch in batches], axis=0) / n
    variance = np.sum([batch.squares for batch in batches], axis=0) / n - mean**2
    informative = mean >= FEWEST_COUNTS
    limit = min(LOWEST_DISPERSION, 1 - 5 * np.sqrt(2 / n))
    even = informative & (variance < limit * mean)
    n_even, n_informative = int(even.sum()), int(informative.sum())
    enough = n_even >= 2 and n_even >= 0.1 * n_informative
    return (n_even, n_informative) if enough else (0, n_informative)
