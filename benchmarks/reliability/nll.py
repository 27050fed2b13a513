"""Negative log likelihood of counts, given the same cells or what is left of them."""

from typing import Any

import numpy as np
import torch
from mudata import MuData

from hzau_omics.data import MosaicStore

N_SAMPLES = 5


def held_out_nll(
    model: Any, seen: MuData, wanted: MuData, *, given: int | None = None
) -> np.ndarray:
    """Return the negative log likelihood of each modality, mean over cells, in nats.

    Parameters
    ----------
    model
        Any system.
    seen
        Cells that the latent is inferred from.
    wanted
        The same cells with the values whose likelihood is asked for.
    given
        Number of the modality that the latent is inferred from; None for all.

    Returns
    -------
    Shape (modality,), lower is better; NaN where a system does not infer from `given`.
    """
    network = model.module
    stores = [MosaicStore(mdata, model.layout) for mdata in (seen, wanted)]
    cells = np.arange(stores[0].n_cells)
    n_modalities = len(network.modalities)
    total = np.zeros(n_modalities)
    torch.manual_seed(0)
    device = next(network.parameters()).device
    pairs = zip(*(store.minibatches(cells, 256) for store in stores), strict=True)
    with torch.inference_mode():
        for batch, clean in pairs:
            here, there = batch.to(device), clean.to(device)
            present = here.present
            if given is not None:
                present = present & (torch.arange(n_modalities, device=device) == given)
            found = network.infer(network.encode(here), present)
            if not found.available.any(-1).all():
                return np.full(n_modalities, np.nan)
            q = found.q
            for _ in range(N_SAMPLES):
                total -= network.log_likelihoods(q.sample(), there).sum(0).cpu().numpy()
    return np.asarray(total / N_SAMPLES / len(cells))
