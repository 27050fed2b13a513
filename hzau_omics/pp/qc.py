"""Quality of cells: counts, features, mitochondrial genes and isotype controls."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.checks import check_choice
from hzau_omics.data.contract.columns.obs import categorical_layout, category_codes
from hzau_omics.data.contract.layout import NO_BATCH
from hzau_omics.data.contract.matrix import read_matrix, to_rows
from hzau_omics.data.contract.presence import check_container, row_order
from hzau_omics.data.reading.feature_types import ISOTYPE, is_isotype, is_protein
from hzau_omics.errors import DataContractError
from hzau_omics.pp.measures import DETECTED, TOTAL, cell_measures, mitochondrial, percent

MEASURES = [TOTAL, DETECTED, percent("mitochondrial"), percent("isotype")]
"""Columns with measures."""


def qc(
    mdata: MuData,
    *,
    per: Literal["cell", "batch"] = "cell",
    batch_key: str | None = None,
    layers: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return the usual measures of quality, for each cell or as medians of batches.

    Nothing is filtered: look at the table, choose thresholds, and filter before set-up. Modalities
    with negative values, such as embeddings, are left out.

    Parameters
    ----------
    mdata
        The data, with raw counts; not changed.
    per
        ``"cell"`` for one row per cell and modality, ``"batch"`` for medians.
    batch_key
        Column of ``obs`` with the batches; None for one batch, ``"all"``.
    layers
        Modality -> layer with the counts; ``X`` for modalities that are not named.

    Returns
    -------
    pandas.DataFrame
        Index ``cell`` and ``modality``, or ``batch`` and ``modality``. Columns: ``batch`` (of
        cells) or ``n_cells`` (of batches), ``total`` (sum of counts), ``n_features`` (above 0),
        ``percent_mitochondrial`` (0 to 100, of genes named ``MT-``, ``mt-`` or ``Mt-``; NaN if
        there are none) and ``percent_isotype`` (0 to 100, of isotype controls in protein, marked in
        ``var["isotype_control"]`` or known by name; NaN if there are none). A share of no counts at
        all is NaN.

    Raises
    ------
    TypeError
        If `mdata` is not a MuData.
    ConfigError
        If `per` is unknown.
    DataContractError
        If there is no such layer or column, or no modality has counts.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> mdata = ho.data.simulate(100, n_batches=2)
    >>> cells = qc(mdata).xs("rna", level="modality")
    >>> bool((cells["total"] == mdata["rna"].X.toarray().sum(axis=1)).all())
    True
    >>> qc(mdata, per="batch", batch_key="batch")["n_cells"].tolist()
    [49, 49, 51, 51]
    """
    check_container(mdata)
    check_choice("per", per, ("cell", "batch"))
    batch = NO_BATCH if batch_key is None else categorical_layout(mdata, batch_key, "batch key")
    codes = category_codes(mdata, batch, "batch key")
    labels = list(batch.categories) if batch_key is not None else ["all"]
    tables = []
    for name, adata in mdata.mod.items():
        measures = _measures(adata, name, (layers or {}).get(name))
        if measures is not None:
            own = pd.Categorical.from_codes(codes[row_order(mdata, name)], pd.Index(labels))
            measures.insert(0, "batch", pd.Series(own, index=measures.index))
            tables.append(measures.assign(modality=name))
    if not tables:
        msg = (
            "At least one modality must hold counts. Received negative values in all of them. Name "
            "the layers with counts: layers={'rna': 'counts'}."
        )
        raise DataContractError(msg)
    table = pd.concat(tables).rename_axis("cell").set_index("modality", append=True)
    if per == "cell":
        return table
    groups = table.reset_index("modality").groupby(["batch", "modality"], observed=True, sort=False)
    summary = groups[MEASURES].median()
    summary.insert(0, "n_cells", groups.size())
    ordered = [(label, name) for label in labels for name in mdata.mod]
    return summary.loc[[key for key in ordered if key in summary.index]]


def _measures(adata: AnnData, name: str, layer: str | None) -> pd.DataFrame | None:
    """Return the measures of every cell (cell, measure); None if values are negative."""
    rows = to_rows(read_matrix(adata, name, layer))
    stored: Any = rows.data if sp.issparse(rows) else rows
    if stored.size and stored.min() < 0:
        return None
    marks = {"mitochondrial": mitochondrial(adata.var_names), "isotype": _isotypes(adata, name)}
    return cell_measures(rows, marks, adata.obs_names)


def _isotypes(adata: AnnData, name: str) -> NDArray[np.bool_]:
    if not is_protein(adata, name):
        return np.zeros(adata.n_vars, dtype=bool)
    if ISOTYPE not in adata.var:
        return np.array([is_isotype(str(one)) for one in adata.var_names], dtype=bool)
    # A missing flag is no control.
    flags = adata.var[ISOTYPE].astype(object).eq(True)  # noqa: FBT003 - as numbers too
    return np.asarray(flags, dtype=bool)
