"""Small building blocks shared by encoders, experts, gate and decoders."""

import math
from itertools import pairwise
from typing import cast, override

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.kernels import sparse_product
from hzau_omics.nn.kernels.dropout import Dropout
from hzau_omics.nn.kernels.finish import Finish
from hzau_omics.nn.kernels.precision import wide_input_product


class FeatureMap(nn.Module):
    """Linear map of many features, dense or sparse.

    Like :class:`torch.nn.Linear`, but the weights of a feature lie side by side in memory, so that
    the product with a sparse cell reads whole rows.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(max(n_in, 1))
        self.weight = nn.Parameter(torch.empty(n_in, n_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_out).uniform_(-bound, bound))

    @override
    def forward(
        self, x: Float[Tensor, "cell feature"] | SparseEntries
    ) -> Float[Tensor, "cell hidden"]:
        """Map cells to hidden units."""
        if isinstance(x, Tensor):
            return wide_input_product(x, self.weight, self.bias)
        return sparse_product(x, self.weight) + self.bias


class HiddenLayer(nn.Module):
    """Linear map of features plus covariates, then normalisation, SiLU and dropout.

    Covariates enter through their own linear map, so that features can be sparse.
    """

    def __init__(self, n_in: int, n_covariates: int, n_out: int, *, dropout: float) -> None:
        super().__init__()
        self.features = FeatureMap(n_in, n_out)
        self.covariates = nn.Linear(n_covariates, n_out, bias=False) if n_covariates else None
        self.finish = Finish(n_out, dropout)

    def forward(
        self,
        x: Float[Tensor, "cell feature"] | SparseEntries,
        covariates: Float[Tensor, "cell covariate"],
    ) -> Float[Tensor, "cell hidden"]:
        """Map (cell, feature) to (cell, hidden)."""
        hidden = self.features(x)
        if self.covariates is not None:
            hidden = hidden + self.covariates(covariates)
        out: Tensor = self.finish(hidden)
        return out


class HiddenStack(nn.Module):
    """A stack of :class:`HiddenLayer`, each of which sees the covariates."""

    def __init__(
        self,
        n_in: int,
        n_covariates: int,
        n_hidden: int,
        *,
        n_layers: int,
        dropout: float,
        input_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input_dropout = Dropout(input_dropout)
        widths = [n_in] + [n_hidden] * n_layers
        self.layers = nn.ModuleList(
            HiddenLayer(a, n_covariates, b, dropout=dropout) for a, b in pairwise(widths)
        )

    def forward(
        self,
        x: Float[Tensor, "cell feature"] | SparseEntries,
        covariates: Float[Tensor, "cell covariate"],
    ) -> Float[Tensor, "cell hidden"]:
        """Map (cell, feature) to (cell, hidden)."""
        if isinstance(x, SparseEntries):
            # Zeros stay zeros under dropout: only stored values need a decision.
            hidden: Tensor | SparseEntries = x._replace(value=self.input_dropout(x.value))
        else:
            hidden = self.input_dropout(x)
        for layer in self.layers:
            hidden = layer(hidden, covariates)
        return cast("Tensor", hidden)
