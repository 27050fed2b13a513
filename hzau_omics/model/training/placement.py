"""Where the cells of a training run are held: on the device, or staged for it."""

import logging
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from hzau_omics.data import CellStore, MosaicStore
from hzau_omics.data.stores.base import Feed
from hzau_omics.data.stores.gpu import ResidentCells
from hzau_omics.data.stores.prefetch import prefetched
from hzau_omics.minibatch import Minibatch

logger = logging.getLogger(__name__)

GIB = 1024**3
SHARE_OF_FREE = 0.5
"""Share of a GPU's free memory that cells may take by default."""

AHEAD = 16
"""Minibatches that are prepared ahead."""


def place(store: CellStore, device: torch.device, budget_gb: float | None) -> Feed:
    """Return the cells as a device should read them.

    On a CPU they stay where they are. A GPU holds all cells of a MuData if they fit the budget;
    otherwise minibatches are prepared ahead, and copied while it computes.

    Parameters
    ----------
    store
        The cells.
    device
        The device that trains.
    budget_gb
        Memory in GiB that cells may take on the device; None for half of what is free there.
    """
    if device.type != "cuda":
        return store
    free, _ = torch.cuda.mem_get_info(device)
    budget = SHARE_OF_FREE * free if budget_gb is None else budget_gb * GIB
    if not isinstance(store, MosaicStore):
        return StagedCells(store)
    if store.nbytes <= budget:
        try:
            return ResidentCells(store, device)
        except torch.OutOfMemoryError:
            # Others may have taken what was free.
            logger.warning(
                "The cells take %.1f GiB, for which the GPU has no memory left: they are copied "
                "minibatch by minibatch.",
                store.nbytes / GIB,
            )
            return StagedCells(store)
    logger.info(
        "The cells take %.1f GiB, more than the %.1f GiB that they may take on the GPU: they "
        "are copied minibatch by minibatch. device_memory_gb= allows more.",
        store.nbytes / GIB,
        budget / GIB,
    )
    return StagedCells(store)


class StagedCells:
    """Cells whose minibatches are prepared in memory that a GPU copies from while it computes.

    Parameters
    ----------
    store
        The cells.
    """

    def __init__(self, store: CellStore) -> None:
        self._store = store

    def shuffled(self, cells: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the cells in a random order that is fast to read."""
        return self._store.shuffled(cells, rng)

    def minibatches(self, cells: NDArray[np.int64], batch_size: int) -> Iterator[Minibatch]:
        """Yield the cells in minibatches, in the order given."""
        batches = self._store.minibatches(cells, batch_size)
        return prefetched((batch.pinned() for batch in batches), AHEAD)
