"""Annotations of cells as plain tables."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hzau_omics.workflow.clusters import LATENTS, UMAP

if TYPE_CHECKING:
    from mudata import MuData


def cells_table(mdata: "MuData") -> pd.DataFrame:
    """Return all annotations of the cells but the latents: one row per cell.

    Columns are those of ``obs``, and of each table in ``obsm`` with its name as a prefix, such as
    ``hzau_gate_rna``, ``X_umap_1`` and ``X_umap_2``.

    Examples
    --------
    >>> import anndata, mudata
    >>> mdata = mudata.MuData({"rna": anndata.AnnData(np.ones((2, 1), dtype="float32"))})
    >>> mdata.obsm["X_umap"] = np.zeros((2, 2))
    >>> list(cells_table(mdata).columns)
    ['X_umap_1', 'X_umap_2']
    """
    parts: list[pd.DataFrame] = [mdata.obs]
    parts += [
        _table(mdata, key, value)
        for key, value in mdata.obsm.items()
        if key == UMAP or (isinstance(value, pd.DataFrame) and key not in mdata.mod)
    ]
    return pd.concat(parts, axis=1).rename_axis(index="cell")


def latents_table(mdata: "MuData") -> pd.DataFrame:
    """Return the latents: one row per cell, one column per latent."""
    return _table(mdata, LATENTS, mdata.obsm[LATENTS]).rename_axis(index="cell")


def _table(mdata: "MuData", key: str, value: Any) -> pd.DataFrame:
    names = getattr(value, "columns", range(1, np.shape(value)[1] + 1))
    columns = [f"{key}_{name}" for name in names]
    return pd.DataFrame(np.asarray(value), index=mdata.obs_names, columns=columns)
