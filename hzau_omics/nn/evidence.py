"""Scores of measurements: whether the model explains them, and whether they bear each other out."""

from itertools import combinations
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Evidence(NamedTuple):
    """Scores of a minibatch's measurements, higher = better; NaN where there is nothing to score.

    Attributes
    ----------
    level
        Log of a measurement's total (of absolute values) plus 1.
    fit
        Log likelihood of a measurement given the posterior mean of itself alone, in nats.
    shape
        Correlation over features of a measurement with what that posterior mean decodes to.
    support
        Log likelihood given the posterior mean of the other modality that explains it best, less
        `fit`, in nats.
    agreement
        Log agreement of each pair of modalities' posteriors, in nats; pairs as
        :func:`pairs_of` lists them.
    """

    level: Float[Tensor, "cell modality"]
    fit: Float[Tensor, "cell modality"]
    shape: Float[Tensor, "cell modality"]
    support: Float[Tensor, "cell modality"]
    agreement: Float[Tensor, "cell pair"]


def pairs_of(n_modalities: int) -> list[tuple[int, int]]:
    """Return all pairs of modalities.

    Examples
    --------
    >>> pairs_of(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(combinations(range(n_modalities), 2))
