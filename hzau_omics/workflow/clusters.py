"""UMAP and Leiden clusters of the latents."""

from typing import TYPE_CHECKING

import numpy as np
from anndata import AnnData

if TYPE_CHECKING:
    from mudata import MuData

LATENTS, UMAP, CLUSTERS = "X_hzau", "X_hzau_umap", "hzau_cluster"
"""Names of our own: a user's ``obsm["X_umap"]`` and ``obs["leiden"]`` stay as they are."""


def add_clusters(mdata: "MuData", *, n_neighbors: int, resolution: float, seed: int) -> int:
    """Write ``obsm["X_hzau_umap"]`` and ``obs["hzau_cluster"]`` from ``obsm["X_hzau"]``.

    They are written to the MuData and to each of its modalities.

    Parameters
    ----------
    mdata
        Annotated cells.
    n_neighbors
        Neighbours of a cell; at most all other cells are.
    resolution
        Resolution of the clusters.
    seed
        Seed of both.

    Returns
    -------
    Number of clusters.
    """
    from hzau_omics.data.contract.presence import row_order
    from hzau_omics.report import clusters as shared

    cells = AnnData(obs=mdata.obs[[]].copy(), obsm={shared.LATENT: mdata.obsm[LATENTS]})
    shared.add_clusters(cells, n_neighbors=n_neighbors, resolution=resolution, seed=seed)
    found, names = np.asarray(cells.obsm[shared.UMAP]), cells.obs[shared.CLUSTER]
    mdata.obsm[UMAP], mdata.obs[CLUSTERS] = found, names
    for name, adata in mdata.mod.items():
        rows = row_order(mdata, name)
        adata.obsm[UMAP], adata.obs[CLUSTERS] = found[rows], names.to_numpy()[rows]
        adata.obs[CLUSTERS] = adata.obs[CLUSTERS].astype(names.dtype)
    return int(names.nunique())
