"""UMAP and Leiden clusters of the latents."""

from typing import TYPE_CHECKING

from anndata import AnnData

if TYPE_CHECKING:
    from mudata import MuData

LATENTS, UMAP, CLUSTERS = "X_hzau", "X_hzau_umap", "hzau_cluster"
"""Names of our own: a user's ``obsm["X_umap"]`` and ``obs["leiden"]`` stay as they are."""


def add_clusters(mdata: "MuData", *, n_neighbors: int, resolution: float, seed: int) -> int:
    """Write ``obsm["X_hzau_umap"]`` and ``obs["hzau_cluster"]`` from ``obsm["X_hzau"]``.

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
    from hzau_omics.report import clusters as shared

    cells = AnnData(obs=mdata.obs[[]].copy(), obsm={shared.LATENT: mdata.obsm[LATENTS]})
    shared.add_clusters(cells, n_neighbors=n_neighbors, resolution=resolution, seed=seed)
    mdata.obsm[UMAP] = cells.obsm[shared.UMAP]
    mdata.obs[CLUSTERS] = cells.obs[shared.CLUSTER]
    return int(mdata.obs[CLUSTERS].nunique())
