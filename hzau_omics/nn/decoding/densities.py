"""Log densities of the observation models, per entry, in nats and float32.

Count models take log rates, so that no rate underflows. Every function is checked against SciPy or
scvi-tools' distributions in the tests.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from hzau_omics.nn.posterior.gaussian import LOG_2PI

Entries = Float[Tensor, "*cell feature"]
Broadcast = Float[Tensor, "..."]


def log_poisson(x: Entries, log_rate: Entries) -> Entries:
    """Poisson with rate ``exp(log_rate)``."""
    return x * log_rate - log_rate.exp() - torch.lgamma(x + 1)


def log_nb(x: Entries, log_mean: Entries, log_theta: Broadcast) -> Entries:
    """Negative binomial with mean ``exp(log_mean)`` and variance ``mean + mean**2 / theta``."""
    # log(mean / (theta + mean)) and -log(theta / (theta + mean)), both without cancellation.
    log_ratio = log_mean - log_theta
    rest = x * logsigmoid(log_ratio) - log_theta.exp() * softplus(log_ratio)
    if x.device.type != "cpu":
        theta = log_theta.exp()
        return rest + torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1)
    # Most counts are 0, where the log-gamma terms cancel: compute them only where they do not.
    positive = (x > 0).nonzero(as_tuple=True)
    count, theta = x[positive], log_theta.expand_as(log_mean)[positive].exp()
    gammas = torch.lgamma(count + theta) - torch.lgamma(theta) - torch.lgamma(count + 1)
    return rest.index_put(positive, gammas, accumulate=True)


def log_zinb(x: Entries, log_mean: Entries, log_theta: Broadcast, zero_logit: Entries) -> Entries:
    """Zero-inflated negative binomial; ``sigmoid(zero_logit)`` is the share of extra zeros."""
    count = log_nb(x, log_mean, log_theta) + logsigmoid(-zero_logit)
    at_zero = torch.logaddexp(logsigmoid(zero_logit), count)
    return torch.where(x == 0, at_zero, count)


def log_nb_mixture(
    x: Entries,
    log_background: Entries,
    log_foreground: Entries,
    log_theta: Broadcast,
    background_logit: Entries,
) -> Entries:
    """Background and foreground negative binomials; ``sigmoid(background_logit)`` mixes them."""
    background = log_nb(x, log_background, log_theta) + logsigmoid(background_logit)
    foreground = log_nb(x, log_foreground, log_theta) + logsigmoid(-background_logit)
    return torch.logaddexp(background, foreground)


def log_bernoulli(x: Entries, logit: Entries) -> Entries:
    """Bernoulli with probability ``sigmoid(logit)``; `x` in [0, 1], such as pixels, is allowed."""
    return x * logit - softplus(logit)


def log_categorical(x: Entries, log_probability: Entries) -> Entries:
    """One-hot categorical: the entries sum to the log probability of the observed category."""
    return x * log_probability


def log_multinomial(x: Entries, log_probability: Entries) -> Entries:
    """Multinomial given its total; its coefficient is spread over the counts of a cell.

    Features without counts get none of it, so that unmeasured ones can be left out of the sum.
    """
    total = x.sum(-1, keepdim=True)
    coefficient = torch.lgamma(total + 1) * x / total.clamp_min(1)
    return x * log_probability - torch.lgamma(x + 1) + coefficient


def log_normal(x: Entries, mean: Entries, log_sd: Broadcast) -> Entries:
    """Return the normal log density with standard deviation ``exp(log_sd)``."""
    return -0.5 * (((x - mean) * (-log_sd).exp()).square() + LOG_2PI) - log_sd
