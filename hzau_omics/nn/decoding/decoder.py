"""Decoders: from the latent to the distribution of one modality and of its library size."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hzau_omics.nn.config import ModalityConfig, NetworkConfig
from hzau_omics.nn.decoding.library import LOG_LIBRARY_SD_RANGE, Library, log_total
from hzau_omics.nn.decoding.likelihoods import DecoderContext, Sizes, make_likelihood
from hzau_omics.nn.decoding.likelihoods.dispersion import Dispersion
from hzau_omics.nn.layers import HiddenStack
from hzau_omics.nn.posterior.gaussian import soft_bound


class ModalityDecoder(nn.Module):
    """Decoder of one modality: hidden layers, a model of the library size, a likelihood.

    Rates of a measured modality use the total of its clean target. For a modality that a cell
    lacks, the library size comes from a learned distribution given latent and covariates, which
    gives imputed counts a scale and an uncertainty. ``library="learned"`` uses the mean of that
    distribution throughout. `log_inflation` is the log of the factor on the variance of unseen
    values: 0 in training, then calibrated on calibration cells.
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
            n_added=network.n_added,
        )
        self.likelihood = make_likelihood(
            modality.likelihood,
            Sizes(
                n_hidden=n_hidden,
                n_covariates=network.n_decoder_covariates,
                n_features=modality.n_features,
                n_batches=network.n_batches if modality.dispersion == "feature-batch" else 1,
                n_added=network.n_added,
                uses_library=modality.library != "none",
            ),
        )
        self.library_is_observed = modality.library == "observed"
        self.library_head = nn.Linear(n_hidden, 2) if self.likelihood.uses_library else None
        self.library_centre: Tensor
        self.register_buffer("library_centre", torch.zeros(()))
        self.log_inflation: Tensor
        self.register_buffer("log_inflation", torch.zeros(()))

    def fit_scale(self, x: Float[Tensor, "cell feature"]) -> None:
        """Set constants from a sample of the training cells that have the modality."""
        self.likelihood.fit_scale(x)
        if self.library_head is not None:
            self.library_centre.copy_(log_total(x).mean())

    @property
    def has_dispersion(self) -> bool:
        """Whether there is a variance to calibrate: of a dispersion or of a library size."""
        dispersion = any(isinstance(part, Dispersion) for part in self.likelihood.modules())
        return dispersion or (self.likelihood.uses_library and self.library_is_observed)

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
        """Return the likelihood's inputs other than the hidden features.

        `seen` says which values the posterior was inferred from; None for all.
        """
        if log_library is None:
            log_library = covariates.new_zeros(len(batch), 1)
        return DecoderContext(
            batch, covariates, log_library.float(), feature_mask, seen, self.log_inflation
        )
