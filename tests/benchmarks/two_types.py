"""Cells of two types in two batches, as several benchmarks are tested with."""

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from scipy import sparse


def two_types(n_cells: int, batches: dict[str, int]) -> MuData:
    """Return paired cells of two types; one in ten is of unknown type.

    Each of the two batches, name -> number of cells, lacks one of four proteins.
    """
    rng = np.random.default_rng(0)
    kind = np.arange(n_cells) % 2
    names = [f"cell{i}" for i in range(n_cells)]
    parts = {}
    for name, n_features in (("rna", 12), ("prot", 4)):
        rate = np.where(kind[:, None] == np.arange(n_features) % 2, 9.0, 1.0)
        x = sparse.csr_matrix(rng.poisson(rate).astype(np.float32))
        var = pd.DataFrame(index=[f"{name}{i}" for i in range(n_features)])
        parts[name] = AnnData(x, obs=pd.DataFrame(index=names), var=var)
    first, second = batches
    parts["prot"].var[f"measured_{first}"] = [True, True, True, False]
    parts["prot"].var[f"measured_{second}"] = [True, True, False, True]
    mdata = MuData(parts)
    mdata.obs["batch"] = np.repeat([first, second], list(batches.values()))
    label = np.where(kind == 1, "T", "B").astype(object)
    label[::10] = "unknown"
    mdata.obs["cell_type"] = label
    return mdata
