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


class CovariateMap(nn.Module):
    """Linear map of covariates, without a bias.

    The last `n_added` covariates say which added batch a cell is of. Their weights are a parameter
    of their own, because the others stay as they are. Cells of other batches have 0 there, so that
    nothing about them changes.

    Parameters
    ----------
    n_covariates
        Number of covariates, added batches included; further ones before these are ignored.
    n_out
        Width of the result.
    n_added
        Number of added batches.
    """

    def __init__(self, n_covariates: int, n_out: int, n_added: int = 0) -> None:
        super().__init__()
        self.n_known, self.n_added = n_covariates - n_added, n_added
        self.weight = self.added = None
        if self.n_known:
            self.weight = nn.Parameter(torch.empty(n_out, self.n_known))
            nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if n_added:
            self.added = nn.Parameter(torch.zeros(n_out, n_added))

    @classmethod
    def of(cls, n_covariates: int, n_out: int, n_added: int = 0) -> "CovariateMap | None":
        """Return a map; None without covariates."""
        return cls(n_covariates, n_out, n_added) if n_covariates else None

    def forward(self, covariates: Float[Tensor, "cell covariate"]) -> Float[Tensor, "cell out"]:
        """Map covariates."""
        parts = []
        if self.weight is not None:
            # Products of rows with gaps between them may be rounded differently.
            known = covariates[:, : self.n_known].contiguous()
            parts.append(nn.functional.linear(known, self.weight))
        if self.added is not None:
            parts.append(nn.functional.linear(covariates[:, -self.n_added :], self.added))
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    @property
    def whole(self) -> Float[Tensor, "out covariate"]:
        """Weights of all covariates."""
        return torch.cat([part for part in (self.weight, self.added) if part is not None], 1)

    @torch.no_grad()
    def start_added(self, n_first: int) -> None:
        """Let added batches start from the mean of the first `n_first` covariates, the batches."""
        if self.added is not None and self.weight is not None and n_first > 1:
            self.added.copy_(self.weight[:, :n_first].mean(1, keepdim=True).expand_as(self.added))


class AddedInputs(nn.Module):
    """Affine map of the features of added batches to what other batches would have measured.

    It starts as the identity. Cells of other batches stay as they are.

    Parameters
    ----------
    n_features
        Number of features.
    n_added
        Number of added batches.
    """

    def __init__(self, n_features: int, n_added: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_added, n_features, n_features))
        self.bias = nn.Parameter(torch.zeros(n_added, n_features))

    def forward(
        self, x: Float[Tensor, "cell feature"], which: Float[Tensor, "cell added"]
    ) -> Float[Tensor, "cell feature"]:
        """Map cells; `which` is the one-hot added batch."""
        change = torch.einsum("cf,afg->cag", x, self.weight) + self.bias
        return x + (change * which.unsqueeze(-1)).sum(1)


class HiddenLayer(nn.Module):
    """Linear map of features plus covariates, then normalisation, SiLU and dropout.

    Covariates enter through their own linear map, so that features can be sparse.
    """

    def __init__(
        self, n_in: int, n_covariates: int, n_out: int, *, dropout: float, n_added: int = 0
    ) -> None:
        super().__init__()
        self.features = FeatureMap(n_in, n_out)
        self.covariates = CovariateMap.of(n_covariates, n_out, n_added)
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
    """A stack of :class:`HiddenLayer`, each of which sees the covariates.

    The last `n_added` of the covariates are added batches, as in :class:`CovariateMap`.
    """

    def __init__(
        self,
        n_in: int,
        n_covariates: int,
        n_hidden: int,
        *,
        n_layers: int,
        dropout: float,
        input_dropout: float = 0.0,
        n_added: int = 0,
    ) -> None:
        super().__init__()
        self.input_dropout = Dropout(input_dropout)
        widths = [n_in] + [n_hidden] * n_layers
        self.layers = nn.ModuleList(
            HiddenLayer(a, n_covariates, b, dropout=dropout, n_added=n_added)
            for a, b in pairwise(widths)
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
