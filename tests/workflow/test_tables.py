"""Annotations as tables: columns from wherever they are."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics.workflow.tables import cells_table, columns_of_modalities, latents_table


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_columns_of_modalities_come_along() -> None:
    mdata = ho.data.simulate(30, seed=0, missing={"adt": 0.3})
    rna, adt = mdata["rna"], mdata["adt"]
    rna.obs["total"], adt.obs["total"] = 1.0, 2.0
    kinds = pd.Series(np.where(np.arange(30) % 2, "odd", "even"), mdata.obs_names)
    for adata in (rna, adt):
        adata.obs["kind"] = kinds.reindex(adata.obs_names)
    rna.obs.loc[rna.obs_names[0], "kind"] = None
    mdata.obsm["X_hzau"] = np.ones((30, 2))
    mdata.obsm["hzau_gate"] = pd.DataFrame({"rna": np.ones(30)}, mdata.obs_names)
    table = cells_table(mdata)
    assert table["rna:total"].eq(1.0).all()
    assert table["adt:total"].isna().sum() == 30 - adt.n_obs
    in_both = adt.obs_names.intersection(rna.obs_names)
    assert table.loc[in_both, "kind"].tolist() == kinds[in_both].tolist()
    assert {"batch", "hzau_gate_rna"} <= set(table)
    assert table.columns.is_unique
    assert latents_table(mdata).columns.tolist() == ["X_hzau_1", "X_hzau_2"]


def test_flags_of_cells_that_lack_a_modality_are_missing_and_can_be_written(tmp_path: Path) -> None:
    mdata = ho.data.simulate(30, seed=0, missing={"adt": 0.3})
    adt = mdata["adt"]
    adt.obs["doublet"] = np.arange(adt.n_obs) % 2 == 0
    found = columns_of_modalities(mdata)
    assert found["doublet"].isna().sum() == 30 - adt.n_obs
    ad.AnnData(obs=found).write_h5ad(tmp_path / "cells.h5ad")
    written = ad.read_h5ad(tmp_path / "cells.h5ad").obs["doublet"].loc[adt.obs_names]
    assert written.astype(bool).tolist() == adt.obs["doublet"].tolist()
