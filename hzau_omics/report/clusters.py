"""Neighbours, UMAP and Leiden clusters of latents, alike in reports and in runs."""

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anndata import AnnData

LATENT, UMAP, CLUSTER = "latent", "X_umap", "cluster"
NEIGHBOURS = 15
MOST_EXACT = 50_000
"""Cells up to which neighbours are exact; searching all pairs takes long beyond."""


def add_clusters(
    cells: "AnnData",
    *,
    n_neighbors: int = NEIGHBOURS,
    resolution: float = 1.0,
    seed: int = 0,
    umap: bool = True,
    clusters: bool = True,
) -> None:
    """Write ``obsm["X_umap"]`` and ``obs["cluster"]`` from ``obsm["latent"]``.

    Parameters
    ----------
    cells
        Cells with their latents; the graph of neighbours is added too.
    n_neighbors
        Neighbours of a cell; at most all other cells are.
    resolution
        Resolution of the clusters.
    seed
        Seed of both.
    umap, clusters
        What is wanted.
    """
    import scanpy as sc

    # Exact neighbours are the same on every machine, and nothing is compiled for them.
    exact = cells.n_obs <= MOST_EXACT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sc.pp.neighbors(
            cells,
            n_neighbors=min(n_neighbors, cells.n_obs - 1),
            use_rep=LATENT,
            transformer="sklearn" if exact else None,
            random_state=seed,
        )
        if umap:
            sc.tl.umap(cells, random_state=seed)
        if clusters:
            sc.tl.leiden(
                cells,
                resolution=resolution,
                key_added=CLUSTER,
                flavor="igraph",
                n_iterations=2,
                directed=False,
                random_state=seed,
            )
