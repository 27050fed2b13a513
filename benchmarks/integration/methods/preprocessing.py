"""What the methods that take no counts are given, in the way their authors show."""

import numpy as np
import pandas as pd
from anndata import AnnData

from benchmarks.integration.methods.exchange import CHROMATIN, PROTEIN, RNA, Cells

N_HIGHLY_VARIABLE, N_PCS = 2_000, 50


def modality_data(cells: Cells, modality: str) -> AnnData:
    """Return the counts of the cells that have a modality, batch in ``obs``."""
    rows = cells.rows(modality)
    return AnnData(
        cells.counts[modality][rows].astype(np.float32),
        obs=pd.DataFrame({"batch": cells.batch[rows]}, index=cells.names[rows]),
        var=pd.DataFrame(index=cells.features[modality]),
    )


def log_normalised(cells: Cells) -> AnnData:
    """Return log-normalised RNA of the cells that have it."""
    import scanpy as sc

    adata = modality_data(cells, RNA)
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    return adata


def rna_components(cells: Cells, seed: int) -> np.ndarray:
    """Return principal components of log-normalised RNA of all cells (cell, component)."""
    import scanpy as sc

    adata = log_normalised(cells)
    sc.pp.pca(adata, n_comps=min(N_PCS, min(adata.shape) - 1), random_state=seed)
    return np.asarray(adata.obsm["X_pca"])


def transformed(cells: Cells, modality: str) -> AnnData:
    """Return one modality as methods without a likelihood of counts take it.

    RNA and chromatin are log-normalised and cut to highly variable features; protein becomes
    centred log ratios over the features that a cell's batch measured, 0 for the others.
    """
    import scanpy as sc

    adata = modality_data(cells, modality)
    if modality == PROTEIN:
        adata.X = centred_log_ratios(cells)
        return adata
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    if modality in (RNA, CHROMATIN) and adata.n_vars > N_HIGHLY_VARIABLE:
        sc.pp.highly_variable_genes(adata, n_top_genes=N_HIGHLY_VARIABLE)
        adata = adata[:, adata.var["highly_variable"]].copy()
    return adata


def centred_log_ratios(cells: Cells) -> np.ndarray:
    """Return log1p of protein counts less its mean over a cell's measured proteins."""
    rows = cells.rows(PROTEIN)
    x = np.log1p(cells.counts[PROTEIN][rows].toarray())
    there = cells.measured[PROTEIN][np.searchsorted(cells.batches, cells.batch[rows])]
    mean = (x * there).sum(axis=1, keepdims=True) / there.sum(axis=1, keepdims=True)
    return np.where(there, x - mean, 0.0).astype(np.float32)
