"""Training objectives: ELBO terms summed over modality subsets of each cell.

Method: the joint ELBO (equations 10-5 and 10-12), its weighted form (10-6), and the sub-sampled sum
with one marginal term per modality and `n_random_subsets` further subsets.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.gaussian import DiagonalGaussian, kl_divergence, kl_to_prior
from hzau_omics.nn.network import GatedMultimodalVAE


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """How the terms over modality subsets are drawn and weighted.

    Attributes
    ----------
    marginal_targets
        What a term that infers from a subset reconstructs: ``"all"`` that the cell has, or only
        the subset's ``"own"`` modalities (then every term is a bound on a log evidence).
    n_random_subsets
        Further random subsets per cell where there are more than two modalities.
    modality_dropout
        Probability that a cell of the joint term loses some of its modalities, never all.
    alignment
        Weight of the squared distance between the mean of each subset's posterior and that of the
        cell's full one, in the prior's units. Without it, cells that lack a modality lie beside the
        others of their kind, not among them.
    distillation
        Weight of KL(stop-gradient(q) || q_S), which keeps subset posteriors as wide as they
        have to be to contain the full one.
    """

    marginal_targets: Literal["all", "own"] = "all"
    n_random_subsets: int = 1
    modality_dropout: float = 0.0
    alignment: float = 0.0
    distillation: float = 0.0

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.marginal_targets not in ("all", "own"):
            msg = f"marginal_targets must be 'all' or 'own'. Received {self.marginal_targets!r}."
            raise ConfigError(msg)
        if not 0 <= self.modality_dropout < 1:
            msg = f"modality_dropout must be in [0, 1). Received {self.modality_dropout}."
            raise ConfigError(msg)
        for name in ("n_random_subsets", "alignment", "distillation"):
            if getattr(self, name) < 0:
                msg = f"{name} must not be negative. Received {getattr(self, name)}."
                raise ConfigError(msg)


class ObjectiveTerms(NamedTuple):
    """The loss to minimise, and unweighted sums over cells in nats for reports.

    Attributes
    ----------
    loss
        Weighted objective in nats, averaged over the terms of the minibatch (lower is better).
    kl
        Sum over cells of KL(q || p) of the joint term.
    log_prob
        Sum over cells of log p(x_m | z) of the joint term, one entry per modality.
    n_cells
        Number of cells.
    n_present
        Number of cells that have each modality.
    """

    loss: Float[Tensor, ""]
    kl: Float[Tensor, ""]
    log_prob: Float[Tensor, " modality"]
    n_cells: int
    n_present: Int[Tensor, " modality"]


def drop_modalities(
    present: Bool[Tensor, "cell modality"], probability: float
) -> Bool[Tensor, "cell modality"]:
    """With `probability`, reduce a cell to a random non-empty proper subset of what it has."""
    keys = torch.where(present, torch.rand(present.shape, device=present.device), -1.0)
    rank = keys.argsort(-1, descending=True).argsort(-1)
    n_present = present.sum(-1, keepdim=True)
    share = torch.rand_like(keys[:, :1])
    n_kept = 1 + (share * (n_present - 1)).floor().clamp_min(0)
    chosen = torch.rand_like(keys[:, :1]) < probability
    return torch.where(chosen, present & (rank < n_kept), present)


def random_subset(present: Bool[Tensor, "cell modality"]) -> Bool[Tensor, "cell modality"]:
    """Reduce each cell to a random non-empty subset of what it has."""
    return drop_modalities(present, 1.0)


def draw_subsets(
    present: Bool[Tensor, "cell modality"], config: ObjectiveConfig
) -> list[Bool[Tensor, "cell modality"]]:
    """Return the presence masks to infer from: the joint one, each modality alone, random ones."""
    n_modalities = present.shape[1]
    joint = present
    if config.modality_dropout:
        joint = drop_modalities(present, config.modality_dropout)
    if n_modalities == 1:
        return [joint]
    alone = torch.eye(n_modalities, dtype=torch.bool, device=present.device)
    subsets = [joint, *(present & row for row in alone)]
    if n_modalities > 2:
        subsets += [random_subset(present) for _ in range(config.n_random_subsets)]
    return subsets


def _is_new_term(subsets: list[Tensor]) -> Tensor:
    """Mark, as (subset, cell), the terms that are neither empty nor drawn before for the cell."""
    stacked = torch.stack(subsets)
    new = stacked.any(-1)
    for i in range(1, len(subsets)):
        seen = (stacked[:i] == stacked[i]).all(-1) & new[:i]
        new[i] &= ~seen.any(0)
    return new


def sub_sampled_objective(
    network: GatedMultimodalVAE,
    batch: Minibatch,
    *,
    weights: Float[Tensor, " modality"],
    kl_weight: float,
    config: ObjectiveConfig,
) -> ObjectiveTerms:
    """Return the negative weighted objective J and what it consists of.

    Parameters
    ----------
    network
        Network in training or evaluation mode; one latent sample is drawn per term.
    batch
        Cells; each has at least one modality.
    weights
        Weight lambda_m of each modality's log likelihood (equation 10-6).
    kl_weight
        Weight beta of the KL term.
    config
        Choice of subsets.
    """
    encoded = network.encode(batch)
    subsets = draw_subsets(batch.present, config)
    new = _is_new_term(subsets)
    term, cell = new.nonzero(as_tuple=True)
    posteriors = [network.infer(encoded, subset).q for subset in subsets]
    q = DiagonalGaussian(
        torch.stack([p.mean for p in posteriors])[term, cell],
        torch.stack([p.logvar for p in posteriors])[term, cell],
    )
    kl = kl_to_prior(q)
    total = kl_weight * kl
    joint = term == 0
    log_prob = []
    z = q.sample()
    for m in range(len(network.modalities)):
        seen = torch.stack(subsets)[term, cell, m]
        wanted = seen if config.marginal_targets == "own" else batch.present[cell, m]
        row = wanted.nonzero().squeeze(-1)
        found = network.reconstruct(z[row], batch, cell[row], m, seen=seen[row])
        weighted = weights[m] * (found.log_prob + found.library_log_prob)
        total = total.index_add(0, row, -weighted)
        log_prob.append(found.log_prob.detach()[joint[row]].sum())
    # Every cell has exactly one joint term, and these come first, in the order of the cells: row
    # `cell` of the terms is the joint one.
    if config.alignment:
        total = total + config.alignment * (q.mean[cell] - q.mean).square().sum(-1)
    if config.distillation:
        total = total + config.distillation * _distillation(q, term, cell)
    return ObjectiveTerms(
        loss=total.sum() / max(len(term), 1),
        kl=kl.detach()[joint].sum(),
        log_prob=torch.stack(log_prob),
        n_cells=len(batch),
        n_present=batch.present.sum(0),
    )


def _distillation(q: DiagonalGaussian, term: Tensor, cell: Tensor) -> Tensor:
    """KL from the joint posterior of the same cell, which gets no gradient, to each term's."""
    joint = DiagonalGaussian(q.mean.detach()[cell], q.logvar.detach()[cell])
    return torch.where(term == 0, 0.0, kl_divergence(joint, q))
