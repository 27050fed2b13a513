"""A reference and a query of two types, RNA and protein, as the mappings have them."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from benchmarks.integration.methods.exchange import PROTEIN, RNA
from benchmarks.integration.tasks import as_task
from benchmarks.mapping.tasks import RNA_ONLY, as_question

PANEL = np.array(["prot0", "prot1"])
"""What both batches measured."""


@pytest.fixture
def mdata():
    """60 cells of a reference and 40 of a query; one cell in ten is of unknown type."""
    rng = np.random.default_rng(0)
    kind = np.arange(100) % 2
    names = [f"cell{i}" for i in range(100)]
    parts = {}
    for name, n_features in (("rna", 12), ("prot", 4)):
        rate = np.where(kind[:, None] == np.arange(n_features) % 2, 9.0, 1.0)
        x = sparse.csr_matrix(rng.poisson(rate).astype(np.float32))
        var = pd.DataFrame(index=[f"{name}{i}" for i in range(n_features)])
        parts[name] = AnnData(x, obs=pd.DataFrame(index=names), var=var)
    parts["prot"].var["measured_old"] = [True, True, True, False]
    parts["prot"].var["measured_new"] = [True, True, False, True]
    mdata = MuData(parts)
    mdata.obs["batch"] = np.where(np.arange(100) < 60, "old", "new")
    label = np.where(kind == 1, "T", "B").astype(object)
    label[::10] = "unknown"
    mdata.obs["cell_type"] = label
    return mdata


@pytest.fixture
def data(mdata):
    """The same as a question in three forms."""
    task = as_task(mdata)
    forms = {
        RNA_ONLY: {RNA: None},
        "protein only": {PROTEIN: PANEL},
        "RNA and protein": {RNA: None, PROTEIN: PANEL},
    }
    known = {PROTEIN: np.array(["prot0", "prot1", "prot2"])}
    return as_question(task.cells, task.labels, ["old"], forms, known)
