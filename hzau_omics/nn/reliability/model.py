"""The probability that a measurement can be trusted: what was learned, and what looks unusual."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.reliability.contamination import ForeignProfiles
from hzau_omics.nn.reliability.evidence import Evidence, pairs_of
from hzau_omics.nn.reliability.head import ReliabilityHead
from hzau_omics.nn.reliability.null_distribution import Tails, log_bayes_factor

ALONE = ("fit", "shape")
TOGETHER = ("support", "foreign_purity")
"""Scores of which unusual ones count: of a measurement itself, and beside other modalities."""


class LogOdds(nn.Module):
    """Log odds that measurements are good, against some kinds of failure.

    Those against each kind are a weighted sum of signs; the odds of having failed are the sum over
    kinds. At first the log odds are the first sign.
    """

    def __init__(self, n_modalities: int, n_signs: int, n_kinds: int = 1) -> None:
        super().__init__()
        self.bias: Tensor
        self.weight: Tensor
        self.typical: Tensor
        self.register_buffer("bias", torch.zeros(n_modalities, n_kinds))
        self.register_buffer("weight", torch.zeros(n_modalities, n_kinds, n_signs))
        self.register_buffer("typical", torch.zeros(n_modalities, n_signs))
        self.reset()

    def reset(self) -> None:
        """Take the first sign as it is."""
        self.bias.fill_(torch.inf)
        self.bias[:, 0] = 0.0
        self.weight.zero_()
        self.weight[:, 0, 0] = 1.0
        self.typical.zero_()

    def forward(self, signs: Float[Tensor, "cell modality sign"]) -> Float[Tensor, "cell modality"]:
        """Return log odds; NaN without the first sign, while others count as typical then."""
        known = torch.where(signs.isnan(), self.typical, signs)
        against = (self.weight * known.unsqueeze(-2)).sum(-1) + self.bias
        found = -torch.logsumexp(-against, dim=-1)
        return torch.where(signs[..., 0].isnan(), torch.nan, found)


class Judge(nn.Module):
    """How far each measurement can be trusted.

    A head per modality learns it from made failures; the gate listens to these. After training,
    how much of a measurement looks foreign comes in, and, for other kinds of failure, what cells'
    own measurements say: whether the model can explain one, and whether another modality bears it
    out.
    """

    def __init__(
        self,
        n_features: Sequence[int],
        n_covariates: int,
        *,
        n_batches: int = 1,
        dropout: float,
        learns: bool,
    ) -> None:
        super().__init__()
        n_modalities = len(n_features)
        self.heads = nn.ModuleList(
            ReliabilityHead(n, n_covariates, dropout=dropout) for n in n_features if learns
        )
        # They are taught before the network is trained, and judge alike all along.
        self.heads.requires_grad_(requires_grad=False)
        self.pairs = pairs_of(n_modalities)
        self.profiles = ForeignProfiles(n_features, n_batches)
        self.tails = nn.ModuleDict(
            {name: Tails(n_modalities, n_batches) for name in (*ALONE, *TOGETHER)}
        )
        self.agreement = Tails(len(self.pairs), n_batches)
        self.learned_odds, self.odds = LogOdds(n_modalities, 4, 2), LogOdds(n_modalities, 1)
        self.steps_taught: Tensor
        self.is_trained: Tensor
        self.register_buffer("steps_taught", torch.zeros((), dtype=torch.long))
        self.register_buffer("is_trained", torch.zeros((), dtype=torch.bool))

    @property
    def learns(self) -> bool:
        """Whether it has heads that training can teach."""
        return len(self.heads) > 0

    @property
    def is_taught(self) -> bool:
        """Whether heads have learned anything."""
        return bool(self.steps_taught > 0)

    def forward(
        self,
        inputs: Sequence[Tensor | SparseEntries],
        covariates: Float[Tensor, "cell covariate"],
    ) -> Float[Tensor, "cell modality"]:
        """Return the log odds that the heads have learned, of encoder inputs.

        They do not learn from it. In training they drop features out: a gate that does not rely on
        their last digits stands failures better that it has not seen.
        """
        with torch.no_grad():
            every = [head(x, covariates) for head, x in zip(self.heads, inputs, strict=True)]
        return torch.stack(every, dim=-1)

    def of_modality(
        self,
        modality: int,
        x: Tensor | SparseEntries,
        covariates: Float[Tensor, "cell covariate"],
    ) -> Float[Tensor, " cell"]:
        """Return the same of one modality, as it is to be learned."""
        found: Tensor = self.heads[modality](x, covariates)
        return found

    def reset(self) -> None:
        """Forget all that was learned of validation cells: they will score otherwise."""
        for odds in (self.learned_odds, self.odds):
            odds.reset()
        for tails in (*self.tails.values(), self.agreement):
            cast("Tails", tails).reset()
        self.is_trained.fill_(False)  # noqa: FBT003

    def learn_tails(self, evidence: Evidence) -> None:
        """Take the scores of good cells as reference."""
        for name, tails in self.tails.items():
            values = getattr(evidence, name)
            cast("Tails", tails).fit(values, evidence.level, evidence.batch)
        level = torch.zeros_like(evidence.agreement)
        self.agreement.fit(evidence.agreement, level, evidence.batch)

    def agreement_p_value(
        self, agreement: Float[Tensor, "cell pair"], batch: Int[Tensor, " cell"]
    ) -> Float[Tensor, "cell pair"]:
        """Return the share of good cells whose modalities agree as little or less."""
        found: Tensor = self.agreement(agreement, torch.zeros_like(agreement), batch)
        return found

    @staticmethod
    def signs(evidence: Evidence) -> Float[Tensor, "cell modality sign"]:
        """Return what tells known kinds of failure.

        The heads' log odds, what looks foreign, and how much was measured: where depths vary
        little, nothing tells what was lost better than this.
        """
        return torch.stack(
            [evidence.learned, evidence.purity, evidence.ratio, evidence.level], dim=-1
        )

    def log_odds(self, evidence: Evidence) -> Float[Tensor, "cell modality"]:
        """Return the log odds that measurements can be trusted, from all that is known.

        Each unusual score counts by the bound on its Bayes factor. That no other modality bears a
        measurement out counts only as far as one of them can be trusted itself: where all others
        have failed, it is no surprise.
        """
        alone: Tensor = self.learned_odds(self.signs(evidence))
        for name in ALONE:
            alone = alone + self._unusual(name, evidence)
        borne_out = self._best_agreement(evidence)
        for name in TOGETHER:
            borne_out = borne_out + self._unusual(name, evidence)
        failed = self._others_failed(alone, ~evidence.level.isnan())
        together = (failed + (1 - failed) * borne_out.exp()).log()
        found: Tensor = self.odds((alone + together).unsqueeze(-1))
        return found

    def _unusual(self, name: str, evidence: Evidence) -> Float[Tensor, "cell modality"]:
        """Return the log Bayes factor of a score."""
        p = self.tails[name](getattr(evidence, name), evidence.level, evidence.batch)
        return log_bayes_factor(p)

    def _best_agreement(self, evidence: Evidence) -> Float[Tensor, "cell modality"]:
        """Return the log Bayes factor of the partner that agrees best with each modality."""
        every = log_bayes_factor(self.agreement_p_value(evidence.agreement, evidence.batch))
        known = ~evidence.agreement.isnan()
        best = torch.full_like(evidence.level, -torch.inf)
        for i, pair in enumerate(self.pairs):
            for m in pair:
                found = torch.where(known[:, i], every[:, i], -torch.inf)
                best[:, m] = torch.maximum(best[:, m], found)
        return torch.where(best.isfinite(), best, 0.0)

    @staticmethod
    def _others_failed(
        log_odds: Tensor, present: Bool[Tensor, "cell modality"]
    ) -> Float[Tensor, "cell modality"]:
        """Return the probability that all other measurements of a cell have failed."""
        each = torch.where(present, nn.functional.logsigmoid(-log_odds), 0.0)
        return (each.sum(-1, keepdim=True) - each).exp()
