"""A new MuData from changed modalities, with all global annotations of the old one."""

import warnings
from collections.abc import Mapping
from copy import deepcopy

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray


def rebuild(
    mdata: MuData,
    mod: Mapping[str, AnnData],
    cells: NDArray[np.int64],
    features: NDArray[np.int64] | None = None,
) -> MuData:
    """Return a MuData of changed modalities, with cells in the order of the old one.

    MuData itself would reorder the cells of a mosaic and change dtypes of columns; here both are
    kept. `mdata` is not changed, and shares no memory with the result.

    Parameters
    ----------
    mdata
        The data.
    mod
        Modalities of the new MuData.
    cells
        Positions of its cells in `mdata`, in their new order.
    features
        Positions of its features in ``mdata.var``, in the order of modalities; None for all.
    """
    with warnings.catch_warnings():
        # The same name in two modalities is normal here: a gene and its protein.
        warnings.filterwarnings("ignore", message="var_names are not unique")
        new = MuData(dict(mod), obs=pd.DataFrame(index=mdata.obs_names[cells]))
    new.obs = mdata.obs.iloc[cells].copy()
    kept = np.arange(mdata.n_vars) if features is None else features
    new.var = mdata.var.iloc[kept].copy()
    for key, values in mdata.obsm.items():
        if key not in mdata.mod:
            new.obsm[key] = (
                values.iloc[cells] if isinstance(values, pd.DataFrame) else values[cells]
            )
    for key, graph in mdata.obsp.items():
        new.obsp[key] = graph[cells][:, cells]
    for key, values in mdata.varm.items():
        if key not in mdata.mod:
            new.varm[key] = values.iloc[kept] if isinstance(values, pd.DataFrame) else values[kept]
    for key, graph in mdata.varp.items():
        if key not in mdata.mod:
            new.varp[key] = graph[kept][:, kept]
    new.uns = deepcopy(dict(mdata.uns))
    return new
