"""Agreement: whether two posteriors can come from one cell."""

from jaxtyping import Float
from torch import Tensor

from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, informed


def log_agreement(a: DiagonalGaussian, b: DiagonalGaussian) -> Float[Tensor, "*cell"]:
    """Log of the integral of q_a(z) q_b(z) / p(z), in nats; higher = they agree more.

    It is the log ratio of "both come from one cell", whose latent is drawn once from the prior
    N(0, I), to "they come from two cells". Latents whose posterior is wider than the prior count as
    the prior: they carry no information.
    """
    precisions = [(-q.logvar).exp() for q in (a, b)]
    means = [q.mean * informed(precision) for q, precision in zip((a, b), precisions, strict=True)]
    precisions = [precision.clamp_min(1.0) for precision in precisions]
    # The product of both over the prior: its precision is their sum less the prior's, 1.
    total = precisions[0] + precisions[1] - 1
    weighted = precisions[0] * means[0] + precisions[1] * means[1]
    squares = precisions[0] * means[0].square() + precisions[1] * means[1].square()
    scale = precisions[0].log() + precisions[1].log() - total.log()
    return 0.5 * (scale - squares + weighted.square() / total).sum(-1)
