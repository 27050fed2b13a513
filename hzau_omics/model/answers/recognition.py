"""How well a model recognises failed measurements among good ones."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from hzau_omics.data import CellStore
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers.reliability import reliability_of
from hzau_omics.model.session import evaluating
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.reliability.corruption import Corruptor
from hzau_omics.nn.scoring.measurements import MeasurementScores

FEWEST, MOST = 25, 500
BATCH_SIZE = 256


def recognition(
    network: MultimodalVAE,
    store: CellStore,
    corruptor: Corruptor,
    cells: NDArray[np.int64],
    *,
    seed: int,
) -> dict[str, float]:
    """Return how well failed measurements are told from good ones, by their reliability.

    Parameters
    ----------
    network
        A network whose reliability is calibrated.
    store
        Cells of the batches that it was trained on.
    corruptor
        What makes measurements fail.
    cells
        Positions of cells that it was not trained on; at most 500 are taken.
    seed
        Seed of the choice of cells and of the failures.

    Returns
    -------
    Area under the ROC curve by modality: 1 = all failed measurements have a lower reliability than
    good ones, 0.5 = chance. Modalities that fewer than 25 of the cells have are left out.
    """
    device = network.reliability.is_calibrated.device
    rng, found = np.random.default_rng(seed), {}

    def reliabilities(batch: Minibatch, modality: int) -> NDArray[np.float32]:
        scores = MeasurementScores(network, batch.to(device))
        return reliability_of(scores)[:, modality].cpu().numpy()

    with torch.random.fork_rng(), evaluating(network):
        torch.manual_seed(seed)
        for m, name in enumerate(network.modalities):
            chosen = np.sort(rng.permutation(cells[store.present[cells, m]])[:MOST])
            if len(chosen) < FEWEST:
                continue
            good, bad = [], []
            for batch in store.minibatches(chosen, BATCH_SIZE):
                good.append(reliabilities(batch, m))
                bad.append(reliabilities(corruptor.fail(batch, m).batch, m))
            values = np.concatenate([*good, *bad])
            is_good = np.repeat([True, False], len(chosen))
            known = np.isfinite(values)
            if len(np.unique(is_good[known])) == 2:
                found[name] = float(roc_auc_score(is_good[known], values[known]))
    return found
