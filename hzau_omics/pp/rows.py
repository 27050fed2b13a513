"""Dropping rows of zeros that stand for missing measurements, which makes the data a mosaic."""

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
from mudata import MuData

from hzau_omics.data.contract.matrix import describe, read_matrix
from hzau_omics.data.contract.presence import ABSENT, check_container, get_modality, row_map
from hzau_omics.data.pitfalls.detection import depths
from hzau_omics.errors import DataContractError, HzauWarning
from hzau_omics.messages import listed
from hzau_omics.pp.rebuild import rebuild


def drop_empty_rows(
    mdata: MuData,
    modality: str,
    *,
    layer: str | None = None,
    cells: Iterable[str] | None = None,
) -> MuData:
    """Drop the rows of a modality that are 0 throughout: cells in which it was not measured.

    In the result these cells lack the modality, as models expect it. All else is as in `mdata`,
    which is not changed.

    Parameters
    ----------
    mdata
        The data.
    modality
        The modality whose rows may be dropped.
    layer
        Layer whose values are checked; None for ``X``.
    cells
        Names of the cells whose rows may be dropped; None for all.

    Returns
    -------
    mudata.MuData
        A copy. Cells that are left without any modality are dropped; a warning counts them.

    Raises
    ------
    TypeError
        If `mdata` is not a MuData.
    DataContractError
        If there is no such modality, layer or cell, ``obsmap`` is out of date, or every row is 0.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> mdata = ho.data.simulate(60)
    >>> mdata["adt"].X[:20] = 0
    >>> drop_empty_rows(mdata, "adt")["adt"].n_obs
    40
    """
    check_container(mdata)
    adata = get_modality(mdata, modality)
    rows = {name: row_map(mdata, name) for name in mdata.mod}
    empty = depths(read_matrix(adata, modality, layer)) == 0
    if cells is not None:
        empty &= adata.obs_names.isin(_check_cells(mdata, cells))
    if empty.all():
        msg = (
            f"At least one row must remain. {describe(modality, layer)} is 0 in every row: remove "
            f"the modality, del mdata.mod[{modality!r}]; mdata.update()."
        )
        raise DataContractError(msg)
    mod = {name: other.copy() for name, other in mdata.mod.items() if name != modality}
    mod = {name: adata[~empty].copy() if name == modality else mod[name] for name in mdata.mod}
    present = {name: row != ABSENT for name, row in rows.items()}
    # The last entry is for cells without the modality, whose row is -1.
    present[modality] = np.append(~empty, False)[rows[modality]]
    kept = np.any(list(present.values()), axis=0)
    if not kept.all():
        warnings.warn(
            f"{int((~kept).sum()):,} cells have no modality other than {modality!r}, where their "
            f"rows are 0, and are dropped: {listed(mdata.obs_names[~kept])}.",
            HzauWarning,
            stacklevel=2,
        )
    return rebuild(mdata, mod, np.flatnonzero(kept))


def _check_cells(mdata: MuData, cells: Iterable[str]) -> "pd.Index[str]":
    names = pd.Index([cells] if isinstance(cells, str) else list(cells))
    unknown = names[~names.isin(mdata.obs_names)]
    if len(unknown):
        msg = (
            f"cells must be names of cells of the MuData. Received {len(unknown)} unknown names: "
            f"{listed(unknown)}. Take them from mdata.obs_names."
        )
        raise DataContractError(msg)
    return names
