"""Values of one modality as a store holds them: checked, with the features of all pieces."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.data.contract.matrix import Dense, select_features, to_float32, to_rows
from hzau_omics.data.contract.register import Registered
from hzau_omics.data.contract.values.check import check_matrix
from hzau_omics.data.stores.disk.sources import Source
from hzau_omics.errors import DataContractError


class StoredValues:
    """The values of a registered modality, as a store holds them.

    Parameters
    ----------
    source
        Cells that are written.
    registered
        What is registered of them.
    known
        The modality, with its features in the order of the store.
    """

    def __init__(self, source: Source, registered: Registered, known: ModalityLayout) -> None:
        self._source = source
        self._own = registered.layout.modality(known.name)
        self._batch = registered.layout.batch
        self._rows = registered.rows[known.name]
        self._row_batch = registered.row_batch(known.name)
        found = pd.Index(self._own.var_names).get_indexer(pd.Index(known.var_names))
        self._columns = np.asarray(found, dtype=np.int64)
        self._reader = source.values(known.name, known.spec.layer)

    @property
    def is_dense(self) -> bool:
        """Whether the source stores every value."""
        return self._reader.is_dense

    def take(self, cells: NDArray[np.int64]) -> sp.csr_array:
        """Return float32 values of some cells, zeros where they lack the modality.

        Raises
        ------
        DataContractError
            A value is outside the domain of the likelihood.
        """
        rows = self._rows[cells]
        present = np.flatnonzero(rows >= 0)
        order = present[np.argsort(rows[present])]
        ascending = rows[order]
        blocks, done = [], 0
        for block in self._reader.blocks(ascending):
            blocks.append(self._stored(block, ascending[done : done + block.shape[0]]))
            done += block.shape[0]
        # Cells that lack the modality take an extra last row, which is empty.
        blocks.append(sp.csr_array((1, len(self._columns)), dtype=np.float32))
        place = np.full(len(cells), done, dtype=np.int64)
        place[order] = np.arange(done)
        return sp.csr_array(sp.vstack(blocks, format="csr"))[place]

    def _stored(self, block: sp.csr_array | Dense, rows: NDArray[np.int64]) -> sp.csr_array:
        self._check(block, rows)
        values = to_float32(
            select_features(to_rows(block), self._columns), binarize=self._own.spec.binarize
        )
        found = sp.csr_array(values)
        if (found.data == 0).any():
            # Stored zeros are dropped, so that equal values give equal stores.
            found = found.copy()
            found.eliminate_zeros()
        return found

    def _check(self, block: sp.csr_array | Dense, rows: NDArray[np.int64]) -> None:
        name, mdata = self._own.name, self._source.mdata
        try:
            self._check_as(block, _names(mdata, name, rows), rows)
        except DataContractError as error:
            # Check again with all layers, so that the message can name one that holds counts.
            try:
                whole = self._source.in_full(name, rows)
            except DataContractError:
                raise error from None
            self._check_as(block, whole, rows)

    def _check_as(
        self, block: sp.csr_array | Dense, adata: AnnData, rows: NDArray[np.int64]
    ) -> None:
        check_matrix(block, adata, self._own, self._batch, self._row_batch[rows])


def _names(mdata: MuData, name: str, rows: NDArray[np.int64]) -> AnnData:
    return AnnData(obs=pd.DataFrame(index=mdata.mod[name].obs_names[rows]))
