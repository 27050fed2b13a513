"""Weights that balance modalities of different width, from the likelihood of their null models."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hzau_omics.nn.decoding.likelihoods import likelihood_class

MAX_WEIGHT = 20.0
MIN_NULL_NLL = 1.0


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
        Measured entries; None for all.

    Raises
    ------
    ConfigError
        The likelihood is unknown.
    """
    mask = torch.ones_like(x, dtype=torch.bool) if feature_mask is None else feature_mask
    log_prob = likelihood_class(likelihood).null_log_prob(x, mask, uses_library=uses_library)
    return float(-torch.where(mask, log_prob, 0.0).sum(-1).mean())


def balanced_weights(null_nlls: dict[str, float]) -> dict[str, float]:
    """Weight lambda_m = clip(N_max / N_m, 1, 20) from the null models' NLL (lower N, more weight).

    The widest modality keeps weight 1 and the others are raised, which keeps the relative weight of
    the KL; shrinking the widest would increase it.

    Examples
    --------
    >>> balanced_weights({"rna": 1200.0, "adt": 100.0})
    {'rna': 1.0, 'adt': 12.0}
    """
    floored = {name: max(value, MIN_NULL_NLL) for name, value in null_nlls.items()}
    widest = max(floored.values())
    return {name: min(max(widest / n, 1.0), MAX_WEIGHT) for name, n in floored.items()}
