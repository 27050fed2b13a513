"""Mixing of batches: how far their posteriors are apart that are inferred from the same modalities.

Cells of one state should lie in one place, whichever batch they are of. What differs between
batches (staining, depth) is for the decoders, which know the batch. Posteriors are compared only
where they are inferred from the same modalities: one from few modalities is wider, its mean is
nearer to the prior's, and this says nothing about batches.
"""

from typing import Any, NamedTuple, override

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx

from hzau_omics.nn.posterior.points import ReferencePoints

DISTANCES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Squared distances, in units of the mean one, at which parts of the kernel have fallen to a
quarter: neighbours count as much as the whole."""

MOST_CELLS = 256
"""Cells of a minibatch that are compared: the number of their pairs grows with the square."""


class TermGroups(NamedTuple):
    """Which terms are compared with which.

    Attributes
    ----------
    subsets
        Modalities of each term (place, cell, modality); none for an empty place. Cells with one
        modality have their joint term again in the place of this modality: it is compared there
        with terms of cells that have more.
    counts
        Cells that are compared; others were not inferred from their data.
    batch
        Batch of each cell.
    n_batches
        Number of batches.
    """

    subsets: Bool[Tensor, "place cell modality"]
    counts: Bool[Tensor, " cell"]
    batch: Int[Tensor, " cell"]
    n_batches: int


def batch_discrepancy(
    mean: Float[Tensor, "place cell latent"], groups: TermGroups
) -> Float[Tensor, ""]:
    """Return the squared maximum mean discrepancy between batches, times the number of terms.

    It is the unbiased estimate of Gretton et al. (2012, equation 3), averaged over pairs of
    batches: 0 in expectation if posterior means of all batches have one distribution, and up to 2
    per term if they are far apart. Terms of a place are compared if they have the same modalities.

    Parameters
    ----------
    mean
        Posterior means.
    groups
        Modalities and batch of each term.
    """
    n_cells = mean.shape[1]
    if n_cells > MOST_CELLS:
        # Minibatches are in random order: the first cells are a sample.
        subsets, counts, batch, n_batches = groups
        few = TermGroups(
            subsets[:, :MOST_CELLS], counts[:MOST_CELLS], batch[:MOST_CELLS], n_batches
        )
        return batch_discrepancy(mean[:, :MOST_CELLS], few) * (n_cells / MOST_CELLS)
    out: Tensor = _KernelSum.apply(mean, pair_weights(groups).to(mean.dtype))
    return out


def reference_discrepancy(
    mean: Float[Tensor, "place cell latent"], groups: TermGroups, points: ReferencePoints
) -> Float[Tensor, ""]:
    """Return the discrepancy between batches of a query, and between these and reference cells.

    As :func:`batch_discrepancy`, with some reference cells as a further batch, the first one. A
    cell counts once for each subset of modalities that it was inferred from.
    """
    n_cells, n_points = mean.shape[1], min(MOST_CELLS // 2, points.mean.shape[1])
    drawn = torch.randint(points.mean.shape[1], (n_points,), device=mean.device)
    inferred = (groups.subsets.unsqueeze(0) == points.membership[:, None, None]).all(-1)
    first = inferred & (inferred.cumsum(1) == 1)
    own = torch.einsum("spc,pcl->scl", first.to(mean.dtype), mean)
    has = torch.cat([points.usable.unsqueeze(1).expand(-1, n_points), first.any(1)], 1)
    beside = TermGroups(
        has.unsqueeze(-1) & points.membership.unsqueeze(1),
        torch.cat([groups.counts.new_ones(n_points), groups.counts]),
        torch.cat([groups.batch.new_zeros(n_points), groups.batch]),
        groups.n_batches,
    )
    means = torch.cat([points.mean[:, drawn], own], 1)
    return batch_discrepancy(means, beside) * (n_cells / (n_cells + n_points))


class _KernelSum(torch.autograd.Function):
    """Weighted sum of the kernel over pairs, with its gradient in closed form.

    With u the squared distance of a pair over the mean one, which is held constant, the kernel is
    the mean of (a / (a + u))^2, and its slope minus that of 2 (a / (a + u))^3 / a.
    """

    @staticmethod
    @override
    def forward(ctx: Any, mean: Tensor, weight: Tensor) -> Tensor:
        square = mean.square().sum(-1)
        distance = square.unsqueeze(2) + square.unsqueeze(1) - 2 * (mean @ mean.transpose(1, 2))
        scale = distance.clamp_min_(0).mean((1, 2), keepdim=True).clamp_min(1e-12)
        kernel, slope = torch.zeros_like(distance), torch.zeros_like(distance)
        for half in DISTANCES:
            ratio = half / (half + distance / scale)
            kernel += ratio.square()
            slope -= 2 * ratio**3 / half
        pull = weight * slope / (len(DISTANCES) * scale)
        pull = pull + pull.transpose(1, 2)
        ctx.save_for_backward(2 * (pull.sum(-1, keepdim=True) * mean - pull @ mean))
        return (weight * kernel).sum() / len(DISTANCES)

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grads[0] * gradient, None


def pair_weights(groups: TermGroups) -> Float[Tensor, "place cell cell"]:
    """Return the weight of each pair of terms: positive within a batch, negative between two.

    Batches weigh the same, whatever their sizes. Those with a single term in a minibatch have no
    pair of their own, and are left out.
    """
    subsets, counts, batch, n_batches = groups
    held = subsets.any(-1) & counts
    same = (subsets.unsqueeze(2) == subsets.unsqueeze(1)).all(-1)
    same = same & held.unsqueeze(2) & held.unsqueeze(1)
    of_batch = batch.unsqueeze(1) == torch.arange(n_batches, device=batch.device)
    # Number of terms of each batch that a term is compared with, itself included.
    count = same.float() @ of_batch.float()
    count = torch.where(count < 2, 0.0, count)
    own = torch.where(of_batch, count, 0.0).sum(-1)
    n_compared = (count > 0).sum(-1)
    total = count.sum(-1)
    usable = (own > 0) & (n_compared > 1)
    share = torch.where(usable, total / (n_compared * own.clamp_min(1)), 0.0)
    within = 1 / (own - 1).clamp_min(1)
    between = 1 / ((n_compared - 1).clamp_min(1).unsqueeze(2) * own.clamp_min(1).unsqueeze(1))
    is_own = batch.unsqueeze(1) == batch
    itself = torch.eye(len(batch), dtype=torch.bool, device=batch.device)
    pairs = torch.where(is_own, within.unsqueeze(2), -between)
    compared = same & usable.unsqueeze(1) & ~itself
    return torch.where(compared, pairs * share.unsqueeze(2), 0.0)
