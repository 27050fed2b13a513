"""Pools: how the experts of a cell become one posterior, one class per rule in the literature.

A pool gives two posteriors: the one that the model reports for the measured modalities of a cell
(`forward`), and the one that a term of the objective infers from a subset (`term`). They differ
only for mixtures, whose terms are their components.
"""

import math
from typing import NamedTuple, cast, override

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from hzau_omics.nn.config import PRIOR_FAILED
from hzau_omics.nn.posterior.fusion import (
    consensus_of_experts,
    log_linear_pool,
    masked_log_softmax,
    mixture_moments,
    product_of_experts,
    quotient_of_experts,
)
from hzau_omics.nn.posterior.gate import Gate
from hzau_omics.nn.posterior.gaussian import LOGVAR_RANGE, DiagonalGaussian
from hzau_omics.nn.posterior.subsets import SubsetFamily, available_experts

TRUST_SCALE = 0.2 / math.log(2)
"""Makes the exponent of reliability 0.2 before training, where softplus gives log 2. With a larger
one, an expert of a failed measurement has too little weight to learn what this still contains."""

NARROWER_THAN_PRIOR = (LOGVAR_RANGE[0], -0.01)
"""Log-variances of experts whose product is divided by priors (MVAE-Q): precisions above 1."""

CORRELATION = 0.4
"""Error correlation between dependent experts: one fixed value, as in CoDE-VAE."""


class Posterior(NamedTuple):
    """The pooled posterior of each cell, and the weights of its experts."""

    q: DiagonalGaussian
    log_weights: Float[Tensor, "*subset cell expert"]
    available: Bool[Tensor, "*subset cell expert"]

    @property
    def weights(self) -> Float[Tensor, "*subset cell expert"]:
        """Weights of the experts: exactly 0 for unavailable ones; the others sum to 1."""
        return torch.where(self.available, self.log_weights.exp(), 0.0)


class Pool(nn.Module):
    """The rule that makes the experts of a cell one posterior.

    Parameters
    ----------
    family
        The experts.
    n_hidden
        Width of each modality's hidden features.
    """

    logvar_range = LOGVAR_RANGE
    weighs_reliability = False
    """Whether the weight of an expert falls with the reliability of its measurements."""
    builds_on_singles = False
    """Whether the expert of several modalities starts from the evidence of the single ones."""
    keeps_single_experts = False
    """Whether the posterior given one modality is that modality's expert as it is."""

    def __init__(self, family: SubsetFamily, n_hidden: list[int]) -> None:
        super().__init__()
        self.membership: Tensor
        self.register_buffer("membership", family.membership(), persistent=False)

    def available(
        self, present: Bool[Tensor, "*subset cell modality"]
    ) -> Bool[Tensor, "*subset cell expert"]:
        """Return which experts are available: those of measured modalities only."""
        return available_experts(self.membership, present)

    def logits(
        self,
        hidden: list[Float[Tensor, "cell _"]],
        present: Bool[Tensor, "*subset cell modality"],
    ) -> Float[Tensor, "*subset cell expert"]:
        """Return unmasked logits of the experts' weights; equal ones by default."""
        shape = (*present.shape[:-1], len(self.membership))
        return torch.zeros(shape, device=present.device)

    def trust(self, reliability: Float[Tensor, "cell modality"]) -> Float[Tensor, "cell expert"]:
        """Return what reliability (log odds) adds to the logits."""
        return torch.zeros(len(reliability), len(self.membership), device=reliability.device)

    def combine(
        self,
        experts: DiagonalGaussian,
        log_weights: Float[Tensor, "*subset cell expert"],
        available: Bool[Tensor, "*subset cell expert"],
    ) -> DiagonalGaussian:
        """Combine the available experts."""
        return log_linear_pool(experts, log_weights, available)

    def forward(
        self,
        hidden: list[Float[Tensor, "cell _"]],
        experts: DiagonalGaussian,
        present: Bool[Tensor, "*subset cell modality"],
        reliability: Float[Tensor, "cell modality"] | None = None,
    ) -> Posterior:
        """Return the posterior given the modalities in `present`; with a leading axis, for each."""
        available = self.available(present)
        logits = self.logits(hidden, present)
        if reliability is not None and self.weighs_reliability:
            logits = logits + self.trust(reliability)
        log_weights = masked_log_softmax(logits, available)
        return Posterior(self.combine(experts, log_weights, available), log_weights, available)

    def term(
        self,
        hidden: list[Float[Tensor, "cell _"]],
        experts: DiagonalGaussian,
        present: Bool[Tensor, "*subset cell modality"],
        reliability: Float[Tensor, "cell modality"] | None = None,
    ) -> Posterior:
        """Return the posterior that a term of the objective infers from each subset."""
        return cast("Posterior", self(hidden, experts, present, reliability))


class LogLinearPool(Pool):
    """Weighted geometric mean of the experts.

    Its precision never exceeds that of the sharpest expert, so the expert of all measured
    modalities has to be as sharp as these together allow.
    """

    builds_on_singles = True
    keeps_single_experts = True


class UniformPool(LogLinearPool):
    """Equal weights for all available experts."""


class GatedPool(LogLinearPool):
    """A gate's weights per cell (HZAU-VAE; docs/method.md, equations 6 and 7).

    The weight of an expert is proportional to the gate's weight times the reliability of each of
    its measurements, raised to an exponent that is learned per modality.
    """

    weighs_reliability = True

    def __init__(self, family: SubsetFamily, n_hidden: list[int]) -> None:
        super().__init__(family, n_hidden)
        self.gate = Gate(n_hidden, len(family))
        self.trust_power = nn.Parameter(torch.zeros(len(n_hidden)))

    @override
    def trust(self, reliability: Tensor) -> Tensor:
        # Relative to where heads start: there, an untrained gate weighs all experts equally.
        each = nn.functional.logsigmoid(reliability) - math.log(1 - PRIOR_FAILED)
        return (TRUST_SCALE * softplus(self.trust_power) * each) @ self.membership.to(each.dtype).T

    @override
    def logits(self, hidden: list[Tensor], present: Tensor) -> Tensor:
        out: Tensor = self.gate(hidden, present)
        return out


class GlobalPool(LogLinearPool):
    """Weights that all cells share: a gate without input."""

    def __init__(self, family: SubsetFamily, n_hidden: list[int]) -> None:
        super().__init__(family, n_hidden)
        self.shared = nn.Parameter(torch.zeros(len(family)))

    @override
    def logits(self, hidden: list[Tensor], present: Tensor) -> Tensor:
        return self.shared.expand(*present.shape[:-1], -1)


class ProductPool(Pool):
    """Product of the experts and the prior (MVAE; docs/method.md, equation 35)."""

    @override
    def combine(
        self, experts: DiagonalGaussian, log_weights: Tensor, available: Tensor
    ) -> DiagonalGaussian:
        return product_of_experts(experts, available)


class QuotientPool(Pool):
    """Product of the experts over priors (MVAE-Q); they are narrower than the prior."""

    logvar_range = NARROWER_THAN_PRIOR

    @override
    def combine(
        self, experts: DiagonalGaussian, log_weights: Tensor, available: Tensor
    ) -> DiagonalGaussian:
        return quotient_of_experts(experts, available)


class ConsensusPool(Pool):
    """Consensus of experts whose errors correlate (CoDE-VAE; Winkler 1981)."""

    @override
    def combine(
        self, experts: DiagonalGaussian, log_weights: Tensor, available: Tensor
    ) -> DiagonalGaussian:
        return consensus_of_experts(experts, available, correlation=CORRELATION)


class ExactPool(Pool):
    """The expert of exactly the present modalities, and no other (VAE, JMVAE, BiVCCA)."""

    keeps_single_experts = True

    @override
    def available(self, present: Tensor) -> Tensor:
        return (present.unsqueeze(-2) == self.membership).all(-1)


class MixturePool(Pool):
    """Mixture of the experts (MMVAE), reported by its mean and variance."""

    @override
    def combine(
        self, experts: DiagonalGaussian, log_weights: Tensor, available: Tensor
    ) -> DiagonalGaussian:
        return mixture_moments(experts, available)


class MixtureOfProductsPool(ProductPool):
    """Mixture of the products of all subsets (MoPoE), reported by its mean and variance."""

    def __init__(self, family: SubsetFamily, n_hidden: list[int]) -> None:
        super().__init__(family, n_hidden)
        all_subsets = SubsetFamily.every(family.modalities)
        self.subsets: Tensor
        self.register_buffer("subsets", all_subsets.membership(), persistent=False)

    @override
    def term(
        self,
        hidden: list[Tensor],
        experts: DiagonalGaussian,
        present: Tensor,
        reliability: Tensor | None = None,
    ) -> Posterior:
        return super().forward(hidden, experts, present, reliability)

    @override
    def forward(
        self,
        hidden: list[Tensor],
        experts: DiagonalGaussian,
        present: Tensor,
        reliability: Tensor | None = None,
    ) -> Posterior:
        products = [
            self.term(hidden, experts, present & subset, reliability).q for subset in self.subsets
        ]
        components = DiagonalGaussian(
            torch.stack([q.mean for q in products], dim=-2),
            torch.stack([q.logvar for q in products], dim=-2),
        )
        usable = available_experts(self.subsets, present)
        # Weights are those of the product of all present modalities.
        whole = self.term(hidden, experts, present, reliability)
        return whole._replace(q=mixture_moments(components, usable))


POOLS: dict[str, type[Pool]] = {
    "gate": GatedPool,
    "uniform": UniformPool,
    "global": GlobalPool,
    "product": ProductPool,
    "quotient": QuotientPool,
    "consensus": ConsensusPool,
    "exact": ExactPool,
    "mixture": MixturePool,
    "mixture of products": MixtureOfProductsPool,
}
