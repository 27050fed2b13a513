"""Whether two posteriors can be of one cell."""

from jaxtyping import Float
from torch import Tensor

from hzau_omics.nn.gaussian import DiagonalGaussian


def log_agreement(a: DiagonalGaussian, b: DiagonalGaussian) -> Float[Tensor, "*cell"]:
    """Log of the integral of q_a(z) q_b(z) / p(z), in nats; higher = they agree more.

    It is the log ratio of "both are of one cell", whose latent is drawn once from the prior
    N(0, I), to "each is of a cell of its own". Latents of which a posterior is wider than the prior
    count as if it was as wide: they say nothing.
    """
    precisions = [(-q.logvar).exp().clamp_min(1.0) for q in (a, b)]
    # The product of both over the prior has their precisions' sum less the prior's, 1.
    total = precisions[0] + precisions[1] - 1
    weighted = precisions[0] * a.mean + precisions[1] * b.mean
    squares = precisions[0] * a.mean.square() + precisions[1] * b.mean.square()
    scale = precisions[0].log() + precisions[1].log() - total.log()
    return 0.5 * (scale - squares + weighted.square() / total).sum(-1)
