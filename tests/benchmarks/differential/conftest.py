"""Cells of two types in two libraries, and a model that need not be trained."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from benchmarks.differential.data import Data

N_GENES = 200


@pytest.fixture
def data():
    """400 cells of one distribution: any difference between them is by chance."""
    rng = np.random.default_rng(0)
    names = [f"cell{i}" for i in range(400)]
    rate = rng.gamma(2.0, 2.0, N_GENES)
    x = sparse.csr_matrix(rng.poisson(rate, (400, N_GENES)).astype(np.float32))
    var = pd.DataFrame(index=[f"gene{i}" for i in range(N_GENES)])
    mdata = MuData({"rna": AnnData(x, pd.DataFrame(index=names), var)})
    mdata.obs["cell_type"] = np.where(np.arange(400) < 300, "T", "B")
    mdata.obs["batch"] = np.tile([f"lib{i}" for i in range(8)], 50)
    return Data(mdata=mdata, likelihoods={"rna": "nb"}, batch_key="batch", types=("T", "B"))


@pytest.fixture
def one_batch(data):
    return replace(data, batch_key=None)
