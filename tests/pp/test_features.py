"""Choosing features: which, in which order, and nothing else touched."""

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError


@pytest.fixture
def mdata():
    simulated = ho.data.simulate(200, n_batches=2, seed=0)
    simulated.obsm["X_pca"] = np.ones((200, 2))
    return simulated


def test_variable_features_are_those_of_scanpy(mdata):
    rna = mdata["rna"].copy()
    rna.obs["batch"] = mdata.obs["batch"].astype(str).to_numpy()
    sc.pp.normalize_total(rna, target_sum=1e4)
    sc.pp.log1p(rna)
    sc.pp.highly_variable_genes(rna, n_top_genes=30, batch_key="batch")
    chosen = ho.pp.select_features(mdata, n_top=30, batch_key="batch")
    assert list(chosen["rna"].var_names) == list(rna.var_names[rna.var["highly_variable"]])
    assert chosen["rna"].n_vars == 30


def test_all_else_is_kept_and_nothing_is_changed(mdata):
    values, names = mdata["rna"].X.copy(), list(mdata["rna"].var_names)
    chosen = ho.pp.select_features(mdata, n_top=10)
    assert list(mdata["rna"].var_names) == names
    assert abs(mdata["rna"].X - values).sum() == 0
    assert "hzau_features" not in mdata.uns
    pd.testing.assert_frame_equal(chosen.obs, mdata.obs)
    np.testing.assert_array_equal(chosen.obsm["X_pca"], mdata.obsm["X_pca"])
    assert list(chosen["adt"].var_names) == list(mdata["adt"].var_names)
    kept = chosen["rna"].var_names
    assert abs(chosen["rna"].X - mdata["rna"][:, kept].X).sum() == 0
    assert list(chosen.uns["hzau_features"]["rna"]) == list(kept)
    assert list(chosen.var_names) == [*kept, *mdata["adt"].var_names]
    again = ho.pp.select_features(chosen, "adt", n_top=5)
    assert set(again.uns["hzau_features"]) == {"rna", "adt"}


def test_the_choice_can_be_written_and_a_query_follows(mdata, tmp_path):
    chosen = ho.pp.select_features(mdata, n_top=10)
    chosen.write(tmp_path / "chosen.h5mu")
    stored = mudata.read_h5mu(tmp_path / "chosen.h5mu").uns["hzau_features"]["rna"]
    assert list(stored) == list(chosen["rna"].var_names)


def peaks():
    values = np.zeros((10, 4), dtype=np.float32)
    values[:8, 0] = 3  # of the first batch only
    values[8:, 1] = 1  # of the whole second batch
    values[[0, 9], 2] = 1
    atac = anndata.AnnData(sparse.csr_matrix(values))
    atac.obs_names = [f"c{i}" for i in range(10)]
    atac.var_names = [f"chr1:{i}00-{i}50" for i in range(4)]
    own = mudata.MuData({"atac": atac})
    own.obs["batch"] = ["a"] * 8 + ["b"] * 2
    return own


def test_peaks_are_ranked_by_how_often_they_are_open():
    chosen = ho.pp.select_features(peaks(), "atac", n_top=1)
    assert list(chosen["atac"].var_names) == ["chr1:000-050"]
    by_batch = ho.pp.select_features(peaks(), "atac", n_top=3, batch_key="batch")
    assert list(by_batch["atac"].var_names) == ["chr1:000-050", "chr1:100-150", "chr1:200-250"]


@pytest.mark.parametrize(("n_top", "message"), [(0, "n_top must be"), (10**6, "leave the selec")])
def test_a_number_of_features_that_there_is_not_is_refused(mdata, n_top, message):
    with pytest.raises(ConfigError, match=message):
        ho.pp.select_features(mdata, n_top=n_top)


def test_values_that_are_no_counts_are_refused(mdata):
    mdata["rna"].X = mdata["rna"].X * 0.5
    with pytest.raises(DataContractError, match=r"raw counts. X of modality 'rna' has 0.5"):
        ho.pp.select_features(mdata, n_top=10)


def test_an_unknown_method_is_refused(mdata):
    with pytest.raises(ConfigError, match="method must be one of"):
        ho.pp.select_features(mdata, n_top=10, method="best")


def test_cells_of_a_mosaic_keep_their_order(mosaic):
    chosen = ho.pp.select_features(mosaic, "adt", n_top=2, method="open")
    assert list(chosen.obs_names) == list(mosaic.obs_names)
    ho.model.HZAUVAE.setup_mudata(chosen, {"rna": "nb", "adt": "nb"})
