"""The base of every likelihood."""

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hzau_omics.minibatch import Observed
from hzau_omics.nn.decoding.likelihoods.damage import Damage
from hzau_omics.nn.kernels.negative_binomial_wide import Location
from hzau_omics.nn.kernels.precision import WideLinear
from hzau_omics.nn.layers import CovariateMap

Cells = Float[Tensor, "cell feature"]
Entries = Float[Tensor, "*entry"]
Hidden = Float[Tensor, "cell hidden"]


class DecoderContext(NamedTuple):
    """Inputs of a likelihood other than the hidden features.

    Attributes
    ----------
    batch
        Batch of each cell.
    covariates
        One-hot batch and covariates.
    log_library
        Log of the cell's total counts in this modality; ignored where there is no library.
    feature_mask
        Measured features, or None if all were measured. Totals count only these.
    seen
        Which values the cell's posterior was inferred from, per cell or per entry; None for all.
    log_inflation
        Log of the factor on the variance of unseen values.
    """

    batch: Int[Tensor, " cell"]
    covariates: Float[Tensor, "cell covariate"]
    log_library: Float[Tensor, "cell 1"]
    feature_mask: Bool[Tensor, "cell feature"] | None = None
    seen: Bool[Tensor, "cell _"] | None = None
    log_inflation: Float[Tensor, ""] | float = 0.0


Parameters = dict[str, Tensor]


class Sizes(NamedTuple):
    """Sizes of a likelihood.

    Attributes
    ----------
    n_hidden
        Width of the decoder's hidden features.
    n_covariates
        Width of the covariates.
    n_features
        Number of features of the modality.
    n_batches
        Number of batches with separate dispersions; 1 for a shared one.
    n_added
        Number of added batches: the last covariates, and the last batches with separate
        dispersions.
    uses_library
        Whether counts are shares of a library size, where the likelihood allows it; None for the
        likelihood's default.
    """

    n_hidden: int
    n_covariates: int
    n_features: int
    n_batches: int = 1
    n_added: int = 0
    uses_library: bool | None = None


class Likelihood(nn.Module):
    """Base of all likelihoods; a subclass adds its parameters, density, sampler and null model."""

    is_count = False
    uses_library = False
    independent_features = False
    keeps_zeros = True
    """Whether the encoder input is computed entry by entry and keeps zeros: it can stay sparse."""
    adds_up = True
    """Whether values are amounts, whose sum over features means something."""
    damages: ClassVar[tuple[Damage, ...]] = ()
    """What each kind of corruption does to the values."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        n_hidden, n_covariates, n_features, n_batches, n_added, _ = sizes
        self.n_features = n_features
        self.n_batches = n_batches
        self.location = WideLinear(n_hidden, n_features)
        self.shift = CovariateMap.of(n_covariates, n_features, n_added)
        if self.shift is not None and self.shift.weight is not None:
            nn.init.zeros_(self.shift.weight)

    def encoder_input(self, x: Entries) -> Entries:
        """Transform values for the encoder."""
        return x

    def fit_scale(self, x: Cells) -> None:
        """Set constants, such as means, from a sample of training cells."""

    def located(self, hidden: Hidden, context: DecoderContext) -> Cells:
        """Return the unconstrained location of each feature."""
        value: Tensor = self.location(hidden)
        if self.shift is not None:
            value = value + self.shift(context.covariates)
        return value.float()

    def location_map(self, hidden: Hidden, context: DecoderContext) -> Location:
        """Return the linear map that gives the location, and what it maps."""
        inputs, weight = hidden, self.location.weight
        if self.shift is not None:
            inputs = torch.cat([inputs, context.covariates], 1)
            weight = torch.cat([weight, self.shift.whole], 1)
        return Location(inputs, weight, self.location.bias)

    def forward(self, hidden: Hidden, context: DecoderContext) -> Parameters:
        """Return the parameters of the distribution, each broadcastable to (cell, feature)."""
        raise NotImplementedError

    def log_prob(self, parameters: Parameters, x: Cells) -> Cells:
        """Log density of every entry, in nats."""
        raise NotImplementedError

    def cell_log_prob(
        self, hidden: Hidden, context: DecoderContext, observed: Observed
    ) -> Float[Tensor, " cell"]:
        """Log density of each cell's measured values, in nats.

        A subclass may compute it without the density of every entry.
        """
        return self.log_prob_of(self(hidden, context), context, observed)

    def log_prob_of(
        self, parameters: Parameters, context: DecoderContext, observed: Observed
    ) -> Float[Tensor, " cell"]:
        """Log density as :meth:`cell_log_prob` returns it, of parameters that are known already."""
        log_prob = self.log_prob(parameters, observed.dense)
        if context.feature_mask is not None:
            log_prob = torch.where(context.feature_mask, log_prob, 0.0)
        return log_prob.sum(-1)

    def mean(self, parameters: Parameters) -> Cells:
        """Mean of every entry, in the data's units."""
        raise NotImplementedError

    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        """Draw every entry once, in the data's units."""
        raise NotImplementedError

    @classmethod
    def null_log_prob(
        cls, x: Cells, mask: Bool[Tensor, "cell feature"], *, uses_library: bool
    ) -> Cells:
        """Log density of every entry under the null model, in nats.

        The null model predicts the same for all cells: the best constant per feature, fitted to the
        entries in `mask`. With `uses_library`, constants are shares of a cell's total counts.
        """
        raise NotImplementedError

    def log1p_mean(self, parameters: Parameters) -> Cells | None:
        """Mean of log1p of every entry without draws; None if only draws can tell."""
        return None

    def of_features(self, parameters: Parameters, features: Int[Tensor, " wanted"]) -> Parameters:
        """Return the parameters of some features.

        Raises
        ------
        ValueError
            Features depend on each other, so that some of them have no distribution of their own.
        """
        if not self.independent_features:
            msg = (
                "Parameters can be chosen by feature where features are independent. Received a "
                f"{type(self).__name__}: choose among its values instead."
            )
            raise ValueError(msg)
        return {name: value[:, features] for name, value in parameters.items()}


def masked_mean(x: Cells, mask: Bool[Tensor, "cell feature"]) -> Float[Tensor, " feature"]:
    """Mean of every feature over its measured entries."""
    return torch.where(mask, x, 0.0).sum(0) / mask.sum(0).clamp_min(1)
