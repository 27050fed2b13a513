"""Multigrate, with the losses and, for mosaics, the alignment that its tutorials show."""

import multigrate as mtg  # type: ignore[import-not-found, import-untyped]
import numpy as np
import scvi
from anndata import AnnData
from scipy import sparse

from benchmarks.integration.methods.exchange import RNA, Cells, Embedding
from benchmarks.integration.methods.preprocessing import modality_data, transformed
from benchmarks.integration.methods.training import cut_short, quiet, time_limit

PACKAGES = ("multigrate", "scvi-tools", "torch")
ALIGNMENT = {
    "integrate_on": "pattern",
    "loss_coefs": {"integ": 500},
    "alignment_type": "marginal",
    "modality_alignment": "MMD",
}
"""What the tutorial of several modality patterns sets."""


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    """Train, and give what it writes into ``obsm``."""
    quiet()
    scvi.settings.seed = seed
    pattern = cells.pattern
    # It numbers groups by their first modality: another order would mix up the cells' names.
    patterns = sorted(np.unique(pattern), key=lambda one: cells.modalities.index(one.split("+")[0]))
    adata = mtg.data.organize_multimodal_anndatas(
        adatas=[
            [_part(cells, m, pattern == one) if m in one.split("+") else None for one in patterns]
            for m in cells.modalities
        ]
    )
    adata.obs["pattern"] = adata.obs["pattern"].astype("category")
    several = len(patterns) > 1
    mtg.model.MultiVAE.setup_anndata(
        adata,
        categorical_covariate_keys=["pattern", "batch"] if several else ["batch"],
        rna_indices_end=adata.uns["modality_lengths"][cells.modalities.index(RNA)],
    )
    losses = ["nb" if m == RNA else "mse" for m in cells.modalities]
    model = mtg.model.MultiVAE(adata, losses=losses, **(ALIGNMENT if several else {}))
    model.train(enable_progress_bar=False, max_time=time_limit(seconds))
    model.get_model_output()
    order = adata.obs_names.get_indexer(cells.names)
    return Embedding(
        joint=np.asarray(adata.obsm["X_multigrate"])[order],
        cut=cut_short(model.trainer, seconds),
    )


def _part(cells: Cells, modality: str, chosen: np.ndarray) -> AnnData:
    """Return one modality of the chosen cells: counts of RNA, the others transformed."""
    adata = transformed(cells, modality)
    if modality == RNA:
        adata = modality_data(cells, RNA)[:, adata.var_names].copy()
    adata = adata[cells.names[chosen]].copy()
    adata.obs["pattern"] = cells.pattern[chosen]
    adata.var_names = [f"{modality}:{name}" for name in adata.var_names]
    adata.X = np.asarray(adata.X.toarray() if sparse.issparse(adata.X) else adata.X)
    return adata
