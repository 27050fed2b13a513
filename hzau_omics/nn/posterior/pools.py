"""Pools: how the experts of a cell become one posterior, as each system of the literature does it.

A pool is asked for two things: the posterior that the model reports for what a cell has
(`forward`), and the one that a term of the objective infers from a subset (`term`). They differ
only for mixtures, whose terms are their components.
"""

import math
from typing import NamedTuple, cast, override

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import softplus

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
from hzau_omics.nn.reliability.head import PRIOR_FAILED

HEED = 0.2 / math.log(2)
"""So that reliability counts to the power of 0.2 before training: with a higher one, an expert that
is not trusted has too little weight to learn how much of a failed measurement can be used."""

NARROWER_THAN_PRIOR = (LOGVAR_RANGE[0], -0.01)
"""Log-variances of experts whose product is divided by priors (MVAE-Q): precisions above 1."""

CORRELATION = 0.4
"""Error correlation between dependent experts: one fixed value, as in CoDE-VAE."""


class Posterior(NamedTuple):
    """The pooled posterior of each cell, and how it came about."""

    q: DiagonalGaussian
    log_weights: Float[Tensor, "*subset cell expert"]
    available: Bool[Tensor, "*subset cell expert"]

    @property
    def weights(self) -> Float[Tensor, "*subset cell expert"]:
        """Weights of the experts: exactly 0 where one is unavailable, else they sum to 1."""
        return torch.where(self.available, self.log_weights.exp(), 0.0)


class Pool(nn.Module):
    """One posterior per cell from its experts.

    Parameters
    ----------
    family
        The experts.
    n_hidden
        Width of each modality's hidden features.
    """

    logvar_range = LOGVAR_RANGE
    weighs_reliability = False
    """Whether experts count less the less their measurements can be trusted."""
    builds_on_singles = False
    """Whether the expert of several modalities starts from what the single ones have seen."""

    def __init__(self, family: SubsetFamily, n_hidden: list[int]) -> None:
        super().__init__()
        self.membership: Tensor
        self.register_buffer("membership", family.membership(), persistent=False)

    def available(
        self, present: Bool[Tensor, "*subset cell modality"]
    ) -> Bool[Tensor, "*subset cell expert"]:
        """Return which experts stand for what a cell has."""
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
        """Return what log odds of reliability add to the logits."""
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
        """Return the posterior of what each cell has; with a leading axis, of each subset."""
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
    """Weighted geometric mean, the precision of which never exceeds the sharpest expert's.

    So the expert of all that a cell has needs to be as sharp as all of it allows.
    """

    builds_on_singles = True


class UniformPool(LogLinearPool):
    """Equal weights: what the gate starts from."""


class GatedPool(LogLinearPool):
    """A gate's weights per cell (HZAU-VAE, equation 10-10).

    The weight of an expert is proportional to what the gate says times the probability that all its
    measurements can be trusted, each to a power that is learned.
    """

    weighs_reliability = True

    def __init__(self, family: SubsetFamily, n_hidden: list[int]) -> None:
        super().__init__(family, n_hidden)
        self.gate = Gate(n_hidden, len(family))
        self.heed = nn.Parameter(torch.zeros(len(n_hidden)))

    @override
    def trust(self, reliability: Tensor) -> Tensor:
        # Relative to where heads start, so that training begins with the uniform pool.
        each = nn.functional.logsigmoid(reliability) - math.log(1 - PRIOR_FAILED)
        return (HEED * softplus(self.heed) * each) @ self.membership.to(each.dtype).T

    @override
    def logits(self, hidden: list[Tensor], present: Tensor) -> Tensor:
        out: Tensor = self.gate(hidden, present)
        return out


class GlobalPool(LogLinearPool):
    """Weights that all cells share: a gate that sees no cell."""

    def __init__(self, family: SubsetFamily, n_hidden: list[int]) -> None:
        super().__init__(family, n_hidden)
        self.shared = nn.Parameter(torch.zeros(len(family)))

    @override
    def logits(self, hidden: list[Tensor], present: Tensor) -> Tensor:
        return self.shared.expand(*present.shape[:-1], -1)


class ProductPool(Pool):
    """Product of the experts and the prior (MVAE, Theorem 10-1)."""

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
    """The expert of the very subset, and no other (VAE, JMVAE, BiVCCA)."""

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
        every = SubsetFamily.every(family.modalities)
        self.subsets: Tensor
        self.register_buffer("subsets", every.membership(), persistent=False)

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
