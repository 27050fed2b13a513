"""Row-aligned access to the cells of a MuData, for training and for held-out data."""

from collections.abc import Mapping, Sequence
from typing import Any, override

import numpy as np
import pandas as pd
import scipy.sparse as sp
from mudata import MuData
from numpy.typing import ArrayLike, NDArray

from hzau_omics.data.changes.identity import CellIdentity
from hzau_omics.data.changes.record import DataRecord
from hzau_omics.data.contract.align import Block, align
from hzau_omics.data.contract.columns.obs import (
    category_codes,
    continuous_values,
    label_codes,
    obs_column,
)
from hzau_omics.data.contract.layout import DataLayout
from hzau_omics.data.contract.matrix import Dense
from hzau_omics.data.contract.presence import check_container, check_observed
from hzau_omics.data.stores.base import CellStore, CellTable, Taken
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import listed


class MosaicStore(CellStore):
    """Cells of a MuData as minibatches, in the features, batches and covariates of a layout.

    Which cell has which modality is read from ``obsmap`` alone. Features are matched by name. The
    MuData is never changed; float32 CSR in registered order is not copied.

    Parameters
    ----------
    mdata
        Training or held-out cells. Held-out data may lack registered modalities or hold them with 0
        rows, and may have their features in another order, with others among them.
    layout
        What was registered at set-up.
    check
        Whether to check every value; False only for the data that the layout was built from.
    allow_empty_cells
        Whether cells may lack all registered modalities.
    record
        The MuData's record at set-up, with which `change` compares it.

    Raises
    ------
    TypeError
        If `mdata` is no MuData.
    DataContractError
        If the data break a rule of the layout: features missing, an unseen batch or category,
        values outside the likelihood's domain, a stale ``obsmap``, a cell without any modality.

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
        record: DataRecord | None = None,
    ) -> None:
        self._record = record
        self._mdata = check_container(mdata)
        self._obs_names: pd.Index[str] = pd.Index(mdata.obs_names)
        if not any(name in mdata.mod for name in layout.names):
            msg = (
                f"The MuData needs one of the registered modalities ({', '.join(layout.names)}). "
                f"Received {listed(mdata.mod, limit=20)}: rename one, or add one."
            )
            raise DataContractError(msg)
        batch = category_codes(mdata, layout.batch, "batch key")
        self._blocks = {
            modality.name: align(mdata, modality, layout, batch, check=check)
            for modality in layout.modalities
        }
        present = np.stack([block.rows >= 0 for block in self._blocks.values()], axis=1)
        if not allow_empty_cells:
            check_observed(present, self._obs_names, layout.names)
        table = CellTable(
            present=present,
            batch=batch,
            categorical=stack_columns(
                [
                    category_codes(mdata, covariate, "categorical covariate")
                    for covariate in layout.categorical_covariates
                ],
                len(batch),
                np.int64,
            ),
            continuous=stack_columns(
                [
                    covariate.standardise(continuous_values(mdata, covariate.key))
                    for covariate in layout.continuous_covariates
                ],
                len(batch),
                np.float32,
            ),
        )
        super().__init__(layout, table, {name: b.panel for name, b in self._blocks.items()})

    @property
    @override
    def obs_names(self) -> pd.Index:
        """Names of the cells, in the order of ``mdata.obs_names``."""
        return self._obs_names

    @override
    def change(self) -> str | None:
        """Describe how the MuData differs from what was registered; None if it does not.

        Raises
        ------
        DataContractError
            It now breaks a rule.
        """
        return None if self._record is None else find_change(self._record, self._mdata, self.layout)

    @override
    def identity(self) -> CellIdentity:
        if self._record is None:
            return super().identity()
        digests = [self._record.modalities[name].digests for name in self.layout.names]
        return CellIdentity.of(self._obs_names, digests)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Label code of every cell, -1 where it has no registered label.

        Raises
        ------
        ConfigError
            If no labels key was registered.
        """
        if self.layout.labels is None:
            msg = "Labels need a registered column. Received none: give labels_key at set-up."
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
        return self._blocks[name].take(self.positions(cells))

    @property
    def blocks(self) -> Mapping[str, Block]:
        """Modality name -> its values and rows."""
        return self._blocks

    @property
    def nbytes(self) -> int:
        """Size of all values in bytes, as they are held."""
        return sum(block.nbytes for block in self._blocks.values())

    @override
    def _take(self, cells: NDArray[np.int64]) -> Taken:
        return {name: block.take(cells) for name, block in self._blocks.items()}


def find_change(record: DataRecord, mdata: MuData, layout: DataLayout) -> str | None:
    """Describe how a MuData differs from its record; None if it does not.

    Raises
    ------
    DataContractError
        It now breaks a rule.
    """
    change = record.change(mdata, layout)
    if change is not None:
        # If the new values break a rule, that error matters more than the change.
        MosaicStore(mdata, layout)
    return change


def stack_columns(
    columns: Sequence[NDArray[Any]], n_cells: int, dtype: type[np.generic]
) -> NDArray[Any]:
    """Return columns as one array (cell, column); there may be no column."""
    if not columns:
        return np.empty((n_cells, 0), dtype=dtype)
    return np.stack(columns, axis=1).astype(dtype)
