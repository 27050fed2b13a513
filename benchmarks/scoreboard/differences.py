"""Differences between groups of the demo's cells: false calls, and changes from hidden protein."""

import mudata
import numpy as np
from mudata import MuData

from hzau_omics.demo.dataset import DemoData
from hzau_omics.model import HZAUVAE

N_SPLITS, TYPE = 20, "CD4 T"
KEY = "cell_type"
WITHIN = 1.645
"""Standard errors within which 90 % of normal values lie."""


def false_calls(model: HZAUVAE, mdata: MuData, seed: int) -> float:
    """Return the share of random splits of one cell type with any call at a target of 5 %."""
    rng = np.random.default_rng(seed)
    has = mdata.obs_names.isin(mdata["rna"].obs_names)
    cells = np.flatnonzero(has & (mdata.obs[KEY].astype(str) == TYPE).to_numpy())
    found = 0
    for _ in range(N_SPLITS):
        shuffled = rng.permutation(cells)
        half = len(cells) // 2
        table = model.differential_expression(
            "rna", idx1=shuffled[:half], idx2=shuffled[half:], delta=0, n_samples=50, seed=seed
        )
        found += bool(table["is_de_fdr_0.05"].any())
    return found / N_SPLITS


def coverage_of_changes(model: HZAUVAE, data: DemoData, seed: int) -> float:
    """Return how often 90 % intervals of changes, from RNA alone, hold the measured ones.

    Each type is compared with the rest of the cells whose protein was hidden.
    """
    hidden = data.hidden_protein
    rna = data.mdata["rna"][hidden.obs_names].copy()
    obs = data.mdata.obs.loc[hidden.obs_names, [KEY, "batch"]]
    without = MuData({"rna": rna})
    measured = mudata.MuData({"rna": rna.copy(), "adt": hidden.copy()})
    tables = []
    for cells in (without, measured):
        cells.obs[list(obs)] = obs.reindex(cells.obs_names)
        table = model.differential_expression("adt", KEY, mdata=cells, seed=seed)
        tables.append(table.set_index("group1", append=True))
    imputed, true = tables[0], tables[1].loc[tables[0].index]
    # The measured changes have errors of their own, which the intervals know nothing of.
    error = np.hypot(imputed["lfc_std"], true["lfc_std"])
    return float((np.abs(imputed["lfc"] - true["lfc"]) <= WITHIN * error).mean())
