"""Constants of a network and weights of modalities, from a sample of the training cells."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from hzau_omics.data import CellStore
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.objective.weights import balanced_weights, null_nll

SAMPLE_SIZE = 1000


def prepare_network(
    network: MultimodalVAE,
    store: CellStore,
    cells: NDArray[np.int64],
    weights: Literal["auto"] | dict[str, float],
    seed: int,
) -> dict[str, float]:
    """Set the network's constants, and return the weight of each modality's log likelihood.

    Both come from up to 1,000 training cells that have the modality. ``"auto"`` gives
    lambda_m = clip(N_max / N_m, 1, 20) from the null models' NLL.
    """
    rng = np.random.default_rng(seed)
    null: dict[str, float] = {}
    for m, modality in enumerate(store.layout.modalities):
        cells_with = cells[store.present[cells, m]]
        chosen = np.sort(rng.permutation(cells_with)[:SAMPLE_SIZE])
        if not chosen.size:
            null[modality.name] = 1.0
            continue
        batch = store.minibatch(chosen)
        x = batch.x[modality.name]
        decoder = network.decoder(m)
        decoder.fit_scale(x)
        with torch.no_grad():
            null[modality.name] = null_nll(
                modality.spec.likelihood,
                x,
                uses_library=decoder.likelihood.uses_library,
                feature_mask=batch.feature_mask.get(modality.name),
            )
    return balanced_weights(null) if weights == "auto" else dict(weights)
