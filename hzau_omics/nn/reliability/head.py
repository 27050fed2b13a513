"""How far a measurement can be trusted, judged from the measurement alone."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.layers import HiddenStack

N_HIDDEN = 64
PRIOR_FAILED = 0.1
"""Share of failed measurements that log odds and probabilities suppose."""

PRIOR_LOG_ODDS = math.log((1 - PRIOR_FAILED) / PRIOR_FAILED)


class ReliabilityHead(nn.Module):
    """Encoder input of one modality to the log odds that the measurement can be trusted.

    It has features of its own: an encoder's serve another end and would be disturbed.
    """

    def __init__(self, n_features: int, n_covariates: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.features = HiddenStack(n_features, n_covariates, N_HIDDEN, n_layers=1, dropout=dropout)
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
        """Return log odds, higher = more to be trusted."""
        # What normalisation takes away: how much was measured.
        total = x.sum(-1, keepdim=True) if isinstance(x, Tensor) else x.total()
        hidden = self.features(x, covariates) + self.level(total.abs().log1p())
        logit: Tensor = self.out(self.finish(hidden)).squeeze(-1).float()
        return logit


def reliability_loss(
    good: Float[Tensor, " good"], failed: Float[Tensor, " failed"]
) -> Float[Tensor, ""]:
    """Cross-entropy in nats of the log odds of good and of failed measurements, half and half.

    Log odds suppose fewer failures than that; the prior is taken out.
    """
    right = nn.functional.logsigmoid(good - PRIOR_LOG_ODDS).mean()
    wrong = nn.functional.logsigmoid(PRIOR_LOG_ODDS - failed).mean()
    return -0.5 * (right + wrong)
