"""One posterior from several, as when missing values are filled in several times."""

import math
from collections.abc import Sequence

import torch

from hzau_omics.nn.network import Encoded
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.posterior.pools import Posterior


def mixed_posterior(parts: Sequence[Posterior]) -> Posterior:
    """Return the Gaussian with mean and variance of a mixture of posteriors, in equal parts.

    Weights of experts are averages.
    """
    if len(parts) == 1:
        return parts[0]
    mean = torch.stack([part.q.mean for part in parts])
    within = torch.stack([part.q.variance for part in parts]).mean(0)
    variance = within + mean.var(0, correction=0)
    log_weights = torch.stack([part.log_weights for part in parts]).logsumexp(0)
    return parts[0]._replace(
        q=DiagonalGaussian(mean.mean(0), variance.log()),
        log_weights=log_weights - math.log(len(parts)),
    )


def mixed_encoding(parts: Sequence[Encoded]) -> Encoded:
    """Return average hidden features and experts, where several encodings stand for one."""
    if len(parts) == 1:
        return parts[0]
    hidden = [torch.stack(same).mean(0) for same in zip(*(p.hidden for p in parts), strict=True)]
    experts = DiagonalGaussian(
        torch.stack([part.experts.mean for part in parts]).mean(0),
        torch.stack([part.experts.logvar for part in parts]).mean(0),
    )
    return parts[0]._replace(hidden=hidden, experts=experts)
