"""What a network is built from: plain values, no tensors."""

from dataclasses import dataclass, field

PRIOR_FAILED = 0.1
"""Share of failed measurements that reliability assumes before it sees any."""


@dataclass(frozen=True, kw_only=True)
class ModalityConfig:
    """Shape and likelihood of one modality.

    `n_hidden` and `n_layers` None take the network's own; `input_dropout` is the share of input
    values that the encoder does not see in a training step.
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
        Number of batches; one-hot covariates where there are at least two.
    n_categories
        Number of categories of each further categorical covariate.
    n_continuous
        Number of continuous covariates.
    encode_covariates
        Whether encoders see batch and covariates too; decoders always do.
    experts
        Modality subsets with an expert each; None takes the default family.
    condition
        Modalities that are only conditioned on (CVAE): the decoders of the others see them, the
        prior is what is inferred from them alone, and they are not decoded themselves.
    pool
        How experts become one posterior; a key of :data:`hzau_omics.nn.posterior.pools.POOLS`.
    """

    modalities: tuple[ModalityConfig, ...]
    n_latent: int = 50
    n_hidden: int = 256
    n_layers: int = 1
    dropout: float = 0.0
    encoder_dropout: float = 0.0
    n_batches: int = 1
    n_categories: tuple[int, ...] = field(default=())
    n_continuous: int = 0
    encode_covariates: bool = True
    experts: tuple[tuple[str, ...], ...] | None = None
    condition: tuple[str, ...] = ()
    pool: str = "gate"

    @property
    def n_covariates(self) -> int:
        """Width of the one-hot batch, one-hot covariates and continuous covariates."""
        batch = self.n_batches if self.n_batches > 1 else 0
        return batch + sum(self.n_categories) + self.n_continuous

    @property
    def n_decoder_covariates(self) -> int:
        """Width of what decoders see beside the latent: covariates, and features of conditions."""
        widths = [m.n_hidden or self.n_hidden for m in self.modalities if m.name in self.condition]
        return self.n_covariates + sum(widths)

    @property
    def generated(self) -> tuple[int, ...]:
        """Positions of the modalities that are decoded."""
        return tuple(i for i, m in enumerate(self.modalities) if m.name not in self.condition)
