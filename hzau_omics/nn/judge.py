"""The probability that a measurement can be trusted: what was learned, and what looks unusual."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.evidence import Evidence, pairs_of
from hzau_omics.nn.reliability import ReliabilityHead
from hzau_omics.nn.tails import Tails, log_bayes_factor


class LogOddsScale(nn.Module):
    """Shift and scale of each modality's log odds, so that they are those of a probability."""

    def __init__(self, n_modalities: int) -> None:
        super().__init__()
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.zeros(n_modalities))
        self.register_buffer("scale", torch.ones(n_modalities))

    def reset(self) -> None:
        """Change nothing from now on."""
        self.shift.zero_()
        self.scale.fill_(1.0)

    def forward(self, logit: Float[Tensor, "cell modality"]) -> Float[Tensor, "cell modality"]:
        """Return log odds."""
        return self.scale * logit + self.shift


class Judge(nn.Module):
    """How far each measurement can be trusted.

    A head per modality learns it from made failures; the gate listens to these. After training,
    what cells' own measurements say comes in for other kinds of failure: whether the model can
    explain a measurement, and whether another modality bears it out.
    """

    def __init__(
        self, n_features: Sequence[int], n_covariates: int, *, dropout: float, learns: bool
    ) -> None:
        super().__init__()
        n_modalities = len(n_features)
        self.heads = nn.ModuleList(
            ReliabilityHead(n, n_covariates, dropout=dropout) for n in n_features if learns
        )
        # They are taught before the network is trained, and judge alike all along.
        self.heads.requires_grad_(requires_grad=False)
        self.pairs = pairs_of(n_modalities)
        self.fit, self.shape, self.support = (Tails(n_modalities) for _ in range(3))
        self.agreement = Tails(len(self.pairs))
        self.learned_scale, self.scale = (LogOddsScale(n_modalities) for _ in range(2))
        self.is_taught: Tensor
        self.is_trained: Tensor
        self.register_buffer("is_taught", torch.zeros((), dtype=torch.bool))
        self.register_buffer("is_trained", torch.zeros((), dtype=torch.bool))

    @property
    def learns(self) -> bool:
        """Whether it has heads that training can teach."""
        return len(self.heads) > 0

    def forward(
        self,
        inputs: Sequence[Tensor | SparseEntries],
        covariates: Float[Tensor, "cell covariate"],
    ) -> Float[Tensor, "cell modality"]:
        """Return the log odds that the heads have learned, of encoder inputs."""
        return torch.stack(
            [head(x, covariates) for head, x in zip(self.heads, inputs, strict=True)], dim=-1
        )

    def of_modality(
        self,
        modality: int,
        x: Tensor | SparseEntries,
        covariates: Float[Tensor, "cell covariate"],
    ) -> Float[Tensor, " cell"]:
        """Return the same of one modality."""
        found: Tensor = self.heads[modality](x, covariates)
        return found

    def reset(self) -> None:
        """Forget all that was learned of validation cells: they will score otherwise."""
        for scale in (self.learned_scale, self.scale):
            scale.reset()
        for tails in (self.fit, self.shape, self.support, self.agreement):
            tails.reset()
        self.is_trained.fill_(False)  # noqa: FBT003

    def learn_tails(self, evidence: Evidence) -> None:
        """Take the scores of good cells as reference."""
        for tails, values in self._scores(evidence):
            tails.fit(values, evidence.level)
        self.agreement.fit(evidence.agreement, torch.zeros_like(evidence.agreement))

    def agreement_p_value(
        self, agreement: Float[Tensor, "cell pair"]
    ) -> Float[Tensor, "cell pair"]:
        """Return the share of good cells whose modalities agree as little or less."""
        found: Tensor = self.agreement(agreement, torch.zeros_like(agreement))
        return found

    def log_odds(
        self, learned: Float[Tensor, "cell modality"], evidence: Evidence
    ) -> Float[Tensor, "cell modality"]:
        """Return the log odds that measurements can be trusted, from all that is known.

        Each unusual score counts by the bound on its Bayes factor. That no other modality bears a
        measurement out counts only as far as one of them can be trusted itself: where all others
        have failed, it is no surprise.
        """
        alone = self.learned_scale(learned)
        for tails, values in self._scores(evidence)[:2]:
            alone = alone + log_bayes_factor(tails(values, evidence.level))
        borne_out = log_bayes_factor(self.support(evidence.support, evidence.level))
        borne_out = borne_out + self._best_agreement(evidence)
        failed = self._others_failed(alone, ~evidence.level.isnan())
        together = (failed + (1 - failed) * borne_out.exp()).log()
        found: Tensor = self.scale(alone + together)
        return found

    def _scores(self, evidence: Evidence) -> list[tuple[Tails, Tensor]]:
        scores = (evidence.fit, evidence.shape, evidence.support)
        return list(zip((self.fit, self.shape, self.support), scores, strict=True))

    def _best_agreement(self, evidence: Evidence) -> Float[Tensor, "cell modality"]:
        """Return the log Bayes factor of the partner that agrees best with each modality."""
        every = log_bayes_factor(self.agreement_p_value(evidence.agreement))
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
