"""Counts: Poisson and negative binomials, as shares of a library or as free rates."""

from typing import override

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hzau_omics.minibatch import Observed
from hzau_omics.nn.decoding import densities
from hzau_omics.nn.decoding.draws.counts import sample_nb
from hzau_omics.nn.decoding.draws.log1p import log1p_mean_nb, log1p_mean_poisson
from hzau_omics.nn.decoding.library import log_total
from hzau_omics.nn.decoding.likelihoods.base import (
    Cells,
    DecoderContext,
    Entries,
    Hidden,
    Likelihood,
    Parameters,
    Sizes,
)
from hzau_omics.nn.decoding.likelihoods.damage import (
    AMBIENT,
    THINNED,
    Damage,
    ambient_counts,
    thinned_counts,
)
from hzau_omics.nn.decoding.likelihoods.dispersion import Dispersion
from hzau_omics.nn.kernels import nb_dense_log_prob, nb_log_prob, nb_wide_log_prob
from hzau_omics.nn.kernels.precision import WideLinear, in_bfloat16
from hzau_omics.nn.posterior.gaussian import soft_bound

LOG_THETA_RANGE = (-6.0, 8.0)
MIN_LOG_RATE = -15.0
MASKED_LOGIT = -1e9
MIN_START = 1e-3
MIN_NULL_RATE = 1e-8
LOG_THETA_GRID = torch.linspace(-3.0, 6.0, 13)


class Counts(Likelihood):
    """Counts: log1p as encoder input, rates as shares of the library or as free rates."""

    is_count = True
    independent_features = True
    uses_library_by_default = True
    damages = (Damage(AMBIENT, ambient_counts, "shares"), Damage(THINNED, thinned_counts))

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        default = self.uses_library_by_default
        self.uses_library = default if sizes.uses_library is None else sizes.uses_library

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

    @override
    def log1p_mean(self, parameters: Parameters) -> Cells | None:
        return log1p_mean_poisson(parameters["log_rate"])

    @classmethod
    @override
    def null_log_prob(cls, x: Cells, mask: Tensor, *, uses_library: bool) -> Cells:
        return densities.log_poisson(x, constant_log_rate(x, mask, uses_library=uses_library))


class NegativeBinomial(Counts):
    """Negative binomial counts with a dispersion per feature (and per batch, if set up so)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.log_theta = Dispersion(sizes, LOG_THETA_RANGE, power=-1)

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
        table = self.log_theta.table(context)
        entries = observed.entries if self.uses_library else None
        if table is None:
            return super().cell_log_prob(hidden, context, observed)
        if not self.uses_library or entries is None:
            log_rate = self.log_rate(hidden, context)
            return nb_dense_log_prob(observed.dense, log_rate, *table, context.feature_mask)
        if hidden.device.type == "cpu" and in_bfloat16(self.n_features):
            location = self.location_map(hidden, context)
            return nb_wide_log_prob(location, context.log_library, *table, entries)
        logits = self.located(hidden, context)
        return nb_log_prob(logits, context.log_library, *table, entries)

    @override
    def log_prob_of(
        self, parameters: Parameters, context: DecoderContext, observed: Observed
    ) -> Float[Tensor, " cell"]:
        entries, table = observed.entries, self.log_theta.table(context)
        if not self.uses_library or entries is None or table is None:
            return super().log_prob_of(parameters, context, observed)
        # Log rates are logits, too: they differ from them by a constant of each cell.
        return nb_log_prob(parameters["log_rate"], context.log_library, *table, entries)

    @override
    def mean(self, parameters: Parameters) -> Cells:
        return parameters["log_rate"].exp()

    @override
    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        return sample_nb(parameters["log_rate"], parameters["log_theta"], generator)

    @override
    def log1p_mean(self, parameters: Parameters) -> Cells | None:
        return log1p_mean_nb(parameters["log_rate"], parameters["log_theta"])

    @classmethod
    @override
    def null_log_prob(cls, x: Cells, mask: Tensor, *, uses_library: bool) -> Cells:
        log_rate = constant_log_rate(x, mask, uses_library=uses_library)
        # The dispersion of each feature is the best of a grid.
        best_total = torch.full_like(x[0], -torch.inf)
        best = torch.zeros_like(x)
        for log_theta in LOG_THETA_GRID:
            candidate = densities.log_nb(x, log_rate, log_theta.to(x))
            total = torch.where(mask, candidate, 0.0).sum(0)
            best = torch.where(total > best_total, candidate, best)
            best_total = torch.maximum(total, best_total)
        return best


class ZeroInflatedNegativeBinomial(NegativeBinomial):
    """Negative binomial with extra zeros whose share depends on the latent."""

    # The compiled kernel is for the plain negative binomial only.
    cell_log_prob = Likelihood.cell_log_prob
    log_prob_of = Likelihood.log_prob_of

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.zero_logit = WideLinear(sizes.n_hidden, sizes.n_features)
        # Few extra zeros to begin with: 12 %.
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

    @override
    def log1p_mean(self, parameters: Parameters) -> Cells | None:
        counted = log1p_mean_nb(parameters["log_rate"], parameters["log_theta"])
        return counted * torch.sigmoid(-parameters["zero_logit"])


def constant_log_rate(x: Cells, mask: Tensor, *, uses_library: bool) -> Cells:
    """Log of the best constant rate of each feature: a share of the total counts, or a mean."""
    counts = torch.where(mask, x, 0.0).sum(0)
    exposure = log_total(x).exp() if uses_library else torch.ones_like(x[:, :1])
    total_exposure = torch.where(mask, exposure, 0.0).sum(0).clamp_min(1.0)
    return exposure.log() + (counts / total_exposure).clamp_min(MIN_NULL_RATE).log()
