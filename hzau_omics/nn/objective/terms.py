"""Terms of the objective: which subsets of modalities each cell of a minibatch is inferred from.

Every cell has the same number of places for terms; a place that holds none has weight 0. All
tensors then have the same shape in every step, and nothing has to wait for a GPU's answer.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.posterior.subsets import SubsetFamily, available_experts

MANY_MODALITIES = 4
"""Number of modalities from which a step infers one random term of a cell besides the joint one."""


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
        return [present & row for row in _every_subset(n_modalities, present.device)]
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


@lru_cache(maxsize=16)
def _every_subset(n_modalities: int, device: torch.device) -> Bool[Tensor, "subset modality"]:
    names = [str(i) for i in range(n_modalities)]
    return SubsetFamily.every(names).membership().to(device, non_blocking=True)


@lru_cache(maxsize=16)
def _membership(family: SubsetFamily, device: torch.device) -> Bool[Tensor, "expert modality"]:
    return family.membership().to(device, non_blocking=True)


def _is_new_term(
    subsets: Bool[Tensor, "subset cell modality"],
) -> Bool[Tensor, "subset cell"]:
    """Mark the terms that are neither empty nor drawn before for the cell."""
    same = (subsets.unsqueeze(1) == subsets).all(-1)
    earlier = torch.ones(len(subsets), len(subsets), dtype=torch.bool, device=subsets.device)
    repeated = (same & earlier.tril(-1).unsqueeze(-1)).any(1)
    return subsets.any(-1) & ~repeated


def draw_by_weight(weight: Float[Tensor, "place cell"]) -> Int[Tensor, " cell"]:
    """Draw one place per cell, with probabilities proportional to its weights; 0 if all are 0."""
    upto = weight.cumsum(0)
    return (torch.rand_like(upto[-1]) * upto[-1] > upto).sum(0)


class Terms(NamedTuple):
    """The terms of a minibatch: a term infers one cell from one subset of its modalities.

    Attributes
    ----------
    subsets
        Modalities of each term (place, cell, modality); the joint term, of all modalities of a
        cell, comes first if there is one.
    weight
        Number of terms that each one stands for in the loss (place, cell): 0 where there is none, 1
        where a cell's terms are summed, 1/n where its n terms are averaged.
    reported
        1 for terms that reports are of, 0 for the others (place, 1): the joint term, or all.
    n_terms
        What the loss is divided by: the number of terms, or of cells if terms are averaged.
    singles
        For each place, the modality that its term infers from in all cells; None for others.
    expert
        The expert that infers a cell's last term by itself (cell); None if all are pooled.
    by_expert
        Cells whose last term is inferred by this expert (cell); None if it always is.
    has_joint
        Whether the first term is the joint one.
    """

    subsets: Bool[Tensor, "place cell modality"]
    weight: Float[Tensor, "place cell"]
    reported: Float[Tensor, "place 1"]
    n_terms: Float[Tensor, ""]
    singles: tuple[int | None, ...]
    expert: Int[Tensor, " cell"] | None
    by_expert: Bool[Tensor, " cell"] | None
    has_joint: bool


def draw_terms(
    present: Bool[Tensor, "cell modality"],
    config: ObjectiveConfig,
    family: SubsetFamily,
    *,
    complete: bool = False,
) -> Terms:
    """Draw the terms of a minibatch from the modalities that its cells have.

    With `complete`, every cell has all modalities: terms that need no draw are made once.
    """
    if complete and not _draws(config, family):
        return _complete_terms(len(present), config, family, present.device)
    return _draw_terms(present, config, family)


@lru_cache(maxsize=16)
def _complete_terms(
    n_cells: int, config: ObjectiveConfig, family: SubsetFamily, device: torch.device
) -> Terms:
    # Kept for training too, where tensors of inference mode cannot be part of a gradient.
    with torch.inference_mode(mode=False):
        present = torch.ones(n_cells, len(family.modalities), dtype=torch.bool, device=device)
        return _draw_terms(present, config, family)


def _draws(config: ObjectiveConfig, family: SubsetFamily) -> bool:
    """Whether anything about the terms of complete cells is drawn."""
    n_modalities = len(family.modalities)
    subsets = config.terms == "joint+singles" and config.n_random_subsets > 0 and n_modalities > 2
    experts = config.expert_terms and len(_several(family)) > 1
    other = _draws_other(config, n_modalities)
    return subsets or experts or other or config.modality_dropout > 0


def _several(family: SubsetFamily) -> list[int]:
    """Return the experts of several modalities."""
    return [i for i, subset in enumerate(family.subsets) if len(subset) > 1]


def _draws_other(config: ObjectiveConfig, n_modalities: int) -> bool:
    """Whether a step infers one random term of each cell besides the joint one."""
    if config.other_terms == "auto":
        return config.terms == "joint+singles" and n_modalities >= MANY_MODALITIES
    return config.other_terms == "one" and config.terms == "joint+singles" and n_modalities > 1


def _draw_terms(present: Tensor, config: ObjectiveConfig, family: SubsetFamily) -> Terms:
    n_modalities = present.shape[1]
    subsets = torch.stack(draw_subsets(present, config))
    weight = _is_new_term(subsets).float()
    singles: tuple[int | None, ...] = (None,) * len(subsets)
    if config.terms == "joint+singles" and n_modalities > 1:
        singles = (None, *range(n_modalities), *[None] * (len(subsets) - 1 - n_modalities))
    elif config.terms == "singles":
        singles = tuple(range(n_modalities))
    expert, by_expert = None, None
    if config.expert_terms:
        expert, usable, seen = _draw_experts(present, family)
        subsets = torch.cat([subsets, seen.unsqueeze(0)])
        # A term even if its subset was drawn before: it is inferred without the pool.
        weight = torch.cat([weight, usable.float().unsqueeze(0)])
        singles = (*singles, None)
    n_terms = weight.sum()
    if config.is_mean:
        weight = weight / weight.sum(0).clamp_min(1)
        n_terms = weight.new_full((), len(present))
    elif _draws_other(config, n_modalities):
        chosen = draw_by_weight(weight[1:])
        if expert is not None:
            by_expert = chosen == len(subsets) - 2
        index = chosen.view(1, -1, 1).expand(1, -1, n_modalities)
        subsets = torch.cat([subsets[:1], subsets[1:].gather(0, index)])
        weight = torch.stack([weight[0], weight[1:].sum(0)])
        singles = (None, None)
    reported = torch.ones(len(weight), 1, device=present.device)
    if not config.is_mean:
        reported[1:] = 0
    return Terms(subsets, weight, reported, n_terms, singles, expert, by_expert, not config.is_mean)


def _draw_experts(
    present: Tensor, family: SubsetFamily
) -> tuple[Int[Tensor, " cell"], Bool[Tensor, " cell"], Bool[Tensor, "cell modality"]]:
    """Draw a random expert of several modalities for each cell that has one."""
    membership = _membership(family, present.device)
    usable = available_experts(membership, present) & (membership.sum(-1) > 1)
    several = _several(family)
    if len(several) < 2:
        # There is nothing to draw.
        expert = torch.full_like(usable[:, 0], sum(several), dtype=torch.long)
    else:
        keys = torch.rand(usable.shape, device=present.device).masked_fill(~usable, -1.0)
        expert = keys.argmax(-1)
    return expert, usable.any(-1), membership[expert] & present
