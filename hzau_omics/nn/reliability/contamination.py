"""Ambient contamination: how much of a measurement came from its batch's mean profile."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.minibatch import SparseEntries

BISECTIONS = 12
LEAST = 1e-7
"""Smallest share of a feature; smaller ones are raised to it, for finite logarithms and ratios."""


class Contamination(NamedTuple):
    """Where counts came from; higher = more from the cell itself.

    Attributes
    ----------
    purity
        1 minus the maximum-likelihood share of the counts that came from the ambient profile.
    log_ratio
        Log ratio of the expected profile to the ambient one, mean over counts, in nats.
    """

    purity: Float[Tensor, " cell"]
    log_ratio: Float[Tensor, " cell"]


def contamination(
    entries: SparseEntries,
    expected: Float[Tensor, " entry"],
    ambient: Float[Tensor, " entry"],
) -> Contamination:
    """Split counts between the profile that a model expects of the cell and an ambient profile.

    Each count is drawn from the mixture of both (docs/method.md, equation 21). The log likelihood
    is concave in the share of the ambient one; its maximum is found by bisection. NaN for cells
    without counts.

    Parameters
    ----------
    entries
        Counts, or values that add up.
    expected, ambient
        Share of each entry's feature in both profiles.

    Examples
    --------
    >>> counts = SparseEntries.of(torch.tensor([[8.0, 8.0], [1.0, 3.0]]))
    >>> own, ambient = torch.tensor([1.0, 0.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    >>> contamination(counts, own, ambient).purity.round(decimals=2)
    tensor([0.5000, 0.2500])
    """
    own, other = (share.clamp_min(LEAST) for share in (expected, ambient))
    n_cells = len(entries.start) - 1
    total = entries.total().squeeze(1)
    low, high = torch.zeros_like(total), torch.ones_like(total)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        mixed = own + middle[entries.row] * (other - own)
        slope = torch.zeros_like(total).index_add_(
            0, entries.row, entries.value * (other - own) / mixed
        )
        low, high = torch.where(slope > 0, middle, low), torch.where(slope > 0, high, middle)
    log_ratio = entries.value * (own / other).log()
    ratio = total.new_zeros(n_cells).index_add_(0, entries.row, log_ratio) / total
    purity = torch.where(total > 0, 1 - (low + high) / 2, torch.nan)
    return Contamination(purity, ratio)
