"""Fusion: from the experts of a cell to one posterior, in closed form."""

from typing import Any, override

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hzau_omics.errors import ConfigError
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, informed

# Finite, because a softmax over -inf has NaN gradients; exp() of it is exactly 0 in float32.
UNAVAILABLE = -1e4


def masked_log_softmax(
    logits: Float[Tensor, "*cell expert"], available: Bool[Tensor, "*cell expert"]
) -> Float[Tensor, "*cell expert"]:
    """Log-softmax over the available experts, at any level of logits; `UNAVAILABLE` elsewhere."""
    usable = torch.where(available, logits.float(), -torch.inf)
    top = usable.detach().amax(-1, keepdim=True)
    # Relative to the largest available logit, so that `UNAVAILABLE` is far below it.
    masked = torch.where(available, logits.float() - top, UNAVAILABLE)
    log_weights = torch.log_softmax(masked, dim=-1)
    return torch.where(available, log_weights, UNAVAILABLE)


def log_linear_pool(
    experts: DiagonalGaussian,
    log_weights: Float[Tensor, "*subset cell expert"],
    available: Bool[Tensor, "*subset cell expert"],
) -> DiagonalGaussian:
    r"""Pool experts by a weighted geometric mean (docs/method.md, equations 7 and 8).

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
        Which experts are available. A cell without any gets the prior N(0, I). With a leading axis
        of subsets, the same experts are pooled once for each.

    Returns
    -------
    The pooled posterior of shape (cell, latent), or (subset, cell, latent).
    """
    # Masked before any arithmetic: a NaN would come back through the gradient of a later mask.
    usable = available.unsqueeze(-1)
    mean = torch.where(usable, experts.mean.float(), 0.0)
    logvar = torch.where(usable, experts.logvar.float(), 0.0)
    pooled_mean, pooled_logvar = _WeightedMean.apply(mean, logvar, log_weights)
    has_any = available.any(-1, keepdim=True)
    return DiagonalGaussian(
        torch.where(has_any, pooled_mean, 0.0), torch.where(has_any, pooled_logvar, 0.0)
    )


class _WeightedMean(torch.autograd.Function):
    """Geometric mean of Gaussians (.., expert, latent), with its gradient in closed form.

    With t_e = log w_e - logvar_e and shares s_e = softmax(t)_e, the log-variance is
    -logsumexp(t), whose gradient is -s_e, and the mean is sum s_e mu_e, whose gradient is
    s_e (mu_e - mu).
    """

    @staticmethod
    @override
    def forward(
        ctx: Any, mean: Tensor, logvar: Tensor, log_weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        log_tau = log_weights.unsqueeze(-1) - logvar
        total = torch.logsumexp(log_tau, dim=-2, keepdim=True)
        share = (log_tau - total).exp_()
        pooled = (share * mean).sum(-2)
        ctx.save_for_backward(mean, share, pooled)
        return pooled, -total.squeeze(-2)

    @staticmethod
    @override
    def backward(ctx: Any, *grads: Any) -> Any:
        mean, share, pooled = ctx.saved_tensors
        of_mean, of_logvar = (grad.unsqueeze(-2) for grad in grads)
        grad_mean = share * of_mean
        grad_tau = grad_mean * (mean - pooled.unsqueeze(-2)) - share * of_logvar
        return grad_mean, -grad_tau, grad_tau.sum(-1)


def product_of_experts(
    experts: DiagonalGaussian, available: Bool[Tensor, "*subset cell expert"]
) -> DiagonalGaussian:
    """Multiply the experts with the prior N(0, I) (docs/method.md, equation 35).

    Precisions add up, so the product is narrower than every expert and than the prior.

    Parameters
    ----------
    experts
        Means and log-variances of shape (cell, expert, latent).
    available
        Which experts are available; the others leave the product unchanged. With a leading axis of
        subsets, the same experts are multiplied once for each.
    """
    mean, log_precision = _usable(experts, available)
    prior = torch.zeros_like(log_precision[..., :1, :])
    logvar = -torch.logsumexp(torch.cat([prior, log_precision], dim=-2), dim=-2)
    weight = (log_precision + logvar.unsqueeze(-2)).exp()
    return DiagonalGaussian((weight * mean).sum(-2), logvar)


def quotient_of_experts(
    experts: DiagonalGaussian, available: Bool[Tensor, "*subset cell expert"]
) -> DiagonalGaussian:
    """Multiply the experts and divide by all priors but one (MVAE-Q; Wu and Goodman 2018).

    The precision is that of the experts less M - 1, with M experts available: it is positive
    because the experts are narrower than the prior. Parameters as in :func:`product_of_experts`.

    Raises
    ------
    ConfigError
        An expert is as wide as the prior, so that a precision may not be positive.
    """
    mean, log_precision = _usable(experts, available)
    # Not on a GPU, which the check would have to wait for: the experts' bound rules this out.
    on_host = mean.device.type == "cpu"
    if on_host and bool((available.unsqueeze(-1) & (log_precision <= 0)).any()):
        msg = (
            "A quotient of experts by priors needs experts that are narrower than the prior. "
            "Received a variance of at least 1. Bound the variances below 1, or multiply with the "
            "prior (MVAE)."
        )
        raise ConfigError(msg)
    n_experts = available.sum(-1, keepdim=True)
    precision = log_precision.exp().sum(-2) - (n_experts - 1).clamp_min(0)
    # A cell without any expert gets the prior.
    precision = torch.where(n_experts > 0, precision, 1.0)
    weighted = (log_precision.exp() * mean).sum(-2)
    return DiagonalGaussian(weighted / precision, -precision.log())


def add_information(
    experts: DiagonalGaussian, members: Bool[Tensor, "subset expert"]
) -> DiagonalGaussian:
    """Add up the information of experts: the posterior if modalities are independent given z.

    This is docs/method.md, equation 5: the product of the experts over all priors but one, as in
    :func:`quotient_of_experts`. The information of an expert is its precision beyond the prior's.
    One that is wider than the prior has none, and its mean does not count.

    Parameters
    ----------
    experts
        Means and log-variances of shape (cell, expert, latent).
    members
        Which experts belong to each subset.

    Returns
    -------
    The posterior from each subset, of shape (cell, subset, latent).
    """
    precision = (-experts.logvar.float()).exp()
    information = (precision - 1).clamp_min(0)
    weighted = precision * experts.mean.float() * informed(precision)
    total, mean = torch.ones_like(information[:, :1]), torch.zeros_like(information[:, :1])
    # Expert by expert: a matrix product with `members` would lose digits under autocast.
    for e, counts in enumerate(members.T.unsqueeze(-1)):
        total = total + counts * information[:, e : e + 1]
        mean = mean + counts * weighted[:, e : e + 1]
    return DiagonalGaussian(mean / total, -total.log())


def consensus_of_experts(
    experts: DiagonalGaussian,
    available: Bool[Tensor, "*subset cell expert"],
    *,
    correlation: float,
) -> DiagonalGaussian:
    r"""Combine estimates whose errors correlate (Winkler 1981; CoDE-VAE, ICML 2025).

    With standard deviations s_i and the covariance ``S_ij = correlation * s_i * s_j`` off the
    diagonal, the variance is ``1 / (1' S^-1 1)`` and the mean ``(1' S^-1 mu) / (1' S^-1 1)``. The
    correlation 0 gives the product of the experts without the prior.

    Parameters
    ----------
    experts, available
        As in :func:`product_of_experts`.
    correlation
        Correlation of two experts' errors, in [0, 1).
    """
    usable = available.unsqueeze(-1)
    mean, log_precision = _usable(experts, available)
    inverse_sd = torch.where(usable, (0.5 * log_precision).exp(), 0.0)
    n_experts = available.sum(-1, keepdim=True)
    # The inverse of an equicorrelation matrix, in closed form; its common factor cancels in the
    # mean.
    shared = correlation / (1 + (n_experts - 1) * correlation)
    total = inverse_sd.sum(-2)
    precision = inverse_sd.square().sum(-2) - shared * total.square()
    weighted = (inverse_sd.square() * mean).sum(-2) - shared * total * (inverse_sd * mean).sum(-2)
    has_any = n_experts > 0
    safe = torch.where(has_any, precision / (1 - correlation), 1.0)
    return DiagonalGaussian(
        torch.where(has_any, weighted / (1 - correlation) / safe, 0.0), -safe.log()
    )


def mixture_moments(
    experts: DiagonalGaussian, available: Bool[Tensor, "*subset cell expert"]
) -> DiagonalGaussian:
    """Return mean and variance of the mixture of the experts with equal weights.

    A cell without any expert gets the prior. Parameters as in :func:`product_of_experts`.
    """
    usable = available.unsqueeze(-1)
    mean = torch.where(usable, experts.mean.float(), 0.0)
    variance = torch.where(usable, experts.logvar.float().exp(), 0.0)
    n_experts = available.sum(-1, keepdim=True)
    count = n_experts.clamp_min(1)
    centre = mean.sum(-2) / count
    # Within and between experts.
    between = torch.where(usable, (mean - centre.unsqueeze(-2)).square(), 0.0)
    spread = torch.where(n_experts > 0, (variance + between).sum(-2) / count, 1.0)
    return DiagonalGaussian(centre, spread.log())


def _usable(experts: DiagonalGaussian, available: Tensor) -> tuple[Tensor, Tensor]:
    """Return means and log precisions; those of unavailable experts carry no weight."""
    usable = available.unsqueeze(-1)
    mean = torch.where(usable, experts.mean.float(), 0.0)
    return mean, torch.where(usable, -experts.logvar.float(), UNAVAILABLE)
