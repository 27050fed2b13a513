"""Minibatches for the Lightning trainer: the same order for the same seed and epoch."""

from collections.abc import Iterator
from typing import Any, override

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray

from hzau_omics.data import CellStore, iterate
from hzau_omics.data.splits import Split
from hzau_omics.minibatch import Minibatch


class MinibatchLoader:
    """Iterate over cells in a fixed order."""

    def __init__(self, store: CellStore, cells: NDArray[np.int64], batch_size: int) -> None:
        self.store = store
        self.cells = cells
        self.batch_size = batch_size

    def __len__(self) -> int:
        """Return the number of minibatches."""
        return (len(self.cells) + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[Minibatch]:
        """Yield minibatches in order."""
        yield from iterate(self.store, self.cells, self.batch_size)


class MosaicDataModule(LightningDataModule):
    """Training and validation cells of a store.

    The order of an epoch depends on seed and epoch alone, so that a resumed run sees what an
    uninterrupted one would have seen.
    """

    def __init__(self, store: CellStore, split: Split, batch_size: int, seed: int) -> None:
        super().__init__()
        self.store = store
        self.split = split
        self.batch_size = batch_size
        self.seed = seed

    @override
    def train_dataloader(self) -> MinibatchLoader:
        epoch = 0 if self.trainer is None else self.trainer.current_epoch
        rng = np.random.default_rng([self.seed, epoch])
        order = self.store.shuffled(self.split.train, rng)
        return MinibatchLoader(self.store, order, self.batch_size)

    @override
    def val_dataloader(self) -> MinibatchLoader | list[Any]:
        if not len(self.split.validation):
            return []
        return MinibatchLoader(self.store, self.split.validation, self.batch_size)

    @override
    def transfer_batch_to_device(
        self, batch: Minibatch, device: torch.device, dataloader_idx: int
    ) -> Minibatch:
        return batch.to(device)
