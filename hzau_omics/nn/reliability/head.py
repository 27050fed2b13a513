"""The reliability head: how far a measurement can be trusted, from the measurement alone."""

import math
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.config import PRIOR_FAILED
from hzau_omics.nn.layers import HiddenLayer, HiddenStack

N_HIDDEN = 64
PRIOR_LOG_ODDS = math.log((1 - PRIOR_FAILED) / PRIOR_FAILED)


class ReliabilityHead(nn.Module):
    """Network from the encoder input of one modality to the log odds that it can be trusted.

    It has its own hidden layers: sharing those of the encoder would disturb both tasks.
    """

    def __init__(
        self, n_features: int, n_covariates: int, *, dropout: float = 0.0, n_added: int = 0
    ) -> None:
        super().__init__()
        self.features = HiddenStack(
            n_features, n_covariates, N_HIDDEN, n_layers=1, dropout=dropout, n_added=n_added
        )
        self.level = nn.Linear(1, N_HIDDEN, bias=False)
        self.finish = nn.Sequential(nn.Linear(N_HIDDEN, N_HIDDEN), nn.SiLU())
        self.out = nn.Linear(N_HIDDEN, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.constant_(self.out.bias, PRIOR_LOG_ODDS)

    def forward(
        self,
        x: Float[Tensor, "cell feature"] | SparseEntries,
        covariates: Float[Tensor, "cell covariate"],
    ) -> Float[Tensor, " cell"]:
        """Return log odds; higher = more trustworthy."""
        # Layer normalisation removes the total, which is informative: it enters by itself.
        total = x.sum(-1, keepdim=True) if isinstance(x, Tensor) else x.total()
        hidden = self.features(x, covariates) + self.level(total.abs().log1p())
        logit: Tensor = self.out(self.finish(hidden)).squeeze(-1).float()
        return logit

    @torch.no_grad()
    def centre(self, typical: Float[Tensor, " feature"]) -> None:
        """Shift the first layer so that it gives 0 for typical values, instead of its bias alone.

        Layer normalisation follows: what all cells share would hide how they differ, until it is
        unlearned.
        """
        first = cast("HiddenLayer", self.features.layers[0]).features
        first.bias.sub_(typical @ first.weight)


def reliability_loss(
    good: Float[Tensor, " good"], failed: Float[Tensor, " failed"]
) -> Float[Tensor, ""]:
    """Cross-entropy in nats of log odds, half over good and half over failed measurements.

    Log odds assume that a tenth of the measurements has failed, not a half: their prior is
    subtracted first (docs/method.md, equation 20).
    """
    of_good = nn.functional.logsigmoid(good - PRIOR_LOG_ODDS).mean()
    of_failed = nn.functional.logsigmoid(PRIOR_LOG_ODDS - failed).mean()
    return -0.5 * (of_good + of_failed)
