"""Training objectives: ELBO terms over modality subsets of each cell, summed or averaged.

Method: the joint ELBO (equations 10-5 and 10-12), its weighted form (10-6), the sub-sampled sum
with one marginal term per modality and `n_random_subsets` further subsets (MVAE, HZAU-VAE), the
mean over single modalities (BiVCCA, mixture of experts) or all subsets (mixture of products), and
the joint ELBO with experts of single modalities drawn to it (JMVAE).
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hzau_omics.checks import (
    NOT_NEGATIVE,
    PROPER_SHARE,
    check_choice,
    check_flag,
    check_integer,
    check_number,
)
from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import Encoded, MultimodalVAE
from hzau_omics.nn.objective.corrupted import with_failures
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, kl_divergence, kl_from
from hzau_omics.nn.posterior.subsets import SubsetFamily, available_experts
from hzau_omics.nn.reliability.corruption import Corruptor

Terms = Literal["joint+singles", "joint", "singles", "subsets"]

WIDE = 500
"""Number of features from which on decoding costs more than anything else in a step."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """How the terms over modality subsets are drawn and weighted.

    Attributes
    ----------
    terms
        Which subsets a cell is inferred from: ``"joint+singles"`` all that it has, each modality
        alone and `n_random_subsets` more, summed; ``"joint"`` all that it has; ``"singles"`` each
        modality alone, averaged; ``"subsets"`` each subset of what it has, averaged.
    singles_to_joint
        Weight alpha of the sum over modalities of KL(q || q_m), from the joint posterior to each
        single modality's expert (JMVAE; Suzuki et al. 2016).
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
    expert_terms
        Whether each cell has one term more, inferred by the expert of several of its modalities,
        drawn at random: in a pool alone, such an expert need not be good by itself, and a pool is
        no sharper than its sharpest expert.
    wide_decodings
        In training, ``"one"`` decodes a modality of at least 500 features from one of the cell's
        terms, drawn at random and weighted by their number, which leaves the expected gradient as
        it is; ``"all"`` decodes it from every term.
    """

    terms: Terms = "joint+singles"
    singles_to_joint: float = 0.0
    marginal_targets: Literal["all", "own"] = "all"
    n_random_subsets: int = 1
    modality_dropout: float = 0.0
    alignment: float = 0.0
    distillation: float = 0.0
    expert_terms: bool = False
    wide_decodings: Literal["one", "all"] = "one"

    def __post_init__(self) -> None:
        """Check ranges."""
        choices: dict[str, tuple[str, ...]] = {
            "terms": get_args(Terms),
            "marginal_targets": ("all", "own"),
            "wide_decodings": ("one", "all"),
        }
        plain: dict[str, object] = {
            name: check_choice(name, getattr(self, name), allowed)
            for name, allowed in choices.items()
        }
        for name in ("alignment", "distillation", "singles_to_joint"):
            plain[name] = check_number(name, getattr(self, name), NOT_NEGATIVE)
        plain["modality_dropout"] = check_number(
            "modality_dropout", self.modality_dropout, PROPER_SHARE
        )
        plain["n_random_subsets"] = check_integer(
            "n_random_subsets", self.n_random_subsets, least=0
        )
        plain["expert_terms"] = check_flag("expert_terms", self.expert_terms)
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        of_joint = ("modality_dropout", "alignment", "distillation", "singles_to_joint")
        for name in (*of_joint, "expert_terms"):
            if self.is_mean and getattr(self, name) > 0:
                msg = (
                    f"{name} needs the posterior of all that a cell has, which terms="
                    f"{self.terms!r} does not infer. Set {name} to 0."
                )
                raise ConfigError(msg)

    @property
    def is_mean(self) -> bool:
        """Whether the objective is the mean of a cell's terms, none of which is the joint one."""
        return self.terms in {"singles", "subsets"}


class ObjectiveTerms(NamedTuple):
    """The loss to minimise, and unweighted sums over cells in nats for reports.

    Attributes
    ----------
    loss
        Weighted objective in nats, averaged over the terms of the minibatch (lower is better).
    kl
        Sum over cells of KL(q || p) of the joint term, or of the mean over terms.
    log_prob
        Sum over cells of log p(x_m | z) of the same, one entry per modality.
    n_cells
        Number of cells; those shown with a failed measurement do not count here and in other sums.
    n_terms
        Number of terms that the loss is the mean of; of cells where terms are averaged.
    n_present
        Number of cells that have each modality.
    """

    loss: Float[Tensor, ""]
    kl: Float[Tensor, ""]
    log_prob: Float[Tensor, " modality"]
    n_cells: int
    n_terms: int
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
    """Return the presence masks to infer from: the joint one first, if it is among them."""
    n_modalities = present.shape[1]
    if config.terms == "subsets":
        return [present & row for row in _every_subset(n_modalities).to(present.device)]
    if config.terms == "singles":
        alone = torch.eye(n_modalities, dtype=torch.bool, device=present.device)
        return [present & row for row in alone]
    joint = present
    if config.modality_dropout:
        joint = drop_modalities(present, config.modality_dropout)
    if n_modalities == 1 or config.terms == "joint":
        return [joint]
    alone = torch.eye(n_modalities, dtype=torch.bool, device=present.device)
    subsets = [joint, *(present & row for row in alone)]
    if n_modalities > 2:
        subsets += [random_subset(present) for _ in range(config.n_random_subsets)]
    return subsets


def _every_subset(n_modalities: int) -> Bool[Tensor, "subset modality"]:
    names = [str(i) for i in range(n_modalities)]
    return SubsetFamily.every(names).membership()


def _is_new_term(
    subsets: Bool[Tensor, "subset cell modality"],
) -> Bool[Tensor, "subset cell"]:
    """Mark the terms that are neither empty nor drawn before for the cell."""
    same = (subsets.unsqueeze(1) == subsets).all(-1)
    earlier = torch.ones(len(subsets), len(subsets), dtype=torch.bool, device=subsets.device)
    repeated = (same & earlier.tril(-1).unsqueeze(-1)).any(1)
    return subsets.any(-1) & ~repeated


def _one_per_cell(wanted: Bool[Tensor, "subset cell"]) -> Bool[Tensor, "subset cell"]:
    """Keep, for every cell, one of its wanted terms at random."""
    keys = torch.rand(wanted.shape, device=wanted.device).masked_fill(~wanted, -1.0)
    return torch.zeros_like(wanted).scatter_(0, keys.argmax(0, keepdim=True), value=True) & wanted


class _Terms(NamedTuple):
    """Which terms a minibatch has.

    They follow from what its cells have: the processor draws them, and a device need not be asked
    in the middle of a step.

    Attributes
    ----------
    subsets
        What each term could infer from (subset, cell, modality).
    new
        Which of these are terms (subset, cell).
    chosen, term, cell
        Position of each term in the flattened `new`, its subset, its cell.
    place
        Number of the term (subset, cell), where there is one.
    share
        Weight of a cell's terms (cell): 1 where they are summed, 1/n where they are averaged.
    reported
        Weight of each term in what is reported (subset, cell): that of the joint one is 1 where
        there is one, else they are averaged.
    has_joint
        Whether the first term is the joint one.
    expert
        The expert that alone infers each cell's last term (cell); None where all are pooled.
    """

    subsets: Bool[Tensor, "subset cell modality"]
    new: Bool[Tensor, "subset cell"]
    chosen: Int[Tensor, " term"]
    term: Int[Tensor, " term"]
    cell: Int[Tensor, " term"]
    place: Int[Tensor, "subset cell"]
    share: Float[Tensor, " cell"]
    reported: Float[Tensor, "subset cell"]
    has_joint: bool
    expert: Int[Tensor, " cell"] | None

    @property
    def pooled(self) -> Bool[Tensor, "subset cell modality"]:
        """Subsets that are inferred from by the pool."""
        return self.subsets if self.expert is None else self.subsets[:-1]


def _draw_terms(
    present: Bool[Tensor, "cell modality"],
    config: ObjectiveConfig,
    membership: Bool[Tensor, "expert modality"],
) -> _Terms:
    subsets = torch.stack(draw_subsets(present, config))
    new = _is_new_term(subsets)
    expert = None
    if config.expert_terms:
        usable = available_experts(membership, present) & (membership.sum(-1) > 1)
        expert = torch.rand(usable.shape).masked_fill(~usable, -1.0).argmax(-1)
        subsets = torch.cat([subsets, membership[expert].unsqueeze(0) & present])
        new = torch.cat([new, usable.any(-1).unsqueeze(0)])
    chosen = new.flatten().nonzero().squeeze(-1)
    share = torch.ones(len(present))
    reported = torch.zeros(new.shape)
    reported[0] = 1
    if config.is_mean:
        share = new.sum(0).clamp_min(1).reciprocal()
        reported = share.expand_as(reported)
    return _Terms(
        subsets=subsets,
        new=new,
        chosen=chosen,
        term=chosen // len(present),
        cell=chosen % len(present),
        place=new.flatten().cumsum(0).sub_(1).view_as(new),
        share=share,
        reported=reported,
        has_joint=not config.is_mean,
        expert=expert,
    )


def sub_sampled_objective(
    network: MultimodalVAE,
    batch: Minibatch,
    *,
    weights: Float[Tensor, " modality"],
    kl_weight: float,
    config: ObjectiveConfig,
    corruptor: Corruptor | None = None,
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
    corruptor
        Draws failed measurements for some of the cells: their joint term is inferred from these,
        and reconstructs the clean values.
    """
    encoded = network.encode(batch)
    device = batch.present.device
    on_device = partial(torch.Tensor.to, device=device, non_blocking=True)
    present = batch.present_on_host
    drawn = _draw_terms(present, config, network.family.membership())
    chosen, term, cell = map(on_device, (drawn.chosen, drawn.term, drawn.cell))
    pooled = network.infer_term(encoded, on_device(drawn.pooled)).q
    # What is said of clean cells, and asked of their posteriors, leaves out those that fail.
    pooled, intact = with_failures(
        network,
        batch,
        pooled,
        corruptor=corruptor if drawn.has_joint else None,
        subset=drawn.subsets[0],
    )
    if drawn.expert is not None:
        pooled = _with_expert(pooled, encoded, on_device(drawn.expert))
    is_intact = on_device(intact)
    q = DiagonalGaussian(*(part.flatten(0, 1).index_select(0, chosen) for part in pooled))
    prior = network.prior(encoded)
    if prior is not None:
        prior = DiagonalGaussian(*(part.index_select(0, cell) for part in prior))
    kl = kl_from(q, prior)
    total = on_device(drawn.share[drawn.cell]) * kl_weight * kl
    log_prob = []
    z = q.sample()
    for m, modality in enumerate(network.config.modalities):
        if m not in network.config.generated:
            log_prob.append(kl.new_zeros(()))
            continue
        seen = drawn.subsets[..., m]
        wanted = drawn.new & (seen if config.marginal_targets == "own" else present[:, m])
        n_stood_for = torch.ones(len(batch), dtype=torch.long)
        if config.wide_decodings == "one" and modality.n_features >= WIDE:
            n_stood_for = wanted.sum(0)
            wanted = _one_per_cell(wanted)
        # In the order of the cells, to read each cell's values once where it has one term.
        of, by = wanted.t().nonzero(as_tuple=True)
        row = on_device(drawn.place[by, of])
        found = network.reconstruct(
            z.index_select(0, row), batch, of, m, seen=on_device(seen[by, of])
        )
        times = on_device(n_stood_for[of] * drawn.share[of])
        weighted = weights[m] * times * (found.log_prob + found.library_log_prob)
        total = total.index_add(0, row, -weighted)
        counted = on_device(n_stood_for[of] * drawn.reported[by, of] * intact[of])
        log_prob.append((counted * found.log_prob.detach()).sum())
    # Where there are joint terms, every cell has exactly one, and these come first, in the order of
    # the cells: row `cell` of the terms is the joint one.
    if config.singles_to_joint:
        joint = DiagonalGaussian(*(part[: len(batch)] for part in q))
        divergence = config.singles_to_joint * _to_singles(network, encoded, joint, batch.present)
        divergence = is_intact * divergence
        total = total + nn.functional.pad(divergence, (0, len(total) - len(batch)))
    if config.alignment:
        apart = (q.mean[cell] - q.mean).square().sum(-1)
        total = total + config.alignment * is_intact[cell] * apart
    if config.distillation:
        total = total + config.distillation * is_intact[cell] * _distillation(q, term, cell)
    n_terms = len(batch) if config.is_mean else len(term)
    counted = on_device((drawn.reported * intact).flatten()[drawn.chosen])
    return ObjectiveTerms(
        loss=total.sum() / max(n_terms, 1),
        kl=(counted * kl.detach()).sum(),
        log_prob=torch.stack(log_prob),
        n_cells=int(intact.sum()),
        n_terms=n_terms,
        n_present=(batch.present & (is_intact > 0).unsqueeze(-1)).sum(0),
    )


def _with_expert(
    pooled: DiagonalGaussian, encoded: Encoded, expert: Int[Tensor, " cell"]
) -> DiagonalGaussian:
    """Put one expert of each cell behind the pooled posteriors (subset, cell, latent)."""
    cell = torch.arange(len(expert), device=expert.device)
    parts = zip(pooled, encoded.experts, strict=True)
    return DiagonalGaussian(*(torch.cat([p, e[cell, expert].unsqueeze(0)]) for p, e in parts))


def _to_singles(
    network: MultimodalVAE, encoded: Encoded, joint: DiagonalGaussian, present: Tensor
) -> Float[Tensor, " cell"]:
    """Sum of KL(q || q_m) over the modalities of a cell that has several."""
    names = network.modalities
    several = present.sum(-1) > 1
    total = joint.mean.new_zeros(len(present))
    for m, name in enumerate(names):
        expert = network.family.subsets.index((name,))
        single = DiagonalGaussian(*(part[:, expert] for part in encoded.experts))
        total = total + torch.where(present[:, m] & several, kl_divergence(joint, single), 0.0)
    return total


def _distillation(q: DiagonalGaussian, term: Tensor, cell: Tensor) -> Tensor:
    """KL from the joint posterior of the same cell, which gets no gradient, to each term's."""
    joint = DiagonalGaussian(q.mean.detach()[cell], q.logvar.detach()[cell])
    return torch.where(term == 0, 0.0, kl_divergence(joint, q))
