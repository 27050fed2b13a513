"""Rows of zeros that stand for no measurement: left out, so that the data become a mosaic."""

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
from mudata import MuData

from hzau_omics.data.contract.matrix import describe, read_matrix
from hzau_omics.data.contract.presence import check_container, get_modality, row_map
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
    """Leave out the rows of a modality that are 0 throughout: cells in which it was not measured.

    The result is a mosaic, as the models want it; its other modalities, and all that it has beside
    them, are those of `mdata`, which stays as it is.

    Parameters
    ----------
    mdata
        The data.
    modality
        The modality whose rows may be left out.
    layer
        Layer whose values count; None for ``X``.
    cells
        Names of the cells whose rows may be left out; None for all.

    Returns
    -------
    mudata.MuData
        A copy. Cells that would have no modality at all are not in it; a warning counts them.

    Raises
    ------
    TypeError
        If `mdata` is no MuData.
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
        empty &= adata.obs_names.isin(_known(mdata, cells))
    if empty.all():
        msg = (
            f"{describe(modality, layer)} is 0 in every row, so that none would be left. Remove "
            f"the modality: del mdata.mod[{modality!r}]; mdata.update()."
        )
        raise DataContractError(msg)
    mod = {name: other.copy() for name, other in mdata.mod.items() if name != modality}
    mod = {name: adata[~empty].copy() if name == modality else mod[name] for name in mdata.mod}
    own = rows[modality]
    has = {name: row >= 0 for name, row in rows.items()}
    has[modality] = np.append(~empty, False)[own]
    kept = np.any(list(has.values()), axis=0)
    if not kept.all():
        warnings.warn(
            f"{int((~kept).sum()):,} cells have nothing but rows of zeros in {modality!r}, and are "
            f"left out altogether: {listed(mdata.obs_names[~kept])}.",
            HzauWarning,
            stacklevel=2,
        )
    return rebuild(mdata, mod, np.flatnonzero(kept))


def _known(mdata: MuData, cells: Iterable[str]) -> "pd.Index[str]":
    names = pd.Index([cells] if isinstance(cells, str) else list(cells))
    unknown = names[~names.isin(mdata.obs_names)]
    if len(unknown):
        msg = (
            f"cells holds names of cells. Received {len(unknown)} that the MuData does not have: "
            f"{listed(unknown)}. Take them from mdata.obs_names."
        )
        raise DataContractError(msg)
    return names
