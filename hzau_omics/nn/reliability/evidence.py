"""Scores of measurements: does the model explain them, and do modalities agree."""

from itertools import combinations
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor


class Evidence(NamedTuple):
    """Scores of a minibatch's measurements, higher = better; NaN where there is nothing to score.

    Attributes
    ----------
    learned
        Log odds that the measurement can be trusted, from the reliability heads.
    level
        Log of a measurement's total (of absolute values) plus 1.
    fit
        Log likelihood of a measurement given the posterior mean of itself alone, in nats.
    shape
        Correlation over features of a measurement with what that posterior mean decodes to.
    support
        Log likelihood given the posterior mean of the other modality that explains it best, less
        `fit`, in nats.
    purity
        1 minus the share of a measurement that came from its batch's mean profile, if the rest is
        what the posterior of all measured modalities expects.
    log_ratio
        Log ratio of what that posterior expects to the mean profile, mean over counts, in nats.
    purity_given_others
        As `purity`, with the posterior mean of the other modality that gives the highest value.
    agreement
        Log agreement of each pair of modalities' posteriors, in nats; pairs as
        :func:`pairs_of` lists them.
    batch
        Batch of each cell.
    """

    learned: Float[Tensor, "cell modality"]
    level: Float[Tensor, "cell modality"]
    fit: Float[Tensor, "cell modality"]
    shape: Float[Tensor, "cell modality"]
    support: Float[Tensor, "cell modality"]
    purity: Float[Tensor, "cell modality"]
    log_ratio: Float[Tensor, "cell modality"]
    purity_given_others: Float[Tensor, "cell modality"]
    agreement: Float[Tensor, "cell pair"]
    batch: Int[Tensor, " cell"]


def pairs_of(n_modalities: int) -> list[tuple[int, int]]:
    """Return all pairs of modalities.

    Examples
    --------
    >>> pairs_of(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(combinations(range(n_modalities), 2))
