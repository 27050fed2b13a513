"""A table of differential expression in the form that scanpy reads."""

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from anndata import AnnData

from hzau_omics import pp
from hzau_omics.errors import DataContractError


@pytest.fixture
def cells() -> AnnData:
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"kind": ["a", "b", "c"] * 10}, index=[f"c{i}" for i in range(30)])
    x = rng.poisson(1.0, (30, 4)).astype(np.float32)
    return AnnData(x, obs=obs, var=pd.DataFrame(index=["g0", "g1", "g2", "g3"]))


@pytest.fixture
def result() -> pd.DataFrame:
    parts = []
    for group in "abc":
        rows = {
            "p_value": [1e-9, 0.0, 0.5, 0.01],
            "q_value": [4e-9, 0.0, 0.5, 0.02],
            "lfc_mean": [2.0, 3.0, 0.1, -1.0],
            "non_zeros_proportion1": [0.5, 0.6, 0.7, 0.8],
            "non_zeros_proportion2": [0.1, 0.2, 0.3, 0.4],
        }
        parts.append(
            pd.DataFrame(rows, index=["g2", "g0", "g1", "g3"]).assign(group1=group, group2="Rest")
        )
    return pd.concat(parts)


def test_scanpy_reads_it_as_its_own(cells, result):
    pp.rank_genes_groups(cells, result, groupby="kind")
    found = sc.get.rank_genes_groups_df(cells, group="b")
    assert found["names"].tolist() == ["g0", "g2", "g1", "g3"]
    assert found["pvals_adj"].tolist() == [0.0, 4e-9, 0.5, 0.02]
    np.testing.assert_allclose(found["logfoldchanges"], [3.0, 2.0, 0.1, -1.0])
    np.testing.assert_allclose(found["pct_nz_group"], [0.6, 0.5, 0.7, 0.8])
    assert (np.diff(found["scores"]) <= 0).all()


def test_scanpys_plots_draw_it(cells, result):
    cells.obs["kind"] = cells.obs["kind"].astype("category")
    pp.rank_genes_groups(cells, result, groupby="kind", key_added="ours")
    axes = sc.pl.rank_genes_groups_dotplot(
        cells, n_genes=2, key="ours", show=False, dendrogram=False
    )
    assert "mainplot_ax" in axes


def test_it_survives_a_file(cells, result, tmp_path):
    pp.rank_genes_groups(cells, result, groupby="kind")
    before = sc.get.rank_genes_groups_df(cells, group=None)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    again = sc.read_h5ad(tmp_path / "cells.h5ad")
    pd.testing.assert_frame_equal(sc.get.rank_genes_groups_df(again, group=None), before)


def test_what_is_no_such_table_is_refused(cells, result):
    with pytest.raises(DataContractError, match="lfc_mean"):
        pp.rank_genes_groups(cells, result.drop(columns="lfc_mean"), groupby="kind")
    with pytest.raises(DataContractError, match="column of obs"):
        pp.rank_genes_groups(cells, result, groupby="sort")
    with pytest.raises(DataContractError, match="2 that are not"):
        pp.rank_genes_groups(cells[:, :2].copy(), result, groupby="kind")
    twice = pd.concat([result, result.assign(group2="b")])
    with pytest.raises(DataContractError, match="compared once"):
        pp.rank_genes_groups(cells, twice, groupby="kind")
    assert "rank_genes_groups" not in cells.uns
