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
    import scanpy as sc

    cells = AnnData(obs=mdata.obs[[]].copy(), obsm={LATENTS: mdata.obsm[LATENTS]})
    n_neighbors = min(n_neighbors, cells.n_obs - 1)
    sc.pp.neighbors(cells, n_neighbors=n_neighbors, use_rep=LATENTS, random_state=seed)
    sc.tl.umap(cells, random_state=seed)
    sc.tl.leiden(
        cells,
        resolution=resolution,
        key_added=CLUSTERS,
        random_state=seed,
        flavor="igraph",
        n_iterations=2,
        directed=False,
    )
    mdata.obsm[UMAP] = cells.obsm["X_umap"]
    mdata.obs[CLUSTERS] = cells.obs[CLUSTERS]
    return int(cells.obs[CLUSTERS].nunique())
