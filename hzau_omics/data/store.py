"""Row-aligned access to the cells of a MuData, for training and for held-out data."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from mudata import MuData
from numpy.typing import ArrayLike, NDArray

from hzau_omics.data.align import align
from hzau_omics.data.layout import DataLayout
from hzau_omics.data.matrix import Dense
from hzau_omics.data.messages import listed
from hzau_omics.data.obs import category_codes, continuous_values, label_codes, obs_column
from hzau_omics.data.presence import check_container, check_observed
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.minibatch import Minibatch, SparseEntries, Values


class MosaicStore:
    """Cells of a MuData as minibatches, in the features, batches and covariates of a layout.

    Which cell has which modality comes from ``obsmap`` alone. Features are matched by name; the
    MuData is never changed, and float32 CSR in registered order is not copied.

    Parameters
    ----------
    mdata
        Training or held-out cells. A held-out MuData may lack registered modalities or hold them
        with 0 rows, may have its features in another order, and may have others besides.
    layout
        What was registered at set-up.
    check
        Whether to look at every value; False only for the data that the layout was built from.
    allow_empty_cells
        Whether cells may lack all registered modalities.

    Attributes
    ----------
    layout
        The layout.
    obs_names
        Names of the cells, in the order of ``mdata.obs_names``.
    present
        Boolean array (cell, modality).
    batch
        Batch code of every cell.
    categorical
        Codes of the categorical covariates (cell, covariate).
    continuous
        Standardised continuous covariates (cell, covariate), float32.

    Raises
    ------
    TypeError
        If `mdata` is no MuData.
    DataContractError
        If the data break a rule of the layout: features missing, an unseen batch or category,
        values outside of the likelihood's domain, a stale ``obsmap``, a cell without modality.

    Examples
    --------
    >>> import anndata, mudata, numpy as np
    >>> from hzau_omics.data.build import build_layout
    >>> mdata = mudata.MuData({"rna": anndata.AnnData(np.eye(3, dtype="float32"))})
    >>> store = MosaicStore(mdata, build_layout(mdata, {"rna": "nb"}))
    >>> store.minibatch([2, 0]).x["rna"]
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """

    def __init__(
        self,
        mdata: MuData,
        layout: DataLayout,
        *,
        check: bool = True,
        allow_empty_cells: bool = False,
    ) -> None:
        self._mdata = check_container(mdata)
        self.layout = layout
        self.obs_names = pd.Index(mdata.obs_names)
        if not any(name in mdata.mod for name in layout.names):
            msg = (
                f"The MuData has none of the registered modalities ({', '.join(layout.names)}). "
                f"It has {listed(mdata.mod, limit=20)}: rename one, or add one."
            )
            raise DataContractError(msg)
        self.batch = category_codes(mdata, layout.batch, "batch key")
        self._blocks = {
            modality.name: align(mdata, modality, layout, self.batch, check=check)
            for modality in layout.modalities
        }
        self.present = np.stack([block.rows >= 0 for block in self._blocks.values()], axis=1)
        if not allow_empty_cells:
            check_observed(self.present, self.obs_names, layout.names)
        self.categorical = _columns(
            [
                category_codes(mdata, covariate, "categorical covariate")
                for covariate in layout.categorical_covariates
            ],
            self.n_cells,
            np.int64,
        )
        self.continuous = _columns(
            [
                (continuous_values(mdata, covariate.key) - covariate.mean) / covariate.std
                for covariate in layout.continuous_covariates
            ],
            self.n_cells,
            np.float32,
        )

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.obs_names)

    def __len__(self) -> int:
        """Return the number of cells."""
        return self.n_cells

    @property
    def labels(self) -> NDArray[np.int64]:
        """Label code of every cell, -1 where it has no registered label.

        Raises
        ------
        ConfigError
            If no labels key was registered.
        """
        if self.layout.labels is None:
            msg = "No labels were registered: give labels_key at set-up."
            raise ConfigError(msg)
        return label_codes(self._mdata, self.layout.labels)

    def obs(self, key: str) -> "pd.Series[Any]":
        """Return a column of ``obs`` for every cell, from the MuData or its modalities.

        Raises
        ------
        DataContractError
            If there is no such column, or modalities disagree about a cell.
        """
        return obs_column(self._mdata, key)

    def rows(self, name: str) -> NDArray[np.int64]:
        """Return the row of every cell in a modality of the MuData, -1 where it is absent."""
        self.layout.modality(name)
        return self._blocks[name].rows

    def totals(self, name: str) -> NDArray[np.float64]:
        """Return every cell's sum over a modality (counts for counts), NaN where it is absent."""
        self.layout.modality(name)
        return self._blocks[name].totals()

    def values(self, name: str, cells: ArrayLike | None = None) -> sp.csr_array | Dense:
        """Return a modality's float32 values (cell, registered feature), zeros where absent.

        The result is a CSR array, or a dense one where the MuData holds the modality densely.
        """
        self.layout.modality(name)
        return self._blocks[name].take(self._indices(cells))

    def feature_table(self, name: str) -> NDArray[np.bool_] | None:
        """Return which features each batch measured (batch, feature), None without a panel."""
        self.layout.modality(name)
        return self._blocks[name].panel

    def minibatch(self, cells: ArrayLike) -> Minibatch:
        """Return tensors of some cells, in the order in which they are asked for.

        Parameters
        ----------
        cells
            Positions in ``obs_names``.

        Raises
        ------
        IndexError
            If a position is no integer from 0 to the number of cells - 1.
        """
        index = self._indices(cells)
        codes = self.batch[index]
        taken = {name: block.take(index) for name, block in self._blocks.items()}
        dense, sparse = {}, {}
        for name, values in taken.items():
            if isinstance(values, np.ndarray):
                dense[name] = torch.from_numpy(values)
            else:
                sparse[name] = _sparse_entries(values)
        return Minibatch(
            x=Values(taken, dense, sparse),
            present=torch.from_numpy(self.present[index]),
            batch=torch.from_numpy(codes),
            categorical=torch.from_numpy(self.categorical[index]),
            continuous=torch.from_numpy(self.continuous[index]),
            feature_mask={
                name: torch.from_numpy(block.panel[codes])
                for name, block in self._blocks.items()
                if block.panel is not None
            },
            rows=torch.from_numpy(index),
            sparse=sparse,
        )

    def _indices(self, cells: ArrayLike | None) -> NDArray[np.int64]:
        if cells is None:
            return np.arange(self.n_cells)
        given = np.asarray(cells)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            msg = (
                f"Cells are a list of integer positions. Got {given.dtype} of shape {given.shape}."
            )
            raise IndexError(msg)
        index = given.astype(np.int64)
        if index.size and (index.min() < 0 or index.max() >= self.n_cells):
            msg = (
                f"Cells are positions from 0 to {self.n_cells - 1}. "
                f"Got {int(index.min())} to {int(index.max())}."
            )
            raise IndexError(msg)
        return index


def _sparse_entries(values: sp.csr_array) -> SparseEntries:
    start = torch.from_numpy(values.indptr.astype(np.int64))
    n_rows = values.shape[0]
    row = torch.arange(n_rows).repeat_interleave(start.diff())
    feature = torch.from_numpy(values.indices.astype(np.int64))
    return SparseEntries(start, row, feature, torch.from_numpy(values.data), values.shape[1])


def _columns(
    columns: list[NDArray[np.generic]], n_cells: int, dtype: type[np.generic]
) -> NDArray[np.generic]:
    if not columns:
        return np.empty((n_cells, 0), dtype=dtype)
    return np.stack(columns, axis=1).astype(dtype)


def iterate(
    store: MosaicStore, cells: ArrayLike | None = None, batch_size: int = 512
) -> Iterator[Minibatch]:
    """Walk over cells in minibatches, in the order given (all cells, in order, by default).

    Raises
    ------
    ConfigError
        If `batch_size` is not a positive integer.
    """
    if (
        isinstance(batch_size, bool)
        or not isinstance(batch_size, int | np.integer)
        or batch_size < 1
    ):
        msg = f"batch_size is a positive integer. Got {batch_size!r}."
        raise ConfigError(msg)
    index = np.arange(store.n_cells) if cells is None else np.asarray(cells)
    for start in range(0, len(index), int(batch_size)):
        yield store.minibatch(index[start : start + int(batch_size)])
