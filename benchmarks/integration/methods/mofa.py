"""MOFA+ as muon runs it, with its defaults: cells of a batch are a group, absent values missing."""

import tempfile
from pathlib import Path

import muon
import numpy as np
import pandas as pd
from mudata import MuData
from scipy import sparse

from benchmarks.integration.methods.exchange import PROTEIN, Cells, Embedding
from benchmarks.integration.methods.preprocessing import transformed

PACKAGES = ("muon", "mofapy2")


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    """Fit factors, and give those of each cell."""
    parts = {m: transformed(cells, m) for m in cells.modalities}
    for m, adata in parts.items():
        adata.var["highly_variable"] = True
        adata.X = np.asarray(adata.X.toarray() if sparse.issparse(adata.X) else adata.X)
        if m == PROTEIN:
            batch = np.searchsorted(cells.batches, cells.batch[cells.rows(m)])
            adata.X[~cells.measured[m][batch]] = np.nan
        adata.var_names = [f"{m}:{name}" for name in adata.var_names]
    mdata = MuData(parts)
    mdata.obs["batch"] = pd.Series(cells.batch, index=cells.names).reindex(mdata.obs_names)
    with tempfile.TemporaryDirectory() as folder:
        muon.tl.mofa(
            mdata,
            groups_label="batch",
            use_obs="union",
            outfile=str(Path(folder) / "mofa.hdf5"),
            seed=seed,
        )
    order = mdata.obs_names.get_indexer(cells.names)
    return Embedding(joint=np.asarray(mdata.obsm["X_mofa"])[order])
