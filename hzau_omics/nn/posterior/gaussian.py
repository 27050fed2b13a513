"""Diagonal Gaussians in mean and log-variance, the only posterior family of this package."""

import math
from typing import Any, NamedTuple, override

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn.functional import softplus

LOG_2PI = math.log(2 * math.pi)
LOGVAR_RANGE = (-10.0, 5.0)

NARROWER = 0.01
"""Precision beyond the prior's from which a posterior's mean counts in full."""


class DiagonalGaussian(NamedTuple):
    """Mean and log-variance, both with the latents on the last axis."""

    mean: Float[Tensor, "*cell latent"]
    logvar: Float[Tensor, "*cell latent"]

    @property
    def variance(self) -> Float[Tensor, "*cell latent"]:
        """Variance of each latent."""
        return self.logvar.exp()

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "*cell latent"]:
        """Draw one reparametrised sample per row."""
        noise = torch.randn(
            self.mean.shape,
            generator=generator,
            device=self.mean.device,
            dtype=self.mean.dtype,
        )
        return self.mean + (0.5 * self.logvar).exp() * noise

    def log_prob(self, z: Float[Tensor, "*cell latent"]) -> Float[Tensor, "*cell"]:
        """Log density of `z` in nats, summed over latents."""
        standardised = (z - self.mean).square() * (-self.logvar).exp()
        return -0.5 * (standardised + self.logvar + LOG_2PI).sum(-1)


def informed(precision: Tensor) -> Tensor:
    """Return 1 where a posterior is narrower than the prior N(0, 1), else 0, without a jump.

    It rises from 0 to 1 between precisions of 1 and 1.01.
    """
    return ((precision - 1) / NARROWER).clamp(0, 1)


def standard_normal_like(mean: Float[Tensor, "*cell latent"]) -> DiagonalGaussian:
    """Return the prior N(0, I) in the shape of `mean`."""
    return DiagonalGaussian(torch.zeros_like(mean), torch.zeros_like(mean))


def kl_to_prior(q: DiagonalGaussian) -> Float[Tensor, "*cell"]:
    """KL(q || N(0, I)) in nats per cell, in closed form (docs/method.md, equation 2)."""
    return 0.5 * (q.mean.square() + q.variance - q.logvar - 1).sum(-1)


def kl_divergence(q: DiagonalGaussian, p: DiagonalGaussian) -> Float[Tensor, "*cell"]:
    """KL(q || p) between diagonal Gaussians in nats per cell (docs/method.md, equation 3)."""
    squared = (q.mean - p.mean).square()
    ratio = (q.variance + squared) * (-p.logvar).exp()
    return 0.5 * (ratio + p.logvar - q.logvar - 1).sum(-1)


def kl_from(q: DiagonalGaussian, prior: DiagonalGaussian | None) -> Float[Tensor, "*cell"]:
    """KL of q from a prior, N(0, I) if it is None, in nats per cell."""
    return kl_to_prior(q) if prior is None else kl_divergence(q, prior)


def soft_bound(x: Float[Tensor, "*shape"], low: float, high: float) -> Float[Tensor, "*shape"]:
    """Bound `x` smoothly to (low, high): the identity well inside, with a gradient above 0."""
    out: Tensor = _SoftBound.apply(x, low, high)
    return out


class _SoftBound(torch.autograd.Function):
    """The bound with its gradient in closed form: one operation backward instead of six."""

    @staticmethod
    @override
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        below = high - x
        above = high - low - softplus(below)
        width = high - low
        # Scaled, so that the upper limit is `high` exactly.
        scale = width / math.log1p(math.exp(width))
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(torch.sigmoid(below) * torch.sigmoid(above) * scale)
        return softplus(above) * scale + low

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        (slope,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grads[0] * slope, None, None
