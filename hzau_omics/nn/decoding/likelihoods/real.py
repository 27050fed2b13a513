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
    Sizes,
)
from hzau_omics.nn.decoding.likelihoods.damage import AMBIENT, Damage, towards_mean
from hzau_omics.nn.decoding.likelihoods.dispersion import Dispersion
from hzau_omics.nn.posterior.gaussian import LOG_2PI

LOG_SD_RANGE = (-6.0, 4.0)


class Normal(Likelihood):
    """Real values, such as embeddings, standardised by the training cells' mean and deviation."""

    keeps_zeros = False
    adds_up = False
    damages = (Damage(AMBIENT, towards_mean, "means"),)

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.log_sd = Dispersion(sizes, LOG_SD_RANGE, power=2)
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", torch.zeros(sizes.n_features))
        self.register_buffer("scale", torch.ones(sizes.n_features))

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

    @classmethod
    @override
    def null_log_prob(cls, x: Cells, mask: Tensor, *, uses_library: bool) -> Cells:
        # For standardised values, whose mean square is 1: the scale of the data is not predicted.
        return torch.full_like(x, -0.5 * (LOG_2PI + 1))
