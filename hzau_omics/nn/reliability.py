"""How far a measurement can be trusted, judged from the measurement alone."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.layers import HiddenStack

N_HIDDEN = 64
START = 2.0
"""Log odds before training: a measurement is trusted."""


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
        nn.init.constant_(self.out.bias, START)

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
    logit: Float[Tensor, "cell modality"],
    target: Bool[Tensor, "cell modality"],
    counted: Bool[Tensor, "cell modality"],
) -> Float[Tensor, ""]:
    """Sum of the cross-entropy, in nats, over measurements that are known to be good or bad."""
    every = nn.functional.binary_cross_entropy_with_logits(
        logit, target.to(logit.dtype), reduction="none"
    )
    return torch.where(counted, every, 0.0).sum()
