"""Negative binomial log likelihood of dense counts, summed per cell, with its own gradient.

For panels of few features, for rates that are no shares of a total, and for GPUs. With mean mu and
inverse dispersion theta, the gradients are

    d/d log mu = (x - mu) theta / (theta + mu),
    d/d log theta = theta (digamma(x + theta) - digamma(theta) - log(1 + mu / theta)) - d/d log mu.
"""

from typing import Any, override

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import softplus


def nb_dense_log_prob(
    x: Float[Tensor, "row feature"],
    log_mean: Float[Tensor, "row feature"],
    log_theta: Float[Tensor, "kind feature"],
    which: Int[Tensor, " row"],
    mask: Bool[Tensor, "row feature"] | None = None,
) -> Float[Tensor, " row"]:
    """Log likelihood of each row's counts, in nats.

    Parameters
    ----------
    x
        Counts.
    log_mean
        Log of the expected counts.
    log_theta
        Log inverse dispersions, one row per kind of cell.
    which
        Kind of each row.
    mask
        Features that count; None for all.
    """
    out: Tensor = _DenseNegativeBinomial.apply(x, log_mean, log_theta, which, mask)
    return out


class _DenseNegativeBinomial(torch.autograd.Function):
    @staticmethod
    @override
    def forward(
        ctx: Any,
        x: Tensor,
        log_mean: Tensor,
        log_theta: Tensor,
        which: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        own = log_theta if len(log_theta) == 1 else log_theta.index_select(0, which)
        theta, log_ratio = own.exp(), log_mean - own
        soft = softplus(log_ratio)
        log_gamma, digamma = rising(x, theta)
        log_prob = x * (log_ratio - soft) - theta * soft + log_gamma
        grad_mean = (x - log_mean.exp()) * torch.sigmoid(-log_ratio)
        grad_theta = theta * (digamma - soft) - grad_mean
        if mask is not None:
            log_prob, grad_mean, grad_theta = (
                torch.where(mask, part, 0.0) for part in (log_prob, grad_mean, grad_theta)
            )
        ctx.save_for_backward(grad_mean, grad_theta, which)
        ctx.n_kinds = len(log_theta)
        return log_prob.sum(-1)

    @staticmethod
    @override
    def backward(ctx: Any, *grads: Any) -> Any:
        grad_mean, grad_theta, which = ctx.saved_tensors
        each = grads[0].unsqueeze(1)
        if ctx.n_kinds == 1:
            of_theta = (each * grad_theta).sum(0, keepdim=True)
        else:
            kinds = torch.arange(ctx.n_kinds, device=which.device).unsqueeze(1)
            of_theta = torch.where(which == kinds, grads[0], 0.0) @ grad_theta
        return None, each * grad_mean, of_theta, None, None


def rising(
    x: Float[Tensor, "row feature"], theta: Float[Tensor, "_ feature"]
) -> tuple[Float[Tensor, "row feature"], Float[Tensor, "row feature"]]:
    """Return lgamma(x + theta) - lgamma(theta) - lgamma(x + 1), and the difference of digammas."""
    if x.device.type != "cpu":
        log_gamma = torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1)
        return log_gamma, torch.digamma(x + theta) - torch.digamma(theta)
    # Most counts are 0, where the differences are 0 too.
    at = (x > 0).nonzero(as_tuple=True)
    count, own = x[at], theta.expand_as(x)[at]
    gammas = torch.lgamma(count + own) - torch.lgamma(own) - torch.lgamma(count + 1)
    digammas = torch.digamma(count + own) - torch.digamma(own)
    log_gamma, digamma = torch.zeros_like(x), torch.zeros_like(x)
    return log_gamma.index_put_(at, gammas), digamma.index_put_(at, digammas)
