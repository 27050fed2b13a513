"""Votes of labelled cells on the labels of others."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

LEAST = 1e-30
"""Least probability, so that its logarithm is finite in float32."""

TEMPERATURES = tuple(2 ** (i / 4) for i in range(-16, 25))
"""From 1/16 to 64 in steps of 19 %: the loss is flat around its minimum."""

USUAL = 4.0
"""Temperature that is taken unless the cells speak against it."""


def log_votes(
    agreements: Float[Tensor, "cell other"],
    codes: Int[Tensor, " other"],
    n_labels: int,
    temperature: float,
    floor: float = 0.0,
) -> Float[Tensor, "cell label"]:
    """Return the log probability of each label: the softmax of agreements, summed within labels.

    A cell that nobody can vote on (all agreements are minus infinity) gets NaN.

    Parameters
    ----------
    agreements
        Log agreement with each labelled cell, in nats; minus infinity for those that do not vote.
    codes
        Their labels.
    n_labels
        Number of labels.
    temperature
        What agreements are divided by: the higher, the more cells count.
    floor
        Share of the probability that all labels have equally, whoever votes.

    Examples
    --------
    >>> votes = log_votes(torch.zeros(1, 4), torch.tensor([0, 0, 0, 1]), 2, temperature=1.0)
    >>> votes.exp()
    tensor([[0.7500, 0.2500]])
    """
    weights = (agreements / temperature).softmax(-1)
    members = (codes[:, None] == torch.arange(n_labels, device=codes.device)).to(weights.dtype)
    return ((1 - floor) * (weights @ members) + floor / n_labels).clamp_min(LEAST).log()


def floor_of(n_cells: int) -> float:
    """Return the floor of votes that were fitted to some cells (Laplace's rule of succession).

    n cells without an error do not make the next one certain: the error of one more is thought to
    be as likely as 1 in n + 1.
    """
    return 1 / (n_cells + 1)


def fit_temperature(
    agreements: Float[Tensor, "cell other"],
    codes: Int[Tensor, " other"],
    labels: Int[Tensor, " cell"],
    n_labels: int,
) -> float:
    """Return the temperature at which cells' own labels are likely.

    Of all temperatures whose mean log probability is within a standard error (of the paired
    differences) of the best one's, it is the nearest to :data:`USUAL`: a few hundred cells with few
    errors do not say more. Probabilities have the floor of as many cells. Cells whose label nobody
    has, or on which nobody can vote, do not count.

    Parameters
    ----------
    agreements, codes, n_labels
        As in :func:`log_votes`.
    labels
        The cells' own labels.
    """
    rows = (torch.isin(labels, codes) & agreements.isfinite().any(-1)).nonzero().squeeze(-1)
    agreements, labels = agreements[rows], labels[rows]
    if not len(rows):
        return USUAL
    floor = floor_of(len(rows))
    own = torch.stack(
        [
            log_votes(agreements, codes, n_labels, t, floor).gather(1, labels[:, None]).squeeze(1)
            for t in TEMPERATURES
        ]
    )
    behind = own[own.mean(1).argmax()] - own
    error = behind.std(1, correction=0) / math.sqrt(len(rows))
    as_good = [t for t, ok in zip(TEMPERATURES, behind.mean(1) <= error, strict=True) if ok]
    return min(as_good, key=lambda t: abs(math.log(t / USUAL)))
