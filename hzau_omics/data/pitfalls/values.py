"""Counts that look as if they were no raw counts: too even, or too large."""

import numpy as np

from hzau_omics.data.pitfalls.evidence import Evidence

LARGE = 1e6
"""Counts beyond this are rarely raw ones."""

FEWEST_CELLS = 100
FEWEST_COUNTS = 2.0
MOST_EVEN = 0.5
"""Variance that a raw count has at least, in units of its mean (Poisson: 1)."""


def are_totals_alike(evidence: Evidence) -> bool:
    """Say whether cells' totals scatter less than Poisson counts of equally deep cells would.

    So do values that were divided by the cell's total and rounded. Totals that are the same to the
    count in most cells come from drawing that many counts, which is fine; so are values of 0 and 1.
    """
    totals = evidence.depth[evidence.depth > 0]
    if len(totals) < FEWEST_CELLS or totals.mean() < 100 or evidence.largest[0] <= 1:
        return False
    _, repeated = np.unique(totals, return_counts=True)
    # Five standard errors below the 1 of Poisson counts.
    limit = 1 - 5 * np.sqrt(2 / len(totals))
    return bool(totals.var() < limit * totals.mean() and repeated.max() < 0.8 * len(totals))


def too_even_features(evidence: Evidence) -> tuple[int, int]:
    """Count the features that scatter less than raw counts do, and those that were looked at.

    Raw counts scatter at least like Poisson counts. Logarithms scatter less, rounded or not. Only
    features of a mean of 2 or more can tell, and only in a hundred cells or more. There are none
    unless they are two, and a tenth of those that can tell.
    """
    batches = evidence.batches.values()
    n = sum(batch.sampled for batch in batches)
    if n < FEWEST_CELLS:
        return 0, 0
    mean = np.sum([batch.total for batch in batches], axis=0) / n
    variance = np.sum([batch.squares for batch in batches], axis=0) / n - mean**2
    can_tell = mean >= FEWEST_COUNTS
    even = can_tell & (variance < min(MOST_EVEN, 1 - 5 * np.sqrt(2 / n)) * mean)
    n_even, n_told = int(even.sum()), int(can_tell.sum())
    return (n_even, n_told) if n_even >= 2 and n_even >= 0.1 * n_told else (0, n_told)
