"""One modality of a MuData aligned to the registered features, for training and held-out cells."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.layout import DataLayout, ModalityLayout
from hzau_omics.data.contract.matrix import Dense, read_matrix, select_features, to_float32, to_rows
from hzau_omics.data.contract.new_batches import new_batches, panel_of_new
from hzau_omics.data.contract.panel import (
    check_not_empty,
    panel_column,
    read_panels,
    update_panel,
)
from hzau_omics.data.contract.presence import ABSENT, check_unique, row_map
from hzau_omics.data.contract.values.check import check_matrix
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed


@dataclass(frozen=True)
class Block:
    """Values of one modality, addressed by cell of the MuData.

    Attributes
    ----------
    matrix
        Float32 values (row of the modality, registered feature).
    rows
        Row of every cell of the MuData, -1 where the cell lacks the modality.
    panel
        Boolean array (batch, registered feature), or None without a feature panel.
    """

    matrix: sp.csr_array | Dense
    rows: NDArray[np.int64]
    panel: NDArray[np.bool_] | None

    def take(self, cells: NDArray[np.int64]) -> sp.csr_array | Dense:
        """Return the values of some cells, in the order given; zeros where a cell has none."""
        rows = self.rows[cells]
        present = rows != ABSENT
        if present.all():
            return self.matrix[rows]
        shape = (len(cells), self.matrix.shape[1])
        measured = self.matrix[rows[present]]
        if isinstance(measured, np.ndarray):
            values = np.zeros(shape, dtype=measured.dtype)
            values[present] = measured
            return values
        # Number of entries of each cell, after a 0 from which their sums give indptr.
        n_entries = np.zeros(len(cells) + 1, dtype=measured.indptr.dtype)
        n_entries[1:][present] = np.diff(measured.indptr)
        return sp.csr_array((measured.data, measured.indices, np.cumsum(n_entries)), shape=shape)

    @property
    def nbytes(self) -> int:
        """Size of the values in bytes."""
        if isinstance(self.matrix, np.ndarray):
            return int(self.matrix.nbytes)
        parts = (self.matrix.data, self.matrix.indices, self.matrix.indptr)
        return sum(int(part.nbytes) for part in parts)

    def totals(self) -> NDArray[np.float64]:
        """Return the sum of every cell's values, NaN where it lacks the modality."""
        sums = np.asarray(self.matrix.sum(axis=1, dtype=np.dtype(np.float64))).reshape(-1)
        return np.append(sums, np.nan)[self.rows]


def align(
    mdata: MuData,
    modality: ModalityLayout,
    layout: DataLayout,
    batch: NDArray[np.int64],
    *,
    check: bool,
) -> Block:
    """Align one modality to its registered features, which are matched by name.

    Parameters
    ----------
    mdata
        Training or held-out cells; not changed. The modality may be missing.
    modality
        The registered modality.
    layout
        The layout that it belongs to.
    batch
        Batch code of every cell.
    check
        Whether to check every value.

    Raises
    ------
    DataContractError
        If features are missing, values are not allowed, or panels contradict the data.
    """
    name = modality.name
    if name not in mdata.mod or mdata.mod[name].n_obs == 0:
        empty = sp.csr_array((0, modality.n_features), dtype=np.float32)
        return Block(empty, np.full(mdata.n_obs, ABSENT, dtype=np.int64), modality.panel)
    rows = row_map(mdata, name)
    adata = mdata.mod[name]
    source = match_features(adata, modality)
    present = rows != ABSENT
    row_batch = np.empty(adata.n_obs, dtype=np.int64)
    row_batch[rows[present]] = batch[present]
    own = {}
    if layout.panel_key is not None:
        own = read_panels(adata, name, layout.panel_key, layout.batch.categories)
    panel = update_panel(modality, layout.batch, own, source)
    new = new_batches(modality, row_batch)
    panel = panel_of_new(modality, layout.batch, new, source, panel)
    _check_missing(modality, layout, source, panel, row_batch)
    values = to_rows(read_matrix(adata, name, modality.spec.layer))
    values = select_features(values, source)
    if panel is not None:
        measured = np.bincount(row_batch, minlength=layout.n_batches) > 0
        check_not_empty(panel, name, str(layout.panel_key), layout.batch, measured)
    if check:
        check_matrix(values, adata, replace(modality, panel=panel), layout.batch, row_batch)
    return Block(to_float32(values, binarize=modality.spec.binarize), rows, panel)


def match_features(adata: AnnData, modality: ModalityLayout) -> NDArray[np.int64]:
    """Find the column of every registered feature by its name, -1 where it is missing.

    Raises
    ------
    DataContractError
        If names of features repeat.
    """
    check_unique(
        adata.var_names, "feature", f"modality {modality.name!r}", "call var_names_make_unique()"
    )
    columns = pd.Index(adata.var_names).get_indexer(pd.Index(modality.var_names))
    return np.asarray(columns, dtype=np.int64)


def _check_missing(
    modality: ModalityLayout,
    layout: DataLayout,
    source: NDArray[np.int64],
    panel: NDArray[np.bool_] | None,
    row_batch: NDArray[np.int64],
) -> None:
    missing = source < 0
    codes = np.unique(row_batch)
    measured = np.ones((len(codes), len(missing)), dtype=bool) if panel is None else panel[codes]
    # A feature that none of these batches measured may be missing.
    needed = missing & measured.any(axis=0)
    if needed.any():
        names = np.asarray(modality.var_names, dtype=object)[needed]
        msg = (
            f"Modality {modality.name!r} lacks {len(names)} of {modality.n_features} registered "
            f"features: {listed(names)}. Features are matched by name: check that the names are "
            "of the same kind (symbols or ids). If these were not measured, "
        )
        claiming = codes[measured[:, needed].any(axis=1)]
        batches = [layout.batch.categories[code] for code in claiming]
        raise DataContractError(msg + _unmeasured_remedy(modality.name, layout, batches))


def _unmeasured_remedy(name: str, layout: DataLayout, batches: list[str]) -> str:
    """Say what to do about features that were not measured."""
    leave_out = f"leave the modality out: del mdata.mod[{name!r}]; mdata.update()"
    if layout.panel_key is None:
        return (
            f"{leave_out}. Zeros in their place would count as measured. To use the other "
            "features of these cells, set up and train the model with panel_key."
        )
    columns = listed(panel_column(layout.panel_key, batch) for batch in batches)
    return (
        "add them with zeros, and mark them as unmeasured: False in the boolean columns "
        f"{columns} of mdata[{name!r}].var. Or {leave_out}."
    )
