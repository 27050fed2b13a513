"""Fusion: from the experts of a cell to one posterior, in closed form."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hzau_omics.nn.gaussian import DiagonalGaussian

# Finite, because a softmax over -inf has NaN gradients; exp() of it is exactly 0 in float32.
UNAVAILABLE = -1e4


def masked_log_softmax(
    logits: Float[Tensor, "*cell expert"], available: Bool[Tensor, "*cell expert"]
) -> Float[Tensor, "*cell expert"]:
    """Log-softmax over the available experts; `UNAVAILABLE` elsewhere, whatever their level."""
    usable = torch.where(available, logits.float(), -torch.inf)
    top = usable.detach().amax(-1, keepdim=True)
    # Relative to the best available logit, so that `UNAVAILABLE` is far below it.
    masked = torch.where(available, logits.float() - top, UNAVAILABLE)
    log_weights = torch.log_softmax(masked, dim=-1)
    return torch.where(available, log_weights, UNAVAILABLE)


def log_linear_pool(
    experts: DiagonalGaussian,
    log_weights: Float[Tensor, "*subset cell expert"],
    available: Bool[Tensor, "*subset cell expert"],
) -> DiagonalGaussian:
    r"""Pool experts by a weighted geometric mean (Theorem 10-2, equations 10-10 and 10-11).

    With weights that sum to 1 the prior cancels, so that ``1/s2 = sum_S w_S / s2_S`` and
    ``mu = s2 * sum_S w_S mu_S / s2_S``: the pooled precision never exceeds the sharpest expert's.
    Computed in log space and float32.

    Parameters
    ----------
    experts
        Means and log-variances of shape (cell, expert, latent).
    log_weights
        Log of the gate's weights, as from :func:`masked_log_softmax`.
    available
        Which experts the cell can use. A cell with none of them gets the prior N(0, I). With a
        leading axis of subsets, the same experts are pooled once for each.

    Returns
    -------
    The pooled posterior of shape (cell, latent), or (subset, cell, latent).
    """
    usable = available.unsqueeze(-1)
    mean = torch.where(usable, experts.mean.float(), 0.0)
    logvar = torch.where(usable, experts.logvar.float(), 0.0)
    log_tau = log_weights.unsqueeze(-1) - logvar
    pooled_logvar = -torch.logsumexp(log_tau, dim=-2)
    pooled_mean = (torch.softmax(log_tau, dim=-2) * mean).sum(-2)
    has_any = available.any(-1, keepdim=True)
    return DiagonalGaussian(
        torch.where(has_any, pooled_mean, 0.0), torch.where(has_any, pooled_logvar, 0.0)
    )


def product_of_experts(
    experts: DiagonalGaussian, available: Bool[Tensor, "cell expert"]
) -> DiagonalGaussian:
    """Multiply the experts with the prior N(0, I) (Theorem 10-1, equations 10-3 and 10-4).

    Precisions add up, so the product is narrower than every expert and than the prior.

    Parameters
    ----------
    experts
        Means and log-variances of shape (cell, expert, latent).
    available
        Which experts the cell can use; the others leave the product unchanged.
    """
    usable = available.unsqueeze(-1)
    mean = torch.where(usable, experts.mean.float(), 0.0)
    log_precision = torch.where(usable, -experts.logvar.float(), UNAVAILABLE)
    prior = torch.zeros_like(log_precision[:, :1])
    logvar = -torch.logsumexp(torch.cat([prior, log_precision], dim=1), dim=1)
    weight = (log_precision + logvar.unsqueeze(1)).exp()
    return DiagonalGaussian((weight * mean).sum(1), logvar)
