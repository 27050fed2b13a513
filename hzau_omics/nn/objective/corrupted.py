"""Corrupted measurements in a training step: what joint terms are inferred from in some cells."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.reliability.corruption import Corruptor


def corrupt_joint(
    network: MultimodalVAE,
    batch: Minibatch,
    q: DiagonalGaussian,
    corruptor: Corruptor,
    subset: Bool[Tensor, "cell modality"],
) -> tuple[DiagonalGaussian, Float[Tensor, " cell"]]:
    """Replace the joint posterior of some cells by one inferred from a corrupted measurement.

    Only joint terms are inferred from these. The gate thereby learns which measurement to trust,
    and experts learn to use what a failed measurement still contains.

    Parameters
    ----------
    network, batch
        The network, and the cells.
    q
        Posteriors (place, cell, latent); the first is the joint one.
    corruptor
        Corrupts measurements.
    subset
        Modalities that joint posteriors are inferred from.

    Returns
    -------
    The posteriors, and 1 for cells that were encoded as they are, 0 for the others (cell).
    """
    intact = q.mean.new_ones(len(batch))
    corrupted = corruptor(batch)
    if corrupted is None:
        return q, intact
    cells, active = corrupted.cells, corrupted.active
    encoded = network.encode(corrupted.batch)
    found = network.infer_term(encoded, subset[cells]).q
    parts = []
    for old, new in zip(q, found, strict=True):
        replaced = new if active is None else torch.where(active.unsqueeze(-1), new, old[0, cells])
        parts.append(torch.cat([old[:1].index_copy(1, cells, replaced.unsqueeze(0)), old[1:]]))
    lost = torch.zeros_like(intact[cells]) if active is None else 1 - active.to(intact.dtype)
    return DiagonalGaussian(*parts), intact.index_copy(0, cells, lost)
