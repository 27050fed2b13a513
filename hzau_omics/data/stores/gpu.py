"""Cells in GPU memory: minibatches are gathered there, so that no step copies values to it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data.stores.memory import MosaicStore
from hzau_omics.minibatch import DenseValues, Minibatch, SparseEntries


class _Block:
    """One modality on the device, addressed by cell."""

    def __init__(
        self,
        matrix: sp.csr_array | NDArray[np.float32],
        rows: NDArray[np.int64],
        device: torch.device,
    ) -> None:
        # Cells that lack the modality take an extra last row, which is empty.
        n_rows = matrix.shape[0]
        self._rows = torch.from_numpy(np.where(rows >= 0, rows, n_rows))
        self._device = device
        self._dense: Tensor | None = None
        self._entries: SparseEntries | None = None
        if isinstance(matrix, np.ndarray):
            padded = torch.zeros(n_rows + 1, matrix.shape[1])
            padded[:n_rows] = torch.from_numpy(matrix)
            self._dense = padded.to(device)
            return
        start = np.append(matrix.indptr, matrix.indptr[-1]).astype(np.int64)
        self._entries = SparseEntries(
            start=torch.from_numpy(start),
            row=torch.empty(0, dtype=torch.long, device=device),
            feature=torch.from_numpy(matrix.indices.astype(np.int32)).to(device),
            value=torch.from_numpy(matrix.data).to(device),
            n_features=matrix.shape[1],
        )

    def take(self, cells: NDArray[np.int64]) -> Tensor | SparseEntries:
        rows = self._rows[torch.from_numpy(cells)]
        if self._entries is not None:
            return self._entries.take(rows)
        assert self._dense is not None
        return self._dense[rows.to(self._device, non_blocking=True)]


class ResidentCells:
    """The cells of a MuData, held in the memory of a device.

    Parameters
    ----------
    store
        The cells.
    device
        Device that holds them.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> mdata = ho.data.simulate(20, n_features={"rna": 5, "adt": 3})
    >>> store = MosaicStore(mdata, ho.data.build_layout(mdata, {"rna": "nb", "adt": "nb"}))
    >>> cells = np.array([3, 1])
    >>> batch = next(ResidentCells(store, torch.device("cpu")).minibatches(cells, 2))
    >>> batch.x["adt"].equal(store.minibatch(cells).x["adt"])
    True
    """

    def __init__(self, store: MosaicStore, device: torch.device) -> None:
        self._store = store
        self._device = device
        self._blocks = {
            name: _Block(block.matrix, block.rows, device) for name, block in store.blocks.items()
        }
        panels = {name: block.panel for name, block in store.blocks.items()}
        self._masks = {
            name: torch.from_numpy(panel).to(device)
            for name, panel in panels.items()
            if panel is not None
        }

    def shuffled(self, cells: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the cells in a random order."""
        return self._store.shuffled(cells, rng)

    def minibatches(self, cells: NDArray[np.int64], batch_size: int) -> Iterator[Minibatch]:
        """Iterate over cells in minibatches on the device, in the order given."""
        for start in range(0, len(cells), batch_size):
            yield self._minibatch(cells[start : start + batch_size])

    def _minibatch(self, cells: NDArray[np.int64]) -> Minibatch:
        taken = {name: block.take(cells) for name, block in self._blocks.items()}
        sparse = {n: values for n, values in taken.items() if isinstance(values, SparseEntries)}
        dense = {n: values for n, values in taken.items() if isinstance(values, Tensor)}
        minibatch = self._store.table.minibatch(cells).to(self._device)
        return replace(
            minibatch,
            x=DenseValues(taken, dense, sparse),
            feature_mask={name: mask[minibatch.batch] for name, mask in self._masks.items()},
            sparse=sparse,
        )
