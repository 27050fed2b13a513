"""Cells of two types in two batches, as the integrations have them."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from benchmarks.integration.tasks import as_task


@pytest.fixture
def pair():
    """A paired MuData of 60 cells: two types, two batches, one cell in ten of unknown type."""
    rng = np.random.default_rng(0)
    kind = np.arange(60) % 2
    names = [f"cell{i}" for i in range(60)]
    parts = {}
    for name, n_features in (("rna", 12), ("prot", 4)):
        rate = np.where(kind[:, None] == np.arange(n_features) % 2, 9.0, 1.0)
        x = sparse.csr_matrix(rng.poisson(rate).astype(np.float32))
        var = pd.DataFrame(index=[f"{name}{i}" for i in range(n_features)])
        parts[name] = AnnData(x, obs=pd.DataFrame(index=names), var=var)
    parts["prot"].var["measured_one"] = [True, True, True, False]
    parts["prot"].var["measured_two"] = [True, True, False, True]
    mdata = MuData(parts)
    mdata.obs["batch"] = np.where(np.arange(60) < 40, "one", "two")
    label = np.where(kind == 1, "T", "B").astype(object)
    label[::10] = "unknown"
    mdata.obs["cell_type"] = label
    return mdata


@pytest.fixture
def data(pair):
    """The same as a method and the measures get it."""
    return as_task(pair)


@pytest.fixture
def mosaic(pair):
    """The same, batch "two" without protein."""
    return as_task(pair, {"prot": pair.obs["batch"].to_numpy() == "two"})
