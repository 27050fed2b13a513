"""UMAPs of several embeddings in one picture, a row per embedding and a column per colour."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData


def umap_picture(
    embeddings: Mapping[str, np.ndarray], obs: pd.DataFrame, *, path: Path, seed: int = 0
) -> Path:
    """Draw a UMAP of each embedding, coloured by every column of ``obs``, and write a PNG."""
    import matplotlib as mpl
    import scanpy as sc

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    columns = list(obs.columns)
    figure, axes = plt.subplots(
        len(embeddings),
        len(columns),
        figsize=(6.5 * len(columns), 5 * len(embeddings)),
        squeeze=False,
        layout="constrained",
    )
    for row, (name, x) in zip(axes, embeddings.items(), strict=True):
        adata = AnnData(obs=obs.astype("category"), obsm={"X_embedding": x})
        sc.pp.neighbors(adata, use_rep="X_embedding", random_state=seed)
        sc.tl.umap(adata, random_state=seed)
        for ax, column in zip(row, columns, strict=True):
            sc.pl.umap(
                adata, color=column, ax=ax, show=False, title=f"{name}: {column}", frameon=False
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
