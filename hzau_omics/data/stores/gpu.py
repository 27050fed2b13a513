"""Cells in GPU memory: minibatches are gathered there, so that no step copies values to it.

Every gather is the same sequence of operations on tensors of the same shapes, whatever the cells
are: it can be part of a recorded CUDA graph, and nothing waits for an answer.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data.stores.memory import MosaicStore
from hzau_omics.minibatch import Minibatch


class _DenseBlock:
    """One modality that is held densely."""

    def __init__(self, matrix: NDArray[np.float32], device: torch.device) -> None:
        # Cells that lack the modality take an extra last row, which is 0.
        padded = torch.zeros(matrix.shape[0] + 1, matrix.shape[1])
        padded[:-1] = torch.from_numpy(matrix)
        self._values = padded.to(device)

    def take(self, rows: Tensor) -> Tensor:
        return self._values.index_select(0, rows)


class _SparseBlock:
    """One modality that is held as compressed rows, and made dense where it is gathered."""

    def __init__(self, matrix: sp.csr_array, device: torch.device) -> None:
        # Cells that lack the modality take an extra last row, which is empty.
        start = np.append(matrix.indptr, matrix.indptr[-1]).astype(np.int64)
        self._start = torch.from_numpy(start).to(device)
        self._feature = torch.from_numpy(matrix.indices.astype(np.int32)).to(device)
        self._value = torch.from_numpy(matrix.data).to(device)
        self._n_features = matrix.shape[1]
        self._places = torch.arange(int(np.diff(start).max()), device=device)

    def take(self, rows: Tensor) -> Tensor:
        out = torch.zeros(len(rows), self._n_features, device=rows.device)
        if not len(self._places):
            return out
        first, after = self._start[rows].unsqueeze(1), self._start[rows + 1].unsqueeze(1)
        # As many places for each row as the longest one has; those beyond its end add 0.
        at = first + self._places
        used = at < after
        at = torch.where(used, at, 0)
        feature = torch.where(used, self._feature[at], 0).long()
        return out.scatter_add_(1, feature, torch.where(used, self._value[at], 0.0))


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
    >>> batch = next(ResidentCells(store, torch.device("cpu")).minibatches(cells, 2)).gather()
    >>> batch.x["adt"].equal(store.minibatch(cells).x["adt"])
    True
    """

    def __init__(self, store: MosaicStore, device: torch.device) -> None:
        self._store = store
        self._device = device
        self._blocks: dict[str, _DenseBlock | _SparseBlock] = {}
        self._rows: dict[str, Tensor] = {}
        self._masks: dict[str, Tensor] = {}
        for name, block in store.blocks.items():
            kind = _DenseBlock if isinstance(block.matrix, np.ndarray) else _SparseBlock
            self._blocks[name] = kind(block.matrix, device)
            row = np.where(block.rows >= 0, block.rows, block.matrix.shape[0])
            self._rows[name] = torch.from_numpy(row).to(device)
            if block.panel is not None:
                self._masks[name] = torch.from_numpy(block.panel).to(device)
        self._table = store.table.minibatch(np.arange(store.n_cells)).to(device)
        self._is_complete = bool(store.present.all())

    @property
    def present(self) -> NDArray[np.bool_]:
        """Boolean array (cell, modality) in CPU memory."""
        return self._store.present

    def shuffled(self, cells: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the cells in a random order."""
        return self._store.shuffled(cells, rng)

    def minibatches(self, cells: NDArray[np.int64], batch_size: int) -> Iterator["CellsAt"]:
        """Iterate over cells in minibatches that are still to be gathered, in the order given."""
        order = torch.from_numpy(np.array(cells)).to(self._device, non_blocking=True)
        for start in range(0, len(order), batch_size):
            yield CellsAt(self, order[start : start + batch_size])

    def gather(self, cells: Tensor) -> Minibatch:
        """Return a minibatch of dense values on the device; `cells` is a long tensor there."""
        table = self._table
        batch = table.batch[cells]
        return Minibatch(
            x={name: block.take(self._rows[name][cells]) for name, block in self._blocks.items()},
            present=table.present[cells],
            batch=batch,
            categorical=table.categorical[cells],
            continuous=table.continuous[cells],
            feature_mask={name: mask[batch] for name, mask in self._masks.items()},
            rows=cells,
            complete=self._is_complete,
        )


class CellsAt:
    """A minibatch that is still to be gathered.

    Parameters
    ----------
    cells
        The cells in the device's memory.
    positions
        Long tensor on the device: which of them make up the minibatch.
    weight
        As in :class:`~hzau_omics.minibatch.Minibatch`.
    """

    def __init__(self, cells: ResidentCells, positions: Tensor, weight: float = 1.0) -> None:
        self.cells = cells
        self.positions = positions
        self.weight = weight

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.positions)

    def gather(self) -> Minibatch:
        """Return the minibatch."""
        batch = self.cells.gather(self.positions)
        batch.weight = self.weight
        return batch
