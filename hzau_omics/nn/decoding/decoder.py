"""Decoders: from the latent to the distribution of one modality and of its library size."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hzau_omics.nn.config import ModalityConfig, NetworkConfig
from hzau_omics.nn.decoding.likelihoods import DecoderContext, make_likelihood
from hzau_omics.nn.decoding.likelihoods.spread import Spread
from hzau_omics.nn.layers import HiddenStack
from hzau_omics.nn.posterior.gaussian import LOG_2PI, soft_bound

LOG_LIBRARY_SD_RANGE = (-4.0, 2.0)


class Library(NamedTuple):
    """Normal distribution of a cell's log total counts: mean and log standard deviation."""

    mean: Float[Tensor, "cell 1"]
    log_sd: Float[Tensor, "cell 1"]

    def log_prob(self, log_total: Float[Tensor, "cell 1"]) -> Float[Tensor, " cell"]:
        """Log density of the log total, in nats."""
        scaled = (log_total - self.mean) * (-self.log_sd).exp()
        return (-0.5 * (scaled.square() + LOG_2PI) - self.log_sd).squeeze(-1)

    def widened(self, log_factor: Float[Tensor, ""]) -> "Library":
        """Return the distribution with its variance multiplied by ``exp(log_factor)``."""
        return Library(self.mean, self.log_sd + log_factor / 2)

    def sample(
        self,
        generator: torch.Generator | None = None,
        *,
        noise: Float[Tensor, "cell 1"] | None = None,
    ) -> Float[Tensor, "cell 1"]:
        """Draw one log total per cell, from standard normal noise if that is given."""
        if noise is None:
            noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device)
        return self.mean + self.log_sd.exp() * noise


class ModalityDecoder(nn.Module):
    """Decode one modality: hidden layers, a library model where counts need one, a likelihood.

    An observed modality's rates use the total of its clean target. What a cell lacks is decoded
    with a library from the learned distribution given latent and covariates, so imputed counts have
    a scale and an honest spread. `log_widening` widens or narrows what is predicted for values that
    the posterior did not see; it is 0 in training and calibrated on validation cells.
    ``library="learned"`` uses the mean of that distribution throughout.
    """

    def __init__(self, modality: ModalityConfig, network: NetworkConfig) -> None:
        super().__init__()
        n_hidden = modality.n_hidden or network.n_hidden
        self.trunk = HiddenStack(
            network.n_latent,
            network.n_decoder_covariates,
            n_hidden,
            n_layers=modality.n_layers or network.n_layers,
            dropout=network.dropout,
        )
        self.likelihood = make_likelihood(
            modality.likelihood,
            n_hidden=n_hidden,
            n_covariates=network.n_decoder_covariates,
            n_features=modality.n_features,
            n_batches=network.n_batches if modality.dispersion == "feature-batch" else 1,
            uses_library=modality.library != "none",
        )
        self.library_is_observed = modality.library == "observed"
        self.library_head = nn.Linear(n_hidden, 2) if self.likelihood.uses_library else None
        self.library_centre: Tensor
        self.register_buffer("library_centre", torch.zeros(()))
        self.log_widening: Tensor
        self.register_buffer("log_widening", torch.zeros(()))

    def fit_scale(self, x: Float[Tensor, "cell feature"]) -> None:
        """Set constants from a sample of the training cells that have the modality."""
        self.likelihood.fit_scale(x)
        if self.library_head is not None:
            self.library_centre.copy_(log_total(x).mean())

    @property
    def has_spread(self) -> bool:
        """Whether anything is left to calibrate: a spread or a library size."""
        spread = any(isinstance(part, Spread) for part in self.likelihood.modules())
        return spread or (self.likelihood.uses_library and self.library_is_observed)

    def hidden(
        self, z: Float[Tensor, "cell latent"], covariates: Float[Tensor, "cell covariate"]
    ) -> Float[Tensor, "cell hidden"]:
        """Return the decoder's hidden features."""
        out: Tensor = self.trunk(z, covariates)
        return out

    def library(self, hidden: Float[Tensor, "cell hidden"]) -> Library | None:
        """Return the learned distribution of the log total, or None without a library."""
        if self.library_head is None:
            return None
        mean, log_sd = self.library_head(hidden).float().chunk(2, dim=-1)
        return Library(mean + self.library_centre, soft_bound(log_sd, *LOG_LIBRARY_SD_RANGE))

    def context(
        self,
        log_library: Float[Tensor, "cell 1"] | None,
        *,
        batch: Int[Tensor, " cell"],
        covariates: Float[Tensor, "cell covariate"],
        feature_mask: Bool[Tensor, "cell feature"] | None,
        seen: Bool[Tensor, "cell _"] | None = None,
    ) -> DecoderContext:
        """Gather what the likelihood needs beside hidden features.

        `seen` says which values the posterior behind them saw; None if all.
        """
        if log_library is None:
            log_library = covariates.new_zeros(len(batch), 1)
        return DecoderContext(
            batch, covariates, log_library.float(), feature_mask, seen, self.log_widening
        )


def log_total(x: Float[Tensor, "cell feature"]) -> Float[Tensor, "cell 1"]:
    """Log of each cell's total; a cell without any count is treated as having one."""
    return log_of_total(x.sum(-1, keepdim=True))


def log_of_total(total: Float[Tensor, "cell 1"]) -> Float[Tensor, "cell 1"]:
    """Log of a total, of at least one count."""
    return total.clamp_min(1.0).log()
