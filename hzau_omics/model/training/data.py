"""Minibatches for the Lightning trainer: the same order for the same seed and epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, override

import numpy as np
import torch
from lightning.pytorch import LightningDataModule, Trainer
from numpy.typing import NDArray

from hzau_omics.data import CellStore
from hzau_omics.data.stores.base import Feed
from hzau_omics.data.stores.gpu import CellsAt
from hzau_omics.data.stores.splits import Split
from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.training.placement import place


@dataclass(frozen=True)
class Share:
    """Which cells of every minibatch one of several processes takes.

    Attributes
    ----------
    rank
        Number of the process, from 0.
    world
        Number of processes.
    """

    rank: int = 0
    world: int = 1

    @classmethod
    def of(cls, trainer: Trainer | None) -> "Share":
        """Return the share of this process in a trainer's run."""
        if trainer is None:
            return cls()
        return cls(trainer.global_rank, trainer.world_size)


class MinibatchLoader:
    """Iterate over cells in a fixed order, alone or as one of several processes.

    Processes take turns within each minibatch, so that together they see the minibatches that one
    process would see, in as many steps, and no cell is left out. Where the last minibatch has fewer
    cells than there are processes, those without a cell get its first one with weight 0.

    Parameters
    ----------
    store
        Where the cells are.
    cells
        Positions, in the order to be read.
    batch_size
        Cells per minibatch of all processes together.
    share
        Which of them this process takes.
    """

    def __init__(
        self,
        store: Feed,
        cells: NDArray[np.int64],
        batch_size: int,
        share: Share = Share(),
    ) -> None:
        self.store = store
        self.cells = cells
        self.batch_size = batch_size
        self.share = share

    def __len__(self) -> int:
        """Return the number of minibatches."""
        return (len(self.cells) + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[Minibatch | CellsAt]:
        """Yield minibatches in order."""
        cells, size, stands_in = self._own()
        last = len(self) - 1
        for i, batch in enumerate(self.store.minibatches(cells, size)):
            if stands_in and i == last:
                batch.weight = 0.0
            yield batch

    def _own(self) -> tuple[NDArray[np.int64], int, bool]:
        """Return this process's cells, how many per step, and whether the last one stands in."""
        if self.share.world == 1:
            return self.cells, self.batch_size, False
        # Cells of a minibatch are dealt out in turn.
        place = np.arange(len(self.cells)) % self.batch_size
        own = self.cells[place % self.share.world == self.share.rank]
        n_last = len(self.cells) % self.batch_size
        stands_in = 0 < n_last <= self.share.rank
        if stands_in:
            own = np.append(own, self.cells[-n_last])
        return own, len(range(self.share.rank, self.batch_size, self.share.world)), stands_in


class MosaicDataModule(LightningDataModule):
    """Training and validation cells of a store.

    The order of an epoch depends on seed and epoch alone, so that a resumed run sees what an
    uninterrupted one would have seen, and every process of a run knows its share.
    """

    def __init__(
        self,
        store: CellStore,
        split: Split,
        batch_size: int,
        seed: int,
        *,
        device_memory_gb: float | None = None,
    ) -> None:
        super().__init__()
        self.store = store
        self.device_memory_gb = device_memory_gb
        self._feed: Feed = store
        self._device: torch.device | None = None
        self.split = split
        self.batch_size = batch_size
        self.seed = seed

    @override
    def setup(self, stage: str) -> None:
        """Place the cells for the device, and check that all processes train on the same ones.

        Raises
        ------
        ConfigError
            The device's budget is negative, a minibatch has fewer cells than there are processes,
            or processes differ in their cells or seeds.
        """
        trainer = self.trainer
        if trainer is None:
            return
        self.place(trainer.strategy.root_device)
        if trainer.world_size > 1:
            self._check_processes(trainer)

    def place(self, device: torch.device) -> Feed:
        """Place the cells for a device, once, and return them."""
        if self._device != device:
            self._feed = place(self.store, device, self.device_memory_gb)
            self._device = device
        return self._feed

    def _check_processes(self, trainer: Trainer) -> None:
        if self.batch_size < trainer.world_size:
            msg = (
                f"batch_size counts the cells of all processes, of which there are "
                f"{trainer.world_size}. Received {self.batch_size}: give at least as many."
            )
            raise ConfigError(msg)
        own = (self.seed, self.store.n_cells, [int(part.sum()) for part in self.split])
        first = trainer.strategy.broadcast(own, src=0)
        if own != first:
            msg = (
                f"Every process must train on the same cells with the same seed. Received {own} "
                f"(seed, cells, sums of the split) in process {trainer.global_rank}, and {first} "
                "in the first one. Pass a seed to train, and read the same data in each process."
            )
            raise ConfigError(msg)

    @override
    def train_dataloader(self) -> MinibatchLoader:
        epoch = 0 if self.trainer is None else self.trainer.current_epoch
        rng = np.random.default_rng([self.seed, epoch])
        return self._loader(self._feed.shuffled(self.split.train, rng))

    @override
    def val_dataloader(self) -> MinibatchLoader | list[Any]:
        if not len(self.split.validation):
            return []
        return self._loader(self.split.validation)

    def _loader(self, cells: NDArray[np.int64]) -> MinibatchLoader:
        return MinibatchLoader(self._feed, cells, self.batch_size, Share.of(self.trainer))

    @override
    def transfer_batch_to_device(
        self, batch: Minibatch | CellsAt, device: torch.device, dataloader_idx: int
    ) -> Minibatch | CellsAt:
        return batch if isinstance(batch, CellsAt) else batch.to(device)
