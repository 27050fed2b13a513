"""Counts: Poisson and negative binomials, as shares of a library or as free rates."""

from typing import override

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hzau_omics.minibatch import Observed
from hzau_omics.nn.decoding import densities
from hzau_omics.nn.decoding.likelihoods.base import (
    Cells,
    DecoderContext,
    Entries,
    Hidden,
    Likelihood,
    Parameters,
)
from hzau_omics.nn.decoding.likelihoods.spread import Spread
from hzau_omics.nn.kernels import nb_log_prob
from hzau_omics.nn.kernels.precision import WideLinear
from hzau_omics.nn.posterior.gaussian import soft_bound

LOG_THETA_RANGE = (-6.0, 8.0)
MIN_LOG_RATE = -15.0
MASKED_LOGIT = -1e9
MIN_START = 1e-3


class Counts(Likelihood):
    """Counts: log1p as encoder input, rates as shares of the library or as free rates."""

    is_count = True
    independent_features = True

    def __init__(
        self,
        n_hidden: int,
        n_covariates: int,
        n_features: int,
        n_batches: int,
        *,
        uses_library: bool = True,
    ) -> None:
        super().__init__(n_hidden, n_covariates, n_features, n_batches)
        self.uses_library = uses_library

    @override
    def fit_scale(self, x: Cells) -> None:
        """Start from the mean count of each feature."""
        self.location.bias.data.copy_(x.mean(0).clamp_min(MIN_START).log())

    @override
    def encoder_input(self, x: Entries) -> Entries:
        return torch.log1p(x)

    def log_rate(self, hidden: Hidden, context: DecoderContext) -> Cells:
        """Log of the expected count.

        With a library, the shares of the measured features sum to 1; a feature that was not
        measured keeps its ratio to them, so that it can be imputed on the same scale.
        """
        value = self.located(hidden, context)
        if not self.uses_library:
            return soft_bound(value, MIN_LOG_RATE, -MIN_LOG_RATE)
        measured = value
        if context.feature_mask is not None:
            measured = torch.where(context.feature_mask, value, MASKED_LOGIT)
        log_share = value - torch.logsumexp(measured, dim=-1, keepdim=True)
        return (context.log_library + log_share).clamp_min(MIN_LOG_RATE)


class Poisson(Counts):
    """Poisson counts."""

    @override
    def forward(self, hidden: Hidden, context: DecoderContext) -> Parameters:
        return {"log_rate": self.log_rate(hidden, context)}

    @override
    def log_prob(self, parameters: Parameters, x: Cells) -> Cells:
        return densities.log_poisson(x, parameters["log_rate"])

    @override
    def mean(self, parameters: Parameters) -> Cells:
        return parameters["log_rate"].exp()

    @override
    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        return torch.poisson(parameters["log_rate"].exp(), generator=generator)


class NegativeBinomial(Counts):
    """Negative binomial counts with a dispersion per feature (and batch, if asked)."""

    def __init__(
        self,
        n_hidden: int,
        n_covariates: int,
        n_features: int,
        n_batches: int,
        *,
        uses_library: bool = True,
    ) -> None:
        super().__init__(n_hidden, n_covariates, n_features, n_batches, uses_library=uses_library)
        self.log_theta = Spread(n_batches, n_features, LOG_THETA_RANGE, power=-1)

    @override
    def forward(self, hidden: Hidden, context: DecoderContext) -> Parameters:
        return {
            "log_rate": self.log_rate(hidden, context),
            "log_theta": self.log_theta(context),
        }

    @override
    def log_prob(self, parameters: Parameters, x: Cells) -> Cells:
        return densities.log_nb(x, parameters["log_rate"], parameters["log_theta"])

    @override
    def cell_log_prob(
        self, hidden: Hidden, context: DecoderContext, observed: Observed
    ) -> Float[Tensor, " cell"]:
        entries, table = observed.entries, self.log_theta.table(context)
        if not self.uses_library or entries is None or table is None:
            return super().cell_log_prob(hidden, context, observed)
        logits = self.located(hidden, context)
        return nb_log_prob(logits, context.log_library, *table, entries)

    @override
    def mean(self, parameters: Parameters) -> Cells:
        return parameters["log_rate"].exp()

    @override
    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        return sample_nb(parameters["log_rate"], parameters["log_theta"], generator)


class ZeroInflatedNegativeBinomial(NegativeBinomial):
    """Negative binomial with extra zeros whose share depends on the latent."""

    cell_log_prob = Likelihood.cell_log_prob

    def __init__(
        self,
        n_hidden: int,
        n_covariates: int,
        n_features: int,
        n_batches: int,
        *,
        uses_library: bool = True,
    ) -> None:
        super().__init__(n_hidden, n_covariates, n_features, n_batches, uses_library=uses_library)
        self.zero_logit = WideLinear(n_hidden, n_features)
        nn.init.constant_(self.zero_logit.bias, -2.0)

    @override
    def forward(self, hidden: Hidden, context: DecoderContext) -> Parameters:
        return {
            **super().forward(hidden, context),
            "zero_logit": self.zero_logit(hidden).float(),
        }

    @override
    def log_prob(self, parameters: Parameters, x: Cells) -> Cells:
        return densities.log_zinb(
            x, parameters["log_rate"], parameters["log_theta"], parameters["zero_logit"]
        )

    @override
    def mean(self, parameters: Parameters) -> Cells:
        return super().mean(parameters) * torch.sigmoid(-parameters["zero_logit"])

    @override
    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        counts = super().sample(parameters, generator)
        return counts * torch.bernoulli(
            torch.sigmoid(-parameters["zero_logit"]), generator=generator
        )


def sample_nb(log_mean: Cells, log_theta: Tensor, generator: torch.Generator | None) -> Cells:
    """Draw gamma-Poisson counts."""
    theta = log_theta.exp().expand_as(log_mean).contiguous()
    # torch.distributions takes no generator; this is the sampler beneath its Gamma.
    rate = torch._standard_gamma(theta, generator=generator) * (log_mean - log_theta).exp()
    return torch.poisson(rate, generator=generator)
