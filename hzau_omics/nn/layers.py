"""Small building blocks shared by encoders, experts, gate and decoders."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn


class HiddenLayer(nn.Module):
    """Linear map of features plus covariates, then normalisation, SiLU and dropout.

    Covariates enter through their own linear map, so that the wide map of the features can be
    computed in whatever way suits the data.
    """

    def __init__(self, n_in: int, n_covariates: int, n_out: int, *, dropout: float) -> None:
        super().__init__()
        self.features = nn.Linear(n_in, n_out)
        self.covariates = nn.Linear(n_covariates, n_out, bias=False) if n_covariates else None
        self.finish = nn.Sequential(nn.LayerNorm(n_out), nn.SiLU(), nn.Dropout(dropout))

    def forward(
        self, x: Float[Tensor, "cell feature"], covariates: Float[Tensor, "cell covariate"]
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
        self.input_dropout = nn.Dropout(input_dropout)
        widths = [n_in] + [n_hidden] * n_layers
        self.layers = nn.ModuleList(
            HiddenLayer(a, n_covariates, b, dropout=dropout) for a, b in pairwise(widths)
        )

    def forward(
        self, x: Float[Tensor, "cell feature"], covariates: Float[Tensor, "cell covariate"]
    ) -> Float[Tensor, "cell hidden"]:
        """Map (cell, feature) to (cell, hidden)."""
        x = self.input_dropout(x)
        for layer in self.layers:
            x = layer(x, covariates)
        return x
