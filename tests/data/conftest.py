"""A small mosaic MuData: three modalities, unequal cells, two batches."""

import os
from pathlib import Path

import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from hypothesis import settings
from mudata import MuData

# Slow, shared machines: an example may take long without being wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def _counts(rng, cells, features, prefix):
    values = rng.poisson(1.5, size=(len(cells), features)).astype(np.float32)
    adata = AnnData(sp.csr_matrix(values))
    adata.obs_names = [f"c{cell}" for cell in cells]
    adata.var_names = [f"{prefix}{feature}" for feature in range(features)]
    return adata


def build_mosaic(seed: int = 0) -> MuData:
    """RNA without cells 8 and 9, protein in reversed row order, embedding for five cells."""
    rng = np.random.default_rng(seed)
    rna = _counts(rng, range(8), 6, "g")
    adt = _counts(rng, [9, 8, 7, 6, 5, 4, 3], 4, "p")
    emb = AnnData(rng.normal(size=(5, 3)).astype(np.float32))
    emb.obs_names = [f"c{cell}" for cell in (0, 2, 4, 6, 8)]
    emb.var_names = ["e0", "e1", "e2"]
    mdata = MuData({"rna": rna, "adt": adt, "emb": emb})
    number = np.array([int(name[1:]) for name in mdata.obs_names])
    mdata.obs["batch"] = pd.Categorical(np.where(number < 5, "b1", "b2"))
    mdata.obs["donor"] = np.where(number % 3 == 0, "d0", "d1")
    mdata.obs["age"] = number.astype(float)
    mdata.obs["celltype"] = np.where(number % 2 == 0, "T", "B")
    adt.var["measured_b1"] = [True, True, True, False]
    adt.var["measured_b2"] = [True, True, True, True]
    first = np.array([name in {"c3", "c4"} for name in adt.obs_names])
    values = adt.X.toarray()
    values[first, 3] = 0
    adt.X = sp.csr_matrix(values)
    return mdata


@pytest.fixture
def mosaic() -> MuData:
    return build_mosaic()


@pytest.fixture
def modalities() -> dict[str, str]:
    return {"rna": "nb", "adt": "nb", "emb": "normal"}


@pytest.fixture
def real():
    """Reader of the measured data sets; skips where they are not to be had."""

    def read(name: str) -> MuData:
        folder = os.environ.get("HZAU_OMICS_DATA")
        if not folder or not (Path(folder) / name).exists():
            pytest.skip(f"needs {name} in the folder that HZAU_OMICS_DATA names")
        return mudata.read_h5mu(Path(folder) / name)

    return read
