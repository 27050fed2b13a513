"""Corruption in training: ambient profiles of the training cells, and what draws from them."""

import numpy as np
from numpy.typing import NDArray

from hzau_omics.data import CellStore
from hzau_omics.nn.reliability.corruption import Corruptor
from hzau_omics.nn.reliability.profiles import MeanProfile

PROFILE_CELLS, RUN = 10_000, 16
BATCH_SIZE = 256


def make_corruptor(
    store: CellStore, cells: NDArray[np.int64], share: float, seed: int
) -> Corruptor:
    """Return the corruptor of measurements, with ambient profiles of these cells."""
    rng = np.random.default_rng(seed)
    profiles = {}
    for m, name in enumerate(store.layout.names):
        cells_with = cells[store.present[cells, m]]
        profile = MeanProfile(store.layout.n_batches, store.layout.modalities[m].n_features)
        for batch in store.minibatches(_some_runs(cells_with, rng), BATCH_SIZE):
            profile.add(batch, name)
        profiles[name] = profile.mean()
    likelihoods = {m.name: m.spec.likelihood for m in store.layout.modalities}
    texts = [m.name for m in store.layout.modalities if m.text is not None]
    return Corruptor(share, likelihoods, profiles, texts=texts)


def _some_runs(cells: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return runs of adjacent cells, at most 10,000 in total: these are quick to read from disk."""
    if len(cells) <= PROFILE_CELLS:
        return cells
    starts = np.sort(rng.permutation(len(cells) // RUN)[: PROFILE_CELLS // RUN]) * RUN
    places = (starts[:, None] + np.arange(RUN)).ravel()
    return np.take(cells, places)
