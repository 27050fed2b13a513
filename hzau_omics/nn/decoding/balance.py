"""Balance of modalities of very different width: null models and the weights that follow."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hzau_omics.nn.decoding import densities
from hzau_omics.nn.decoding.decoder import log_total
from hzau_omics.nn.posterior.gaussian import LOG_2PI

MAX_WEIGHT = 20.0
MIN_NULL_NLL = 1.0
LOG_THETA_GRID = torch.linspace(-3.0, 6.0, 13)
MIN_RATE = 1e-8


def null_nll(
    likelihood: str,
    x: Float[Tensor, "cell feature"],
    *,
    uses_library: bool = True,
    feature_mask: Bool[Tensor, "cell feature"] | None = None,
) -> float:
    """Negative log likelihood of the best constant prediction, in nats per cell.

    For counts the constant is each feature's share of the total (with a library) or its mean rate,
    with the best dispersion per feature from a grid; for `bernoulli` and `categorical` the
    frequencies; `normal` data are standardised first.

    Parameters
    ----------
    likelihood
        Name of the likelihood.
    x
        Values of training cells that have the modality.
    uses_library
        Whether rates are shares of a cell's total counts.
    feature_mask
        Measured entries; the others count nothing.
    """
    mask = torch.ones_like(x, dtype=torch.bool) if feature_mask is None else feature_mask
    measured = mask.sum(0).clamp_min(1)
    mean = torch.where(mask, x, 0.0).sum(0) / measured
    if likelihood == "normal":
        log_prob = torch.full_like(x, -0.5 * (LOG_2PI + 1))
    elif likelihood == "bernoulli":
        log_prob = densities.log_bernoulli(x, torch.logit(mean.clamp(1e-6, 1 - 1e-6)).expand_as(x))
    elif likelihood == "categorical":
        log_prob = densities.log_categorical(x, mean.clamp_min(1e-6).log().expand_as(x))
    elif likelihood == "multinomial":
        log_prob = densities.log_multinomial(
            x, _log_rate(x, mask, uses_library=True) - log_total(x)
        )
    else:
        log_rate = _log_rate(x, mask, uses_library=uses_library)
        log_prob = _best_count_log_prob(likelihood, x, log_rate, mask)
    return float(-torch.where(mask, log_prob, 0.0).sum(-1).mean())


def _log_rate(x: Tensor, mask: Tensor, *, uses_library: bool) -> Tensor:
    counts = torch.where(mask, x, 0.0).sum(0)
    exposure = log_total(x).exp() if uses_library else torch.ones_like(x[:, :1])
    available = torch.where(mask, exposure, 0.0).sum(0).clamp_min(1.0)
    return exposure.log() + (counts / available).clamp_min(MIN_RATE).log()


def _best_count_log_prob(likelihood: str, x: Tensor, log_rate: Tensor, mask: Tensor) -> Tensor:
    if likelihood == "poisson":
        return densities.log_poisson(x, log_rate)
    best_sum = torch.full_like(x[0], -torch.inf)
    best = torch.zeros_like(x)
    for log_theta in LOG_THETA_GRID:
        candidate = densities.log_nb(x, log_rate, log_theta.to(x))
        total = torch.where(mask, candidate, 0.0).sum(0)
        better = total > best_sum
        best = torch.where(better, candidate, best)
        best_sum = torch.maximum(total, best_sum)
    return best


def balanced_weights(null_nlls: dict[str, float]) -> dict[str, float]:
    """Weight lambda_m = clip(N_max / N_m, 1, 20) from the null models' NLL (lower N, more weight).

    The widest modality keeps 1 and the others are raised, which keeps the KL's relative weight;
    shrinking the widest would multiply it.

    Examples
    --------
    >>> balanced_weights({"rna": 1200.0, "adt": 100.0})
    {'rna': 1.0, 'adt': 12.0}
    """
    floored = {name: max(value, MIN_NULL_NLL) for name, value in null_nlls.items()}
    widest = max(floored.values())
    return {name: min(max(widest / n, 1.0), MAX_WEIGHT) for name, n in floored.items()}
