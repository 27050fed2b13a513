"""The reliability model: the probability that a measurement can be trusted."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.decoding.likelihoods.damage import KINDS
from hzau_omics.nn.reliability.evidence import Evidence, pairs_of
from hzau_omics.nn.reliability.head import ReliabilityHead
from hzau_omics.nn.reliability.log_odds import LogOdds
from hzau_omics.nn.reliability.null_distribution import NullDistribution, log_bayes_factor
from hzau_omics.nn.reliability.profiles import AmbientProfiles

ALONE = ("fit", "shape")
TOGETHER = ("support", "purity_given_others")
"""Scores that count if they are unusual: of a measurement itself, and beside other modalities."""

INDICATORS = ("learned", "purity", "log_ratio", "level")
"""Scores that show known kinds of corruption. The total (`level`) is among them: where sequencing
depth varies little, nothing shows thinning better."""


class ReliabilityModel(nn.Module):
    """The log odds that each measurement can be trusted.

    One head per modality learns them from corrupted measurements; the gate uses these. After
    training they are combined with two further sources: how much of a measurement looks like
    ambient contamination and, for other kinds of failure, how unusual its scores are (does the
    model explain it, and does another modality agree with it).
    """

    def __init__(
        self,
        n_features: Sequence[int],
        n_covariates: int,
        *,
        n_batches: int = 1,
        n_added: int = 0,
        dropout: float,
        with_heads: bool,
    ) -> None:
        super().__init__()
        n_modalities = len(n_features)
        self.heads = nn.ModuleList(
            ReliabilityHead(n, n_covariates, dropout=dropout, n_added=n_added)
            for n in n_features
            if with_heads
        )
        # Heads are trained before the network, and are frozen while it trains.
        self.heads.requires_grad_(requires_grad=False)
        self.pairs = pairs_of(n_modalities)
        self.ambient = AmbientProfiles(n_features, n_batches)
        self.nulls = nn.ModuleDict(
            {name: NullDistribution(n_modalities, n_batches) for name in (*ALONE, *TOGETHER)}
        )
        self.agreement = NullDistribution(len(self.pairs), n_batches)
        self.known_kinds = LogOdds(n_modalities, len(INDICATORS), len(KINDS))
        self.calibrated = LogOdds(n_modalities, 1)
        self.head_steps: Tensor
        self.is_calibrated: Tensor
        self.register_buffer("head_steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("is_calibrated", torch.zeros((), dtype=torch.bool))

    @property
    def has_heads(self) -> bool:
        """Whether it has heads to train."""
        return len(self.heads) > 0

    @property
    def heads_are_trained(self) -> bool:
        """Whether the heads have been trained."""
        return bool(self.head_steps > 0)

    def forward(
        self,
        inputs: Sequence[Tensor | SparseEntries],
        covariates: Float[Tensor, "cell covariate"],
    ) -> Float[Tensor, "cell modality"]:
        """Return the heads' log odds of encoder inputs, without a gradient.

        In training, dropout here makes the gate robust to unseen kinds of failure.
        """
        with torch.no_grad():
            log_odds = [head(x, covariates) for head, x in zip(self.heads, inputs, strict=True)]
        return torch.stack(log_odds, dim=-1)

    def head_log_odds(
        self,
        modality: int,
        x: Tensor | SparseEntries,
        covariates: Float[Tensor, "cell covariate"],
    ) -> Float[Tensor, " cell"]:
        """Return the log odds of one modality's head, with a gradient."""
        log_odds: Tensor = self.heads[modality](x, covariates)
        return log_odds

    def reset(self) -> None:
        """Reset everything that was fitted to calibration cells; the heads stay."""
        for odds in (self.known_kinds, self.calibrated):
            odds.reset()
        for null in (*self.nulls.values(), self.agreement):
            cast("NullDistribution", null).reset()
        self.is_calibrated.fill_(False)  # noqa: FBT003

    def fit_null_distributions(self, evidence: Evidence) -> None:
        """Fit null distributions to the scores of good cells."""
        for name, null in self.nulls.items():
            values = getattr(evidence, name)
            cast("NullDistribution", null).fit(values, evidence.level, evidence.batch)
        level = torch.zeros_like(evidence.agreement)
        self.agreement.fit(evidence.agreement, level, evidence.batch)

    def agreement_p_value(
        self, agreement: Float[Tensor, "cell pair"], batch: Int[Tensor, " cell"]
    ) -> Float[Tensor, "cell pair"]:
        """Return the share of good cells whose modalities agree as little or less."""
        p_value: Tensor = self.agreement(agreement, torch.zeros_like(agreement), batch)
        return p_value

    @staticmethod
    def indicators(evidence: Evidence) -> Float[Tensor, "cell modality indicator"]:
        """Return the scores that show known kinds of corruption, as :data:`INDICATORS` lists."""
        return torch.stack([getattr(evidence, name) for name in INDICATORS], dim=-1)

    def log_odds(self, evidence: Evidence) -> Float[Tensor, "cell modality"]:
        """Return the log odds that measurements can be trusted, from all evidence.

        Each unusual score counts by the bound on its Bayes factor. Disagreement counts only as far
        as one of the other measurements can be trusted: where all of them have failed, it is no
        surprise (docs/method.md, equation 24). NaN for cells of new batches: what is usual there is
        not known.
        """
        alone: Tensor = self.known_kinds(self.indicators(evidence))
        for name in ALONE:
            alone = alone + self._unusual(name, evidence)
        agreement = self._best_agreement(evidence)
        for name in TOGETHER:
            agreement = agreement + self._unusual(name, evidence)
        failed = self._others_failed(alone, ~evidence.level.isnan())
        together = (failed + (1 - failed) * agreement.exp()).log()
        log_odds: Tensor = self.calibrated((alone + together).unsqueeze(-1))
        known = (evidence.batch < len(self.agreement.shift)).unsqueeze(1)
        return torch.where(known, log_odds, torch.nan)

    def _unusual(self, name: str, evidence: Evidence) -> Float[Tensor, "cell modality"]:
        """Return the log Bayes factor of a score."""
        p = self.nulls[name](getattr(evidence, name), evidence.level, evidence.batch)
        return log_bayes_factor(p)

    def _best_agreement(self, evidence: Evidence) -> Float[Tensor, "cell modality"]:
        """Return the log Bayes factor of the modality that agrees best with each modality."""
        factors = log_bayes_factor(self.agreement_p_value(evidence.agreement, evidence.batch))
        scored = ~evidence.agreement.isnan()
        best = torch.full_like(evidence.level, -torch.inf)
        for i, pair in enumerate(self.pairs):
            for m in pair:
                factor = torch.where(scored[:, i], factors[:, i], -torch.inf)
                best[:, m] = torch.maximum(best[:, m], factor)
        return torch.where(best.isfinite(), best, 0.0)

    @staticmethod
    def _others_failed(
        log_odds: Tensor, present: Bool[Tensor, "cell modality"]
    ) -> Float[Tensor, "cell modality"]:
        """Return the probability that all other measurements of a cell have failed."""
        each = torch.where(present, nn.functional.logsigmoid(-log_odds), 0.0)
        return (each.sum(-1, keepdim=True) - each).exp()
