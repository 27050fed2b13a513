"""A record of the registered data, by which to tell later whether a MuData has changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.changes.digest import row_digests
from hzau_omics.data.contract.columns.obs import category_codes, continuous_values
from hzau_omics.data.contract.layout import DataLayout, ModalityLayout
from hzau_omics.data.contract.matrix import describe, read_matrix
from hzau_omics.data.contract.panel import read_panels
from hzau_omics.data.contract.presence import ABSENT, row_map
from hzau_omics.messages import listed

type Names = pd.Index[str]


@dataclass(frozen=True, eq=False)
class ModalityRecord:
    """The state of one modality.

    Attributes
    ----------
    var_names
        Its features, in order.
    rows
        Row of every cell of the MuData, -1 where it is absent.
    panels
        Batch -> which features it measured, from ``var``.
    digests
        Digest of the values of every cell, 0 where it is absent.
    """

    var_names: Names
    rows: NDArray[np.int64]
    panels: Mapping[str, NDArray[np.bool_]]
    digests: NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class DataRecord:
    """Everything that a model reads from its training data, as digests.

    Labels are left out: models do not see them, and they may be renamed at any time.

    Attributes
    ----------
    obs_names
        Names of the cells, in order.
    columns
        Registered column of ``obs`` -> the code or number of every cell.
    modalities
        Modality name -> its record.
    """

    obs_names: Names
    columns: Mapping[str, NDArray[Any]]
    modalities: Mapping[str, ModalityRecord]

    @classmethod
    def of(cls, mdata: MuData, layout: DataLayout) -> Self:
        """Record what a MuData holds now; the data stay as they are.

        Raises
        ------
        DataContractError
            The MuData no longer fits the layout.
        """
        return cls(
            obs_names=pd.Index(mdata.obs_names),
            columns=_columns(mdata, layout),
            modalities={m.name: _modality(mdata, m, layout) for m in layout.modalities},
        )

    def change(self, mdata: MuData, layout: DataLayout) -> str | None:
        """Describe what has changed in a MuData since it was recorded; None if nothing has.

        Raises
        ------
        DataContractError
            The data now break a rule, for example by an ``obsmap`` that is out of date.
        """
        # Names first: if cells were reordered, everything else differs too.
        found = _names_change("cells", self.obs_names, pd.Index(mdata.obs_names))
        if found is not None:
            return found
        for modality in layout.modalities:
            if modality.name not in mdata.mod:
                if not len(self.modalities[modality.name].var_names):
                    continue
                return f"modality {modality.name!r} was removed"
            found = _names_change(
                f"features of modality {modality.name!r}",
                self.modalities[modality.name].var_names,
                pd.Index(mdata.mod[modality.name].var_names),
            )
            if found is not None:
                return found
        now = type(self).of(mdata, layout)
        for key, values in self.columns.items():
            if (where := np.flatnonzero(values != now.columns[key])).size:
                return f"column {key!r} of obs differs in {self._cells(where)}"
        for modality in layout.modalities:
            found = self._modality_change(modality, now.modalities[modality.name])
            if found is not None:
                return found
        return None

    def _modality_change(self, modality: ModalityLayout, now: ModalityRecord) -> str | None:
        name, before = modality.name, self.modalities[modality.name]
        if (where := np.flatnonzero((before.rows < 0) != (now.rows < 0))).size:
            return f"modality {name!r} has gained or lost {self._cells(where)}"
        for batch in before.panels.keys() | now.panels.keys():
            if not np.array_equal(before.panels.get(batch, ()), now.panels.get(batch, ())):
                return f"the feature panel of batch {batch!r} in modality {name!r} differs"
        if (where := np.flatnonzero(before.digests != now.digests)).size:
            return f"{describe(name, modality.spec.layer)} differs in {self._cells(where)}"
        return None

    def _cells(self, where: NDArray[np.intp]) -> str:
        return f"{len(where):,} of {len(self.obs_names):,} cells ({listed(self.obs_names[where])})"


def _names_change(what: str, before: Names, now: Names) -> str | None:
    if before.equals(now):
        return None
    if len(before) != len(now):
        return f"there were {len(before):,} {what}, and now there are {len(now):,}"
    first = int(np.flatnonzero(before != now)[0])
    same = before.sort_values().equals(now.sort_values())
    differs = f"the order of {what} differs" if same else f"the names of {what} differ"
    return f"{differs}: number {first} was {before[first]!r}, now {now[first]!r}"


def _columns(mdata: MuData, layout: DataLayout) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {}
    if layout.batch.key is not None:
        columns[layout.batch.key] = category_codes(mdata, layout.batch, "batch key")
    for covariate in layout.categorical_covariates:
        columns[str(covariate.key)] = category_codes(mdata, covariate, "categorical covariate")
    for number in layout.continuous_covariates:
        # A copy: the values may be those of the column itself.
        columns[number.key] = continuous_values(mdata, number.key).copy()
    return columns


def _modality(mdata: MuData, modality: ModalityLayout, layout: DataLayout) -> ModalityRecord:
    if modality.name not in mdata.mod:
        # Cells that a model is attached to, or that are added to it, may lack it.
        absent = np.full(mdata.n_obs, ABSENT, dtype=np.int64)
        return ModalityRecord(
            pd.Index([], dtype="str"), absent, {}, np.zeros(mdata.n_obs, dtype=np.uint64)
        )
    rows = row_map(mdata, modality.name)
    adata = mdata.mod[modality.name]
    panels = {}
    if layout.panel_key is not None:
        found = read_panels(adata, modality.name, layout.panel_key, layout.batch.categories)
        panels = {batch: flags.copy() for batch, flags in found.items()}
    return ModalityRecord(
        pd.Index(adata.var_names), rows, panels, digests_by_cell(adata, rows, modality)
    )


def digests_by_cell(
    adata: AnnData, rows: NDArray[np.int64], modality: ModalityLayout
) -> NDArray[np.uint64]:
    """Return a digest of every cell's registered values, 0 where it lacks the modality.

    The digest does not depend on the order of cells and features.

    Parameters
    ----------
    adata
        The modality.
    rows
        Row of every cell, -1 where it is absent.
    modality
        Its layout.
    """
    codes = pd.Index(modality.var_names).get_indexer(pd.Index(adata.var_names)).astype(np.int64)
    by_row = row_digests(read_matrix(adata, modality.name, modality.spec.layer), codes)
    # 1 is added for each cell that has the modality, since measured zeros are not absence.
    return np.append(by_row + np.uint64(1), np.uint64(0))[rows]
