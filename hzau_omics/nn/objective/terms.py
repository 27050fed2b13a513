"""Terms of the objective: which subsets of modalities each cell of a minibatch is inferred from.

The terms depend on the presence mask alone, so they are drawn on the CPU: no step has to wait for
an answer from the GPU.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.posterior.subsets import SubsetFamily, available_experts


def drop_modalities(
    present: Bool[Tensor, "cell modality"], probability: float
) -> Bool[Tensor, "cell modality"]:
    """With `probability`, reduce a cell to a random non-empty proper subset of its modalities."""
    # Random order, absent modalities last. The number to keep is uniform from 1 to all but one.
    keys = torch.where(present, torch.rand(present.shape, device=present.device), -1.0)
    rank = keys.argsort(-1, descending=True).argsort(-1)
    n_present = present.sum(-1, keepdim=True)
    share = torch.rand_like(keys[:, :1])
    n_kept = 1 + (share * (n_present - 1)).floor().clamp_min(0)
    chosen = torch.rand_like(keys[:, :1]) < probability
    return torch.where(chosen, present & (rank < n_kept), present)


def random_subset(present: Bool[Tensor, "cell modality"]) -> Bool[Tensor, "cell modality"]:
    """Reduce each cell to a random non-empty subset of its modalities."""
    return drop_modalities(present, 1.0)


def draw_subsets(
    present: Bool[Tensor, "cell modality"], config: ObjectiveConfig
) -> list[Bool[Tensor, "cell modality"]]:
    """Return the presence masks to infer from; the joint one, if there is one, comes first."""
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


def one_per_cell(wanted: Bool[Tensor, "subset cell"]) -> Bool[Tensor, "subset cell"]:
    """Keep, for every cell, one of its wanted terms at random."""
    keys = torch.rand(wanted.shape, device=wanted.device).masked_fill(~wanted, -1.0)
    return torch.zeros_like(wanted).scatter_(0, keys.argmax(0, keepdim=True), value=True) & wanted


class Terms(NamedTuple):
    """The terms of a minibatch: a term infers one cell from one subset of its modalities.

    Terms are numbered subset by subset, and within a subset in the order of the cells. All tensors
    are on the CPU.

    Attributes
    ----------
    subsets
        Modalities of each subset in each cell (subset, cell, modality).
    new
        Whether a subset of a cell is a term (subset, cell): neither empty nor drawn before.
    chosen, subset, cell
        Position of each term in the flattened `new`, its subset, its cell.
    number
        Number of the term (subset, cell), where there is one.
    share
        Weight of a cell's terms (cell): 1 where they are summed, 1/n where they are averaged.
    reported
        Weight of each term in reports (subset, cell): 1 for the joint term and 0 for the others;
        without a joint term, that of the average.
    has_joint
        Whether the first subset is the joint one, of all modalities of a cell.
    expert
        The expert that infers each cell's last term by itself (cell); None if all are pooled.
    """

    subsets: Bool[Tensor, "subset cell modality"]
    new: Bool[Tensor, "subset cell"]
    chosen: Int[Tensor, " term"]
    subset: Int[Tensor, " term"]
    cell: Int[Tensor, " term"]
    number: Int[Tensor, "subset cell"]
    share: Float[Tensor, " cell"]
    reported: Float[Tensor, "subset cell"]
    has_joint: bool
    expert: Int[Tensor, " cell"] | None

    @property
    def pooled(self) -> Bool[Tensor, "subset cell modality"]:
        """Subsets whose posterior the pool infers."""
        return self.subsets if self.expert is None else self.subsets[:-1]


def draw_terms(
    present: Bool[Tensor, "cell modality"],
    config: ObjectiveConfig,
    membership: Bool[Tensor, "expert modality"],
) -> Terms:
    """Draw the terms of a minibatch from the modalities that its cells have."""
    subsets = torch.stack(draw_subsets(present, config))
    new = _is_new_term(subsets)
    expert = None
    if config.expert_terms:
        # The last subset of each cell is that of a random expert of several of its modalities.
        usable = available_experts(membership, present) & (membership.sum(-1) > 1)
        expert = torch.rand(usable.shape).masked_fill(~usable, -1.0).argmax(-1)
        subsets = torch.cat([subsets, membership[expert].unsqueeze(0) & present])
        # A term even if its subset was drawn before: it is inferred without the pool.
        new = torch.cat([new, usable.any(-1).unsqueeze(0)])
    chosen = new.flatten().nonzero().squeeze(-1)
    share = torch.ones(len(present))
    reported = torch.zeros(new.shape)
    reported[0] = 1
    if config.is_mean:
        share = new.sum(0).clamp_min(1).reciprocal()
        reported = share.expand_as(reported)
    return Terms(
        subsets=subsets,
        new=new,
        chosen=chosen,
        subset=chosen // len(present),
        cell=chosen % len(present),
        number=new.flatten().cumsum(0).sub_(1).view_as(new),
        share=share,
        reported=reported,
        has_joint=not config.is_mean,
        expert=expert,
    )
