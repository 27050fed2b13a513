"""Annotations of cells as plain tables."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hzau_omics.data.reading.tables import with_flags
from hzau_omics.workflow.clusters import LATENTS, UMAP

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData


def cells_table(mdata: "MuData") -> pd.DataFrame:
    """Return all annotations of the cells but the latents: one row per cell.

    Columns are those of ``obs``; those of the ``obs`` of modalities, with the name of the modality
    in front where modalities disagree (``rna:total``); and those of each table in ``obsm`` with its
    name in front, such as ``hzau_gate_rna``, ``X_hzau_umap_1`` and ``X_hzau_umap_2``.

    Examples
    --------
    >>> import anndata, mudata
    >>> mdata = mudata.MuData({"rna": anndata.AnnData(np.ones((2, 1), dtype="float32"))})
    >>> mdata.obsm["X_hzau_umap"] = np.zeros((2, 2))
    >>> list(cells_table(mdata).columns)
    ['X_hzau_umap_1', 'X_hzau_umap_2']
    """
    parts: list[pd.DataFrame] = [mdata.obs, columns_of_modalities(mdata)]
    parts += [
        _table(mdata, key, value)
        for key, value in mdata.obsm.items()
        if key == UMAP or (isinstance(value, pd.DataFrame) and key not in mdata.mod)
    ]
    return pd.concat(parts, axis=1).rename_axis(index="cell")


def latents_table(mdata: "MuData") -> pd.DataFrame:
    """Return the latents: one row per cell, one column per latent."""
    return _table(mdata, LATENTS, mdata.obsm[LATENTS]).rename_axis(index="cell")


def columns_of_modalities(mdata: "MuData") -> pd.DataFrame:
    """Return the columns of the modalities' ``obs`` that ``obs`` of the MuData lacks.

    A column that several modalities have is one column where they agree, and otherwise several,
    with the name of the modality in front. All have types that files can hold.
    """
    found: dict[str, dict[str, pd.Series]] = {}
    for name, adata in mdata.mod.items():
        for column in adata.obs.columns:
            # MuData itself may hold a copy under the name of the modality.
            if column not in mdata.obs and f"{name}:{column}" not in mdata.obs:
                values = adata.obs[column].astype(object).reindex(mdata.obs_names)
                found.setdefault(str(column), {})[name] = values
    columns: dict[str, pd.Series] = {}
    for column, by_modality in found.items():
        first, *others = by_modality.values()
        if all(_agree(first, other) for other in others):
            for other in others:
                first = first.where(first.notna(), other)
            columns[column] = first
        else:
            columns |= {f"{name}:{column}": values for name, values in by_modality.items()}
    return with_flags(pd.DataFrame(columns, index=mdata.obs_names).infer_objects())


def add_columns(adata: "AnnData", mdata: "MuData") -> None:
    """Add the columns of ``obs`` that the cells have in a MuData or in one of its modalities.

    Columns that are there already stay as they are.
    """
    found = pd.concat([mdata.obs, columns_of_modalities(mdata)], axis=1)
    more = [column for column in found.columns if column not in adata.obs]
    adata.obs = pd.concat([adata.obs, found[more].reindex(adata.obs_names)], axis=1)


def _agree(one: pd.Series, other: pd.Series) -> bool:
    both = (one.notna() & other.notna()).to_numpy()
    return bool((one[both].astype(str) == other[both].astype(str)).all())


def _table(mdata: "MuData", key: str, value: Any) -> pd.DataFrame:
    names = getattr(value, "columns", range(1, np.shape(value)[1] + 1))
    columns = [f"{key}_{name}" for name in names]
    return pd.DataFrame(np.asarray(value), index=mdata.obs_names, columns=columns)
