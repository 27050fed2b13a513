"""Modalities as files for other programs and other people: values, columns, the map, and words."""

from typing import TYPE_CHECKING

import numpy as np

from hzau_omics.workflow.clusters import CLUSTERS, LATENTS, UMAP
from hzau_omics.workflow.modality import INPUT_FEATURES
from hzau_omics.workflow.tables import add_columns

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

    from hzau_omics.model import HZAUVAE

LAYERS = ("counts", "imputed")
"""Layers of an exported modality; expected values are in ``X``, or their log1p for counts."""

SCANPY_MAP = "X_umap"
"""Entry of ``obsm`` that ``scanpy.pl.umap`` and viewers draw."""


def export(model: "HZAUVAE", mdata: "MuData", modality: str, *, seed: int) -> "AnnData":
    """Return a modality of annotated cells without values that are there twice.

    Parameters
    ----------
    model
        The trained model.
    mdata
        Its cells, annotated.
    modality
        The modality.
    seed
        Seed of draws.
    """
    adata = model.to_anndata(mdata, modality=modality, layers=LAYERS, seed=seed)
    if np.array_equal(adata.layers["imputed"], adata.X):
        del adata.layers["imputed"]
        said = adata.uns["hzau"]
        said["X"] += " It is also what impute returns."
        said["layers"].pop("imputed")
    return complete(adata, mdata, modality)


def complete(adata: "AnnData", mdata: "MuData", modality: str) -> "AnnData":
    """Add the columns and the map of annotated cells to values of a modality, and what they mean.

    Parameters
    ----------
    adata
        Values of a modality, as of `to_anndata` or `impute`; it is changed.
    mdata
        The annotated cells.
    modality
        The modality.
    """
    from hzau_omics.model.answers.columns import meaning_of_columns

    add_columns(adata, mdata)
    rows = mdata.obs_names.get_indexer(adata.obs_names)
    own = SCANPY_MAP in mdata.obsm
    for key, source in ((UMAP, UMAP), (SCANPY_MAP, SCANPY_MAP if own else UMAP)):
        if source in mdata.obsm:
            adata.obsm[key] = np.asarray(mdata.obsm[source])[rows]
    found = meaning_of_columns(adata, LATENTS)
    if CLUSTERS in adata.obs:
        found.setdefault("obs", {})[CLUSTERS] = "Leiden cluster of the latents"
    maps = [key for key in (UMAP, SCANPY_MAP) if key in adata.obsm and not (own and key != UMAP)]
    found.setdefault("obsm", {}).update(dict.fromkeys(maps, "UMAP of the latents"))
    said = {**adata.uns.get("hzau", {}), **found}
    n = mdata.uns.get(INPUT_FEATURES, {}).get(modality)
    if n is not None:
        said["features"] = f"{adata.n_vars:,} of the {int(n):,} of the input (n_top)"
    adata.uns["hzau"] = said
    return adata
