"""Advice on features: the most variable genes, or the peaks that are open most often."""

from copy import deepcopy
from typing import Any, Literal

import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse as sp
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.checks import check_choice, check_integer
from hzau_omics.data.contract.columns.obs import categorical_layout, category_codes
from hzau_omics.data.contract.layout import NO_BATCH
from hzau_omics.data.contract.matrix import chunks, describe, read_matrix, to_rows
from hzau_omics.data.contract.presence import check_container, get_modality, row_order
from hzau_omics.data.reading.feature_types import is_peak
from hzau_omics.errors import DataContractError
from hzau_omics.pp.rebuild import rebuild

UNS_KEY = "hzau_features"
"""Key of ``uns`` with the names that were chosen, by modality."""

type Method = Literal["variable", "open"]


def select_features(
    mdata: MuData,
    modality: str = "rna",
    *,
    n_top: int = 4000,
    batch_key: str | None = None,
    layer: str | None = None,
    method: Method | None = None,
) -> MuData:
    """Keep the most variable features of a modality, or those that are open most often.

    Variable features are found by scanpy (``flavor="seurat"``), on normalised logarithms of the
    counts; the counts stay as they are. With batches, features are ranked within each, and those
    come first that vary in most batches. Peaks are ranked by the share of cells in which they are
    open, as a mean over batches.

    Parameters
    ----------
    mdata
        The data, with raw counts; not changed.
    modality
        The modality. All features of the others are kept.
    n_top
        Number of features to keep.
    batch_key
        Column of ``obs`` with the batches; None for one batch.
    layer
        Layer with the counts; None for ``X``.
    method
        ``"variable"`` or ``"open"``; None for ``"open"`` if the features are peaks (by the names of
        most, such as ``chr1:100-200``), else ``"variable"``.

    Returns
    -------
    mudata.MuData
        A copy with the chosen features, in the order that they had. Their names are also in
        ``uns["hzau_features"][modality]``. New cells need no selection: models take features by
        name, and leave out those that they do not know.

    Raises
    ------
    TypeError
        If `mdata` is not a MuData.
    ConfigError
        If `n_top` is not a number of features that there are, or `method` is unknown.
    DataContractError
        If there is no such modality, layer or column, or values are not counts.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> mdata = ho.data.simulate(200, n_batches=2)
    >>> small = select_features(mdata, "rna", n_top=20, batch_key="batch")
    >>> mdata["rna"].n_vars > 20, small["rna"].n_vars, small.n_obs
    (True, 20, 200)
    """
    check_container(mdata)
    adata = get_modality(mdata, modality)
    order = row_order(mdata, modality)
    remedy = f"Modality {modality!r} has {adata.n_vars} features: leave the selection out."
    n_top = check_integer("n_top", n_top, most=adata.n_vars, remedy=remedy)
    peaks = np.mean([is_peak(str(name)) for name in adata.var_names]) > 0.5
    chosen = check_choice(
        "method", method or ("open" if peaks else "variable"), ("variable", "open")
    )
    counts = _counts(adata, modality, layer)
    batch = NO_BATCH if batch_key is None else categorical_layout(mdata, batch_key, "batch key")
    codes = category_codes(mdata, batch, "batch key")[order]
    best = _open(counts, codes, n_top) if chosen == "open" else _variable(counts, codes, n_top)
    mod = {
        name: (other[:, best] if name == modality else other).copy()
        for name, other in mdata.mod.items()
    }
    own = np.asarray(mdata.varmap[modality]).ravel().astype(np.int64) - 1
    kept = np.flatnonzero((own < 0) | best[own])
    new = rebuild(mdata, mod, np.arange(mdata.n_obs), kept)
    earlier: Any = new.uns.get(UNS_KEY)
    names = {modality: np.asarray(mod[modality].var_names, dtype=object)}
    new.uns[UNS_KEY] = {**(deepcopy(dict(earlier)) if earlier else {}), **names}
    return new


def _counts(adata: AnnData, modality: str, layer: str | None) -> sp.csr_matrix:
    """Return the counts by rows, as a copy.

    Raises
    ------
    DataContractError
        If a value is negative or a fraction.
    """
    matrix = read_matrix(adata, modality, layer)
    for chunk in chunks(matrix):
        wrong = (chunk.values < 0) | (chunk.values != np.floor(chunk.values))
        if wrong.any():
            msg = (
                f"Features are chosen by raw counts. {describe(modality, layer)} has "
                f"{chunk.values[wrong][0]}: name the layer with counts, layer='counts'."
            )
            raise DataContractError(msg)
    # Scanpy 1.11 does not take sparse arrays everywhere.
    return sp.csr_matrix(to_rows(matrix), dtype=np.float32, copy=True)


def _variable(counts: sp.csr_matrix, codes: NDArray[np.int64], n_top: int) -> NDArray[np.bool_]:
    """Return which features vary most (feature)."""
    cells = pd.RangeIndex(len(codes)).astype(str)
    own = AnnData(counts, obs=pd.DataFrame({"batch": pd.Categorical(codes.astype(str))}, cells))
    sc.pp.normalize_total(own, target_sum=1e4)
    sc.pp.log1p(own)
    several = "batch" if len(np.unique(codes)) > 1 else None
    found = sc.pp.highly_variable_genes(
        own, n_top_genes=n_top, batch_key=several, flavor="seurat", inplace=False
    )
    # Scanpy takes more where features tie, and fewer where some have no rank.
    rank = found["dispersions_norm"].to_numpy(dtype=np.float64)
    marked = found["highly_variable"].to_numpy(dtype=bool)
    first = np.lexsort((-np.nan_to_num(rank, nan=-np.inf), ~marked))[:n_top]
    return np.isin(np.arange(len(marked)), first)


def _open(counts: sp.csr_matrix, codes: NDArray[np.int64], n_top: int) -> NDArray[np.bool_]:
    """Return which features are open in the largest share of cells (feature)."""
    shares = [
        np.asarray((counts[codes == code] > 0).mean(axis=0)).ravel() for code in np.unique(codes)
    ]
    first = np.argsort(-np.mean(shares, axis=0), kind="stable")[:n_top]
    return np.isin(np.arange(counts.shape[1]), first)
