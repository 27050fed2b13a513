"""A small paired MuData whose target follows from its source."""

import mudata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse


def _modality(values, names, prefix):
    var = pd.DataFrame(index=[f"{prefix}{i}" for i in range(values.shape[1])])
    return AnnData(
        sparse.csr_matrix(values.astype(np.float32)), obs=pd.DataFrame(index=names), var=var
    )


@pytest.fixture
def paired():
    """120 cells of two types; protein follows the type and an RNA programme within it."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 120)
    programme = rng.gamma(2.0, 1.0, 120)
    gene_rate = np.where(kind[:, None] == np.arange(30) % 2, 8.0, 1.0)
    gene_rate[:, :10] *= programme[:, None]
    protein_rate = np.column_stack([20 + 200 * kind, 20 * programme, 220 - 200 * kind])
    names = [f"cell{i}" for i in range(120)]
    rna = _modality(rng.poisson(gene_rate), names, "gene")
    prot = _modality(rng.poisson(protein_rate), names, "protein")
    mdata = mudata.MuData({"rna": rna, "prot": prot})
    mdata.obs["cell_type"] = np.where(kind == 1, "T", "B")
    mdata.obs["batch"] = np.where(np.arange(120) % 2 == 0, "one", "two")
    return mdata
