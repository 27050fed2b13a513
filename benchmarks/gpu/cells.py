"""A large set of cells, quickly: few that are simulated, each of them many times."""

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from benchmarks.common.simulated import thin
from hzau_omics.data import simulate


def distinct_cells(n_obs: int, n_features: tuple[int, int]) -> MuData:
    """Simulate RNA and protein as sparse as those of real cells."""
    mdata = simulate(n_obs, n_features=dict(zip(("rna", "prot"), n_features, strict=True)))
    for seed, name in enumerate(mdata.mod):
        thin(mdata[name], seed=seed)
    return mdata


def repeated(mdata: MuData, n_copies: int) -> MuData:
    """Return a set in which every cell occurs so often, under other names."""
    names = pd.Index(np.arange(n_copies * mdata.n_obs).astype(str))
    parts = {}
    for name, adata in mdata.mod.items():
        x = sparse.vstack([sparse.csr_matrix(adata.X)] * n_copies, format="csr")
        parts[name] = AnnData(x, obs=pd.DataFrame(index=names), var=adata.var)
    return MuData(parts)
