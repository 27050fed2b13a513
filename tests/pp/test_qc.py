"""Measures of quality, against sums in NumPy."""

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError

GENES = ["MT-CO1", "CD3E", "mt-Nd1", "ACTB", "Mt-co1"]
PROTEINS = ["CD3", "IgG1_control_TotalSeqB", "CD4"]


@pytest.fixture
def mdata():
    rng = np.random.default_rng(0)
    rna = anndata.AnnData(sparse.csr_matrix(rng.poisson(2, (6, 5)).astype(np.float32)))
    adt = anndata.AnnData(rng.poisson(3, (4, 3)).astype(np.float32))
    emb = anndata.AnnData(rng.normal(size=(6, 2)).astype(np.float32))
    rna.obs_names = emb.obs_names = [f"c{i}" for i in range(6)]
    adt.obs_names = [f"c{i}" for i in (5, 3, 1, 0)]
    rna.var_names, adt.var_names = GENES, PROTEINS
    rna.X[0] = 0
    own = mudata.MuData({"rna": rna, "adt": adt, "emb": emb})
    own.obs["batch"] = ["b", "b", "b", "a", "a", "a"]
    return own


def test_measures_of_cells_are_sums_and_shares(mdata):
    table = ho.pp.qc(mdata, batch_key="batch")
    rna = table.xs("rna", level="modality")
    values = mdata["rna"].X.toarray()
    np.testing.assert_allclose(rna["total"], values.sum(axis=1))
    np.testing.assert_array_equal(rna["n_features"], (values > 0).sum(axis=1))
    with np.errstate(invalid="ignore"):
        share = 100 * values[:, [0, 2, 4]].sum(axis=1) / values.sum(axis=1)
    np.testing.assert_allclose(rna["percent_mitochondrial"], share, rtol=1e-5)
    assert rna["percent_isotype"].isna().all()
    assert rna["batch"].tolist() == list("bbbaaa")
    adt = table.xs("adt", level="modality")
    assert list(adt.index) == ["c5", "c3", "c1", "c0"]
    assert adt["batch"].tolist() == list("aabb")
    share = 100 * mdata["adt"].X[:, 1] / mdata["adt"].X.sum(axis=1)
    np.testing.assert_allclose(adt["percent_isotype"], share, rtol=1e-5)
    assert adt["percent_mitochondrial"].isna().all()


def test_embeddings_have_no_measures(mdata):
    assert set(ho.pp.qc(mdata).index.get_level_values("modality")) == {"rna", "adt"}


def test_a_column_of_isotype_controls_comes_before_names(mdata):
    mdata["adt"].var["isotype_control"] = [True, False, False]
    adt = ho.pp.qc(mdata).xs("adt", level="modality")
    share = 100 * mdata["adt"].X[:, 0] / mdata["adt"].X.sum(axis=1)
    np.testing.assert_allclose(adt["percent_isotype"], share, rtol=1e-5)


@pytest.mark.parametrize("kind", [object, "boolean", float])
def test_a_missing_mark_is_no_isotype_control(mdata, kind):
    expected = ho.pp.qc(mdata)["percent_isotype"]
    mdata["adt"].var["isotype_control"] = pd.Series([None, True, False], PROTEINS, dtype=kind)
    pd.testing.assert_series_equal(ho.pp.qc(mdata)["percent_isotype"], expected)


def test_only_proteins_have_isotype_controls(mdata):
    mdata["rna"].var["isotype_control"] = True
    rna = ho.pp.qc(mdata).xs("rna", level="modality")
    assert rna["percent_isotype"].isna().all()


def test_batches_have_medians(mdata):
    cells = ho.pp.qc(mdata, batch_key="batch").reset_index()
    summary = ho.pp.qc(mdata, per="batch", batch_key="batch")
    assert list(summary.index) == [("a", "rna"), ("a", "adt"), ("b", "rna"), ("b", "adt")]
    assert summary["n_cells"].tolist() == [3, 2, 3, 2]
    own = cells[(cells["batch"] == "a") & (cells["modality"] == "rna")]
    assert summary.loc[("a", "rna"), "total"] == own["total"].median()
    assert list(ho.pp.qc(mdata, per="batch").index) == [("all", "rna"), ("all", "adt")]


def test_counts_may_be_in_a_layer(mdata):
    mdata["rna"].layers["counts"] = mdata["rna"].X * 2
    doubled = ho.pp.qc(mdata, layers={"rna": "counts"}).xs("rna", level="modality")
    np.testing.assert_allclose(doubled["total"], 2 * mdata["rna"].X.toarray().sum(axis=1))


def test_what_does_not_fit_is_refused(mdata):
    with pytest.raises(ConfigError, match="per must be one of 'cell', 'batch'"):
        ho.pp.qc(mdata, per="sample")
    only = mudata.MuData({"emb": mdata["emb"].copy()})
    with pytest.raises(DataContractError, match="At least one modality must hold counts"):
        ho.pp.qc(only)
