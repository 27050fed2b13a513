"""Corrupted measurements in a training step: what joint terms are inferred from in some cells."""

from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.reliability.corruption import Corrupted, Corruptor


class WithCorruption(NamedTuple):
    """Posteriors of a minibatch in which some cells were encoded with a corrupted measurement.

    Attributes
    ----------
    pooled
        Posteriors (subset, cell, latent); the first subset is the joint one.
    intact
        1 for cells that were encoded as they are, 0 for the others; on the CPU.
    """

    pooled: DiagonalGaussian
    intact: Float[Tensor, " cell"]


def with_corruption(
    network: MultimodalVAE,
    batch: Minibatch,
    pooled: DiagonalGaussian,
    *,
    corruptor: Corruptor | None,
    subset: Bool[Tensor, "cell modality"],
) -> WithCorruption:
    """Replace the joint posterior of some cells by one inferred from a corrupted measurement.

    Only joint terms are inferred from these. The gate thereby learns which measurement to trust,
    and experts learn to use what a failed measurement still contains. `subset` are the modalities
    that joint posteriors are inferred from, on the CPU; without `corruptor` nothing is corrupted.
    """
    intact = torch.ones(len(batch))
    corrupted = None if corruptor is None else corruptor(batch)
    if corrupted is None:
        return WithCorruption(pooled, intact)
    intact[corrupted.cells] = 0
    return WithCorruption(_replaced(network, pooled, corrupted, subset), intact)


def _replaced(
    network: MultimodalVAE,
    pooled: DiagonalGaussian,
    corrupted: Corrupted,
    subset: Bool[Tensor, "cell modality"],
) -> DiagonalGaussian:
    """Put the posteriors of corrupted cells in place of their clean joint posteriors."""
    on_device = partial(torch.Tensor.to, device=pooled.mean.device, non_blocking=True)
    encoded = network.encode(corrupted.batch)
    inferred = network.infer_term(encoded, on_device(subset[corrupted.cells])).q
    rows = on_device(corrupted.cells)
    parts = (
        torch.cat([old[:1].index_copy(1, rows, new.unsqueeze(0)), old[1:]])
        for old, new in zip(pooled, inferred, strict=True)
    )
    return DiagonalGaussian(*parts)
