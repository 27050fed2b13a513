"""What every likelihood is: a head, a log density, a sampler, and a transform for encoders."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hzau_omics.minibatch import Observed
from hzau_omics.nn.kernels.precision import WideLinear

Cells = Float[Tensor, "cell feature"]
Entries = Float[Tensor, "*entry"]
Hidden = Float[Tensor, "cell hidden"]


class DecoderContext(NamedTuple):
    """What a likelihood needs beside the hidden features.

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
        Which values the cell's posterior saw, per cell or per entry; None if it saw all.
    log_widening
        Log of the factor by which the variance of values that were not seen is widened.
    """

    batch: Int[Tensor, " cell"]
    covariates: Float[Tensor, "cell covariate"]
    log_library: Float[Tensor, "cell 1"]
    feature_mask: Bool[Tensor, "cell feature"] | None = None
    seen: Bool[Tensor, "cell _"] | None = None
    log_widening: Float[Tensor, ""] | float = 0.0


Parameters = dict[str, Tensor]


class Likelihood(nn.Module):
    """Base of all likelihoods; a subclass adds its parameters, density and sampler.

    Parameters
    ----------
    n_hidden
        Width of the decoder's hidden features.
    n_covariates
        Width of the covariates.
    n_features
        Number of features of the modality.
    n_batches
        Number of batches; 1 shares the dispersion between batches.
    """

    is_count = False
    uses_library = False
    independent_features = False
    keeps_zeros = True
    """Whether encoder inputs are made entry by entry, and those of zeros are 0."""
    adds_up = True
    """Whether values are amounts, of which every feature has a share."""

    def __init__(self, n_hidden: int, n_covariates: int, n_features: int, n_batches: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_batches = n_batches
        self.location = WideLinear(n_hidden, n_features)
        self.shift = nn.Linear(n_covariates, n_features, bias=False) if n_covariates else None
        if self.shift is not None:
            nn.init.zeros_(self.shift.weight)

    def encoder_input(self, x: Entries) -> Entries:
        """Transform values to what an encoder reads well."""
        return x

    def fit_scale(self, x: Cells) -> None:
        """Learn constants (such as means) from a sample of training cells."""

    def located(self, hidden: Hidden, context: DecoderContext) -> Cells:
        """Return the unconstrained location of each feature."""
        value: Tensor = self.location(hidden)
        if self.shift is not None:
            value = value + self.shift(context.covariates)
        return value.float()

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
        log_prob = self.log_prob(self(hidden, context), observed.dense)
        if context.feature_mask is not None:
            log_prob = torch.where(context.feature_mask, log_prob, 0.0)
        return log_prob.sum(-1)

    def mean(self, parameters: Parameters) -> Cells:
        """Mean of every entry, in the data's units."""
        raise NotImplementedError

    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        """Draw every entry once, in the data's units."""
        raise NotImplementedError

    def mean_features(
        self, parameters: Parameters, features: Int[Tensor, " wanted"]
    ) -> Float[Tensor, "cell wanted"]:
        """Mean of some features; no more than these is computed where they are independent."""
        if self.independent_features:
            return self.mean(_of_features(parameters, features))
        return self.mean(parameters)[:, features]

    def sample_features(
        self,
        parameters: Parameters,
        features: Int[Tensor, " wanted"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "cell wanted"]:
        """Draw some features once; no more than these where features are independent."""
        if self.independent_features:
            return self.sample(_of_features(parameters, features), generator)
        return self.sample(parameters, generator)[:, features]


def _of_features(parameters: Parameters, features: Tensor) -> Parameters:
    return {name: value[:, features] for name, value in parameters.items()}
