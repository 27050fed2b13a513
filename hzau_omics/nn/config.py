"""What a network is built from: plain values, no tensors."""

from dataclasses import dataclass, field

PRIOR_FAILED = 0.1
"""Prior probability that a measurement has failed."""


@dataclass(frozen=True, kw_only=True)
class ModalityConfig:
    """Shape and likelihood of one modality.

    Where `n_hidden` or `n_layers` is None, the network's own applies. `input_dropout` is the share
    of input values that are hidden from the encoder in a training step.
    """

    name: str
    n_features: int
    likelihood: str
    library: str = "observed"
    dispersion: str = "feature"
    n_hidden: int | None = None
    n_layers: int | None = None
    input_dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Sizes and options of a multimodal VAE.

    Attributes
    ----------
    modalities
        One entry per modality, in registered order.
    n_latent
        Number of latents.
    n_hidden, n_layers
        Width and depth of encoders and decoders.
    dropout
        Dropout rate of the decoders' hidden layers.
    encoder_dropout
        Dropout rate of the encoders' and experts' hidden layers.
    n_batches
        Number of batches; with at least two, the batch is a one-hot covariate.
    n_added
        Number of batches that were added to a trained network, the last ones. Only what belongs to
        them is trained; encoders see which of them a cell is of, whatever `encode_covariates` says.
    n_categories
        Number of categories of each further categorical covariate.
    n_continuous
        Number of continuous covariates.
    encode_covariates
        Whether encoders see batch and covariates too; decoders always do.
    experts
        Modality subsets that have an expert; None for the default family.
    condition
        Modalities that are conditioned on and not decoded (CVAE). The decoders of the others see
        them, and the prior is inferred from them alone.
    pool
        How experts become one posterior; a key of :data:`hzau_omics.nn.posterior.pools.POOLS`.
    """

    modalities: tuple[ModalityConfig, ...]
    n_latent: int
    n_hidden: int
    n_layers: int = 1
    dropout: float = 0.0
    encoder_dropout: float = 0.0
    n_batches: int = 1
    n_added: int = 0
    n_categories: tuple[int, ...] = field(default=())
    n_continuous: int = 0
    encode_covariates: bool = True
    experts: tuple[tuple[str, ...], ...] | None = None
    condition: tuple[str, ...] = ()
    pool: str = "gate"

    @property
    def n_covariates(self) -> int:
        """Width of the one-hot batch, one-hot covariates, continuous ones and added batches."""
        batch = self.n_first if self.n_first > 1 else 0
        return batch + sum(self.n_categories) + self.n_continuous + self.n_added

    @property
    def n_encoder_covariates(self) -> int:
        """Width of the covariates that encoders see, the last of all."""
        return self.n_covariates if self.encode_covariates else self.n_added

    @property
    def n_first(self) -> int:
        """Number of batches that the network was first trained on."""
        return self.n_batches - self.n_added

    @property
    def n_decoder_covariates(self) -> int:
        """Width of the decoders' further inputs: covariates, and hidden features of conditions."""
        widths = [m.n_hidden or self.n_hidden for m in self.modalities if m.name in self.condition]
        return self.n_covariates + sum(widths)

    @property
    def generated(self) -> tuple[int, ...]:
        """Positions of the modalities that are decoded."""
        return tuple(i for i, m in enumerate(self.modalities) if m.name not in self.condition)
