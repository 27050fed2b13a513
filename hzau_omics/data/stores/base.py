"""The interface of every collection of cells, whether its values are in memory or on disk."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import check_integer
from hzau_omics.data.changes.identity import CellIdentity
from hzau_omics.data.contract.layout import DataLayout
from hzau_omics.data.contract.matrix import Dense
from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import DenseValues, Minibatch, SparseEntries

type Taken = Mapping[str, sp.csr_array | Dense]
"""Modality name -> values (cell, registered feature) of some cells, zeros where absent."""


@dataclass(frozen=True)
class CellTable:
    """Presence, batch and covariates of every cell, in the codes of a layout.

    Attributes
    ----------
    present
        Boolean array (cell, modality): measured modalities of each cell.
    batch
        Batch code of every cell.
    categorical
        Codes of the categorical covariates (cell, covariate).
    continuous
        Standardised continuous covariates (cell, covariate), float32.
    """

    present: NDArray[np.bool_]
    batch: NDArray[np.integer[Any]]
    categorical: NDArray[np.integer[Any]]
    continuous: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.batch)

    def take(self, cells: NDArray[np.integer[Any]]) -> "CellTable":
        """Return the table of some cells, in their order."""
        return CellTable(
            self.present[cells],
            self.batch[cells],
            self.categorical[cells],
            self.continuous[cells],
        )

    def minibatch(self, cells: NDArray[np.int64]) -> Minibatch:
        """Return a minibatch of some cells that has no values yet."""
        table = self.take(cells)
        return Minibatch(
            x={},
            present=torch.from_numpy(table.present),
            batch=torch.from_numpy(table.batch.astype(np.int64)),
            categorical=torch.from_numpy(table.categorical.astype(np.int64)),
            continuous=torch.from_numpy(table.continuous),
            rows=torch.from_numpy(cells.copy()),
        )


class Feed(Protocol):
    """What training needs: a random order for each epoch, and minibatches in an order."""

    def shuffled(self, cells: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return cells in a random order."""

    def minibatches(self, cells: NDArray[np.int64], batch_size: int) -> Iterator[Any]:
        """Iterate over cells in minibatches, in the order given."""


class CellStore(ABC):
    """Cells that are read as minibatches, in the features and codes of a layout.

    Parameters
    ----------
    layout
        The registered layout.
    table
        Presence, batch and covariates of every cell.
    panels
        Modality name -> boolean array (batch, feature) of the features that each batch measured, or
        None without a feature panel.
    """

    def __init__(
        self,
        layout: DataLayout,
        table: CellTable,
        panels: Mapping[str, NDArray[np.bool_] | None],
    ) -> None:
        self.layout = layout
        self.table = table
        self._panels = dict(panels)

    @property
    @abstractmethod
    def obs_names(self) -> pd.Index:
        """Names of the cells, in order."""

    @abstractmethod
    def _take(self, cells: NDArray[np.int64]) -> Taken:
        """Return the values of some cells, in their order."""

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.table)

    def __len__(self) -> int:
        """Return the number of cells."""
        return self.n_cells

    @property
    def present(self) -> NDArray[np.bool_]:
        """Boolean array (cell, modality)."""
        return self.table.present

    @property
    def batch(self) -> NDArray[np.integer[Any]]:
        """Batch code of every cell."""
        return self.table.batch

    @property
    def categorical(self) -> NDArray[np.integer[Any]]:
        """Codes of the categorical covariates (cell, covariate)."""
        return self.table.categorical

    @property
    def continuous(self) -> NDArray[np.float32]:
        """Standardised continuous covariates (cell, covariate), float32."""
        return self.table.continuous

    def change(self) -> str | None:
        """Describe how the cells differ from those that were registered; None if they do not."""
        return None

    def identity(self) -> CellIdentity:
        """Return what identifies these cells, also in another session."""
        return CellIdentity.of(self.obs_names, None)

    def aligned(self, layout: DataLayout) -> "CellStore":
        """Return the same cells in the features and codes of another layout.

        Raises
        ------
        ConfigError
            The store cannot be read in another layout than its own.
        """
        if layout != self.layout:
            msg = (
                "A store can be read in its own layout only. Received a "
                f"{type(self).__name__} of another model: give the MuData itself."
            )
            raise ConfigError(msg)
        return self

    def feature_table(self, name: str) -> NDArray[np.bool_] | None:
        """Return the feature panel of a modality (batch, feature), None without one."""
        self.layout.modality(name)
        return self._panels[name]

    def minibatch(self, cells: ArrayLike) -> Minibatch:
        """Return tensors of some cells, in the order given.

        Parameters
        ----------
        cells
            Positions in ``obs_names``.

        Raises
        ------
        IndexError
            If a position is not an integer from 0 to the number of cells - 1.
        """
        index = self.positions(cells)
        return self._assemble(index, self._take(index))

    def minibatches(self, cells: ArrayLike, batch_size: int) -> Iterator[Minibatch]:
        """Iterate over cells in minibatches, in the order given.

        Raises
        ------
        ConfigError
            `batch_size` is not a positive integer.
        """
        size = check_integer("batch_size", batch_size)
        index = self.positions(cells)
        return (self.minibatch(index[start : start + size]) for start in range(0, len(index), size))

    def shuffled(self, cells: ArrayLike, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the cells in a random order that can be read fast."""
        return rng.permutation(self.positions(cells))

    def parts(self, cells: ArrayLike) -> Iterator[tuple["CellStore", NDArray[np.int64]]]:
        """Split cells into parts that fit into memory: a store, and positions of cells in it.

        Parts come in the order given, so that their results can be concatenated.
        """
        yield self, self.positions(cells)

    def positions(self, cells: ArrayLike | None) -> NDArray[np.int64]:
        """Return positions of cells as integers; None means all cells.

        Raises
        ------
        IndexError
            If a position is not an integer from 0 to the number of cells - 1.
        """
        if cells is None:
            return np.arange(self.n_cells)
        given = np.asarray(cells)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            msg = (
                "Cells must be a list of integer positions. Received "
                f"{given.dtype} of shape {given.shape}. Positions of names are "
                "obs_names.get_indexer(names)."
            )
            raise IndexError(msg)
        index = given.astype(np.int64, copy=False)
        if index.size and (index.min() < 0 or index.max() >= self.n_cells):
            msg = (
                f"Cells must be positions from 0 to {self.n_cells - 1}. "
                f"Received {int(index.min())} to {int(index.max())}."
            )
            raise IndexError(msg)
        return index

    def _assemble(self, index: NDArray[np.int64], taken: Taken) -> Minibatch:
        dense, sparse = {}, {}
        for name, values in taken.items():
            if isinstance(values, np.ndarray):
                dense[name] = torch.from_numpy(values)
            else:
                sparse[name] = _sparse_entries(values)
        return replace(
            self.table.minibatch(index),
            x=DenseValues(taken, dense, sparse),
            feature_mask={
                name: torch.from_numpy(panel[self.batch[index]])
                for name, panel in self._panels.items()
                if panel is not None
            },
            sparse=sparse,
        )


def _sparse_entries(values: sp.csr_array) -> SparseEntries:
    start = torch.from_numpy(values.indptr.astype(np.int64))
    n_rows = values.shape[0]
    row = torch.arange(n_rows).repeat_interleave(start.diff())
    feature = torch.from_numpy(values.indices.astype(np.int64))
    return SparseEntries(start, row, feature, torch.from_numpy(values.data), values.shape[1])


def iterate(
    store: CellStore, cells: ArrayLike | None = None, batch_size: int = 512
) -> Iterator[Minibatch]:
    """Iterate over cells in minibatches, in the order given; over all cells by default.

    Raises
    ------
    ConfigError
        If `batch_size` is not a positive integer.
    """
    return store.minibatches(store.positions(cells), batch_size)
