"""The two embeddings that the integration benchmark compares: HZAU-VAE and uncorrected PCA."""

from collections.abc import Mapping
from typing import Any

import mudata
import numpy as np
from anndata import AnnData
from scipy import sparse

from benchmarks.common.data import counts
from benchmarks.common.model import model_class


def binarised(mdata: mudata.MuData, modalities: list[str]) -> mudata.MuData:
    """Copy a MuData with the named modalities as 0/1, for a Bernoulli likelihood."""
    parts = {name: part.copy() for name, part in mdata.mod.items()}
    for name in modalities:
        x = sparse.csr_matrix(parts[name].X, copy=True)
        x.eliminate_zeros()
        x.data = np.ones_like(x.data, dtype=np.float32)
        parts[name].X = x
    copy = mudata.MuData(parts)
    copy.obs = mdata.obs.loc[copy.obs_names].copy()
    return copy


def embed_ours(
    mdata: mudata.MuData,
    *,
    modalities: Mapping[str, str],
    batch_key: str | None,
    seed: int = 0,
    train_kwargs: Mapping[str, Any] | None = None,
    cls: Any = None,
) -> tuple[np.ndarray, Any]:
    """Train with default arguments on all cells; give the latent, rows of obs_names, and model."""
    cls = cls or model_class()
    open_or_closed = [m for m, likelihood in modalities.items() if likelihood == "bernoulli"]
    data = binarised(mdata, open_or_closed)
    cls.setup_mudata(data, modalities=dict(modalities), batch_key=batch_key)
    model = cls(data)
    model.train(seed=seed, **(train_kwargs or {}))
    latent = np.asarray(model.get_latent_representation())
    position = {name: i for i, name in enumerate(data.obs_names)}
    return latent[[position[name] for name in mdata.obs_names]], model


def embed_pca(
    mdata: mudata.MuData, *, modality: str = "rna", n_pcs: int = 50, seed: int = 0
) -> np.ndarray:
    """Principal components of log-normalised counts of one modality, nothing corrected."""
    import scanpy as sc

    adata = AnnData(counts(mdata, modality).astype(np.float32))
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    sc.pp.pca(adata, n_comps=min(n_pcs, min(adata.shape) - 1), random_state=seed)
    return np.asarray(adata.obsm["X_pca"])
