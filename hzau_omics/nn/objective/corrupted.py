"""Failed measurements in a training step: what is inferred from them, and who learns from it."""

from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import Encoded, MultimodalVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.reliability.corruption import Corrupted, Corruptor


class WithFailures(NamedTuple):
    """What is inferred where some cells were shown with a failed measurement.

    Attributes
    ----------
    pooled
        Posteriors (subset, cell, latent), the first subset being all that a cell has.
    intact
        1 for cells that were shown as they are, 0 for the others; in the processor's memory.
    """

    pooled: DiagonalGaussian
    intact: Float[Tensor, " cell"]


def with_failures(
    network: MultimodalVAE,
    batch: Minibatch,
    pooled: DiagonalGaussian,
    *,
    corruptor: Corruptor | None,
    subset: Bool[Tensor, "cell modality"],
) -> WithFailures:
    """Replace the joint posterior of some cells by what is inferred from failed measurements.

    All learn from these, in the joint term alone: the gate whom to trust, and experts to keep what
    a failed measurement still tells. `subset` is what joint posteriors are inferred from, in the
    processor's memory; without `corruptor` nothing fails.
    """
    intact = torch.ones(len(batch))
    corrupted = None if corruptor is None else corruptor(batch)
    if corrupted is None:
        return WithFailures(pooled, intact)
    again = network.encode(corrupted.batch)
    intact[corrupted.cells] = 0
    return WithFailures(_replaced(network, again, pooled, corrupted, subset), intact)


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
