"""Real values, such as sentence embeddings."""

from typing import override

import torch
from torch import Tensor

from hzau_omics.nn.decoding import densities
from hzau_omics.nn.decoding.likelihoods.base import (
    Cells,
    DecoderContext,
    Hidden,
    Likelihood,
    Parameters,
)
from hzau_omics.nn.decoding.likelihoods.spread import Spread

LOG_SD_RANGE = (-6.0, 4.0)


class Normal(Likelihood):
    """Real values, such as embeddings, standardised by the training cells' mean and deviation."""

    keeps_zeros = False
    adds_up = False

    def __init__(self, n_hidden: int, n_covariates: int, n_features: int, n_batches: int) -> None:
        super().__init__(n_hidden, n_covariates, n_features, n_batches)
        self.log_sd = Spread(n_batches, n_features, LOG_SD_RANGE, power=2)
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))

    @override
    def fit_scale(self, x: Cells) -> None:
        self.centre.copy_(x.mean(0))
        deviation = x.std(0)
        self.scale.copy_(torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation)))

    @override
    def encoder_input(self, x: Cells) -> Cells:
        return (x - self.centre) / self.scale

    @override
    def forward(self, hidden: Hidden, context: DecoderContext) -> Parameters:
        return {
            "mean": self.located(hidden, context),
            "log_sd": self.log_sd(context),
        }

    @override
    def log_prob(self, parameters: Parameters, x: Cells) -> Cells:
        standardised = self.encoder_input(x)
        density = densities.log_normal(standardised, parameters["mean"], parameters["log_sd"])
        return density - self.scale.log()

    @override
    def mean(self, parameters: Parameters) -> Cells:
        return self.centre + self.scale * parameters["mean"]

    @override
    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        mean = parameters["mean"]
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        return self.centre + self.scale * (mean + parameters["log_sd"].exp() * noise)
