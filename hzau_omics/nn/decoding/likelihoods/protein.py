"""Surface protein: counts above a background that is present in every cell."""

from typing import override

import torch
from torch import Tensor, nn

from hzau_omics.nn.decoding import densities
from hzau_omics.nn.decoding.draws.counts import sample_nb
from hzau_omics.nn.decoding.draws.log1p import log1p_mean_nb
from hzau_omics.nn.decoding.likelihoods.base import (
    Cells,
    DecoderContext,
    Hidden,
    Likelihood,
    Parameters,
    Sizes,
)
from hzau_omics.nn.decoding.likelihoods.counts import MIN_LOG_RATE, NegativeBinomial
from hzau_omics.nn.kernels.precision import WideLinear
from hzau_omics.nn.layers import CovariateMap
from hzau_omics.nn.posterior.gaussian import soft_bound


class NegativeBinomialMixture(NegativeBinomial):
    """Protein counts: a background and a foreground negative binomial per protein.

    The background rate is learned per protein and batch. The foreground rate exceeds it by a factor
    that depends on the latent, as does the probability that a count is background only (after
    Gayoso et al. 2021, totalVI; here the background is a parameter and not a latent variable).
    """

    # The compiled kernel is for the plain negative binomial only.
    cell_log_prob = Likelihood.cell_log_prob
    log_prob_of = Likelihood.log_prob_of
    uses_library_by_default = False

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        n_covariates, n_features = sizes.n_covariates, sizes.n_features
        self.background = nn.Parameter(torch.zeros(n_features))
        self.log_library_centre: Tensor
        self.register_buffer("log_library_centre", torch.zeros(()))
        self.background_shift = CovariateMap.of(n_covariates, n_features, sizes.n_added)
        self.background_logit = WideLinear(sizes.n_hidden, n_features)

    @override
    def fit_scale(self, x: Cells) -> None:
        """Start the background at the lower quartile of each protein, for a typical library."""
        self.log_library_centre.copy_(x.sum(-1).clamp_min(1.0).log().mean())
        low = torch.quantile(x, 0.25, dim=0)
        self.background.data.copy_(torch.log1p(low))

    @override
    def forward(self, hidden: Hidden, context: DecoderContext) -> Parameters:
        log_background = self.background.float().expand(hidden.shape[0], -1)
        if self.background_shift is not None:
            log_background = log_background + self.background_shift(context.covariates).float()
        if self.uses_library:
            log_background = log_background + context.log_library - self.log_library_centre
        log_background = soft_bound(log_background, MIN_LOG_RATE, -MIN_LOG_RATE)
        increase = nn.functional.softplus(self.located(hidden, context))
        return {
            "log_background": log_background,
            "log_foreground": log_background + increase,
            "log_theta": self.log_theta(context),
            "background_logit": self.background_logit(hidden).float(),
        }

    @override
    def log_prob(self, parameters: Parameters, x: Cells) -> Cells:
        return densities.log_nb_mixture(
            x,
            parameters["log_background"],
            parameters["log_foreground"],
            parameters["log_theta"],
            parameters["background_logit"],
        )

    @override
    def mean(self, parameters: Parameters) -> Cells:
        share = torch.sigmoid(parameters["background_logit"])
        background, foreground = parameters["log_background"], parameters["log_foreground"]
        return share * background.exp() + (1 - share) * foreground.exp()

    @override
    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        is_background = torch.bernoulli(
            torch.sigmoid(parameters["background_logit"]), generator=generator
        )
        log_rate = torch.where(
            is_background.bool(), parameters["log_background"], parameters["log_foreground"]
        )
        return sample_nb(log_rate, parameters["log_theta"], generator)

    @override
    def log1p_mean(self, parameters: Parameters) -> Cells | None:
        share, log_theta = torch.sigmoid(parameters["background_logit"]), parameters["log_theta"]
        background = log1p_mean_nb(parameters["log_background"], log_theta)
        return share * background + (1 - share) * log1p_mean_nb(
            parameters["log_foreground"], log_theta
        )
