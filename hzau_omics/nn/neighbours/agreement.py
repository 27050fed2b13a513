"""Agreement of every posterior of one group with every one of another."""

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, informed

PAIRS_HELD = 2**18
"""Pairs that are computed at a time, so that they stay in the processor's cache."""

WITHIN_STATE = 0.05
"""Variance of each latent among cells of one state."""

LATENTS_MULTIPLIED = 4
"""Latents whose spreads are multiplied before one logarithm is taken: no product underflows."""


def log_agreements(
    a: DiagonalGaussian, b: DiagonalGaussian, *, within: float = 0.0
) -> Float[Tensor, "cell other"]:
    """Log of the integral of q_a(z) q_b(z) / p(z) for each pair, in nats; higher = more alike.

    It is :func:`~hzau_omics.nn.reliability.agreement.log_agreement` of all pairs: the log ratio of
    "both cells have one latent" to "each has its own". With `within`, a variance that is added to
    that of each posterior, it asks for the same state instead of the same latent.
    """
    mean_a, spread_a = _clamped(a, within)
    mean_b, spread_b = (part.T.contiguous() for part in _clamped(b, within))
    rows = max(1, PAIRS_HELD // max(mean_b.shape[1], 1))
    parts = zip(torch.split(mean_a, rows), torch.split(spread_a, rows), strict=True)
    return torch.cat([_of_pairs(mean, spread, mean_b, spread_b) for mean, spread in parts])


def _clamped(q: DiagonalGaussian, within: float) -> tuple[Tensor, Tensor]:
    """Return means and variances; what is wider than the prior counts as the prior."""
    variance = q.variance + within
    return q.mean * informed(variance.reciprocal()), variance.clamp_max(1.0)


def _of_pairs(mean_a: Tensor, a: Tensor, mean_b: Tensor, b: Tensor) -> Tensor:
    """Sum over latents; `mean_a` and `a` are (cell, latent), `mean_b` and `b` (latent, other)."""
    total = mean_a.new_zeros(len(mean_a), mean_b.shape[1])
    product = torch.ones_like(total)
    n_latent = len(mean_b)
    for d in range(n_latent):
        x, y, s, t = mean_a[:, d : d + 1], mean_b[d], a[:, d : d + 1], b[d]
        spread = torch.addcmul(s, 1 - s, t)
        squares = (x - y).square_().addcmul_(x.square(), t, value=-1)
        squares.addcmul_(s, y.square(), value=-1)
        total.addcdiv_(squares, spread)
        product.mul_(spread)
        if d % LATENTS_MULTIPLIED == LATENTS_MULTIPLIED - 1 or d == n_latent - 1:
            total.add_(product.log_())
            product.fill_(1.0)
    return total.mul_(-0.5)
