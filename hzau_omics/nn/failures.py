"""Failed measurements in a training step: what is inferred from them, and who learns from it."""

from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.corruption import Corrupted, Corruptor
from hzau_omics.nn.gaussian import DiagonalGaussian
from hzau_omics.nn.network import Encoded, MultimodalVAE
from hzau_omics.nn.reliability import reliability_loss

LOSS_WEIGHT = 10.0
"""Of the cross-entropy of the judgement of reliability, whose weights are its own: it matters only
beside the largest norm of a gradient."""


class WithFailures(NamedTuple):
    """What is inferred where some cells were shown with a failed measurement.

    Attributes
    ----------
    pooled
        Posteriors (subset, cell, latent), the first subset being all that a cell has.
    loss
        Of the judgement of reliability, per cell.
    intact
        1 for cells that were shown as they are, 0 for the others; in the processor's memory.
    """

    pooled: DiagonalGaussian
    loss: Float[Tensor, ""]
    intact: Float[Tensor, " cell"]


def with_failures(
    network: MultimodalVAE,
    batch: Minibatch,
    encoded: Encoded,
    pooled: DiagonalGaussian,
    *,
    corruptor: Corruptor | None,
    subset: Bool[Tensor, "cell modality"],
) -> WithFailures:
    """Replace the joint posterior of some cells by what is inferred from failed measurements.

    With a gate, only it and the judgement of reliability learn from these: encoders that learned to
    stand failures would be the worse for clean cells. `subset` is what joint posteriors are
    inferred from, in the processor's memory; without `corruptor` nothing fails.
    """
    loss = torch.zeros((), device=batch.present.device)
    intact = torch.ones(len(batch))
    if encoded.reliability is not None:
        # A gradient for every parameter in every step, as several processes need it.
        loss = loss + 0 * torch.stack([p.sum() for p in network.judge.parameters()]).sum()
    if corruptor is None:
        return WithFailures(pooled, loss, intact)
    if encoded.reliability is not None:
        every = torch.ones_like(batch.present)
        loss = loss + reliability_loss(encoded.reliability, every, batch.present)
    corrupted = corruptor(batch)
    if corrupted is not None:
        again = network.encode(corrupted.batch)
        if again.reliability is not None:
            loss = loss + _loss_of_failed(again.reliability, corrupted)
            again = again.without_gradient()
        pooled = _replaced(network, again, pooled, corrupted, subset)
        intact[corrupted.cells] = 0
    return WithFailures(pooled, LOSS_WEIGHT * loss / len(batch), intact)


def _loss_of_failed(logit: Float[Tensor, "row modality"], corrupted: Corrupted) -> Tensor:
    # Between clean and failed there is no truth to learn.
    of = nn.functional.one_hot(corrupted.modality, logit.shape[1]).bool()
    failed = (of & corrupted.failed.unsqueeze(-1)).to(logit.device, non_blocking=True)
    return corrupted.weight * reliability_loss(logit, torch.zeros_like(failed), failed)


def _replaced(
    network: MultimodalVAE,
    again: Encoded,
    pooled: DiagonalGaussian,
    corrupted: Corrupted,
    subset: Bool[Tensor, "cell modality"],
) -> DiagonalGaussian:
    """Put the joint posteriors of some cells in the place of those of clean measurements."""
    on_device = partial(torch.Tensor.to, device=pooled.mean.device, non_blocking=True)
    found = network.infer_term(again, on_device(subset[corrupted.cells])).q
    rows = on_device(corrupted.cells)
    parts = (
        torch.cat([old[:1].index_copy(1, rows, new.unsqueeze(0)), old[1:]])
        for old, new in zip(pooled, found, strict=True)
    )
    return DiagonalGaussian(*parts)
