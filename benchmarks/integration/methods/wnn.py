"""Weighted nearest neighbours as muon computes them: neighbours, and no embedding.

RNA and chromatin are reduced to principal components of log-normalised counts, protein to centred
log ratios; each is brought to unit length, as muon advises. The lists have as many neighbours as
the measures ask for, not muon's default.
"""

import muon
import numpy as np
import scanpy as sc
from mudata import MuData

from benchmarks.integration.methods.exchange import PROTEIN, Cells, Embedding
from benchmarks.integration.methods.preprocessing import N_PCS, transformed

PACKAGES = ("muon", "scanpy")
N_NEIGHBOURS = 90


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    """Find neighbours in each modality, and those by both."""
    parts = {m: transformed(cells, m) for m in cells.modalities}
    for m, adata in parts.items():
        x = np.asarray(adata.X) if m == PROTEIN else _components(adata, seed)
        norm = np.linalg.norm(x, axis=1, keepdims=True)
        adata.obsm["X_unit"] = x / np.maximum(norm, 1e-12)
        sc.pp.neighbors(adata, use_rep="X_unit", random_state=seed)
    mdata = MuData(parts)
    muon.pp.neighbors(mdata, n_neighbors=N_NEIGHBOURS, random_state=seed)
    graph = mdata.obsp["distances"].tocsr()
    near = np.zeros((cells.n, N_NEIGHBOURS), dtype=np.int32)
    distances = np.full((cells.n, N_NEIGHBOURS), np.nan, dtype=np.float32)
    for cell in range(cells.n):
        row = slice(graph.indptr[cell], graph.indptr[cell + 1])
        others = graph.indices[row] != cell
        columns, values = graph.indices[row][others], graph.data[row][others]
        order = np.argsort(values, kind="stable")[:N_NEIGHBOURS]
        near[cell, : len(order)] = columns[order]
        distances[cell, : len(order)] = values[order]
    whole = ~np.isnan(distances).any(axis=0)
    back = mdata.obs_names.get_indexer(cells.names)
    to_cells = np.argsort(back)
    return Embedding(
        neighbours=to_cells[near[back]][:, whole],
        distances=distances[back][:, whole],
        info={"neighbours": int(whole.sum())},
    )


def _components(adata: sc.AnnData, seed: int) -> np.ndarray:
    sc.pp.pca(adata, n_comps=min(N_PCS, min(adata.shape) - 1), random_state=seed)
    return np.asarray(adata.obsm["X_pca"])
