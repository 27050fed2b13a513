"""Values are read from any store alike, and normalised as the page says."""

import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics.report.parts.data import cell_measures
from hzau_omics.report.values import in_order, log_normalised, values_of


@pytest.fixture(scope="module")
def model():
    mdata = ho.data.simulate(n_obs=50, n_features={"rna": 120, "adt": 5}, missing={"adt": 0.3})
    mdata["rna"].var_names = ["MT-A", "Mt-b", *(f"g{i}" for i in range(118))]
    mdata = type(mdata)(dict(mdata.mod))
    ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    return ho.model.HZAUVAE(mdata, n_latent=3, n_hidden=8)


def test_values_are_those_of_the_mudata(model) -> None:
    cells = np.array([3, 7, 40])
    found = values_of(model._store, cells)
    rna = model.adata["rna"]
    rows = rna.obs_names.get_indexer(model.adata.obs_names[cells])
    expected = np.where((rows >= 0)[:, None], rna.X.toarray()[rows], 0)
    assert np.array_equal(found["rna"].toarray(), expected)


def test_wide_counts_are_scaled_to_the_median_total(model) -> None:
    x = model.adata["rna"].X.toarray()
    modality = model.layout.modality("rna")
    measured = np.ones(x.shape, dtype=bool)
    found = log_normalised(x, modality, measured, np.arange(3))
    total = x.sum(axis=1, keepdims=True)
    assert found == pytest.approx(np.log1p(x / total * np.median(total))[:, :3], rel=1e-5)


def test_counts_of_a_panel_are_divided_by_the_geometric_mean_of_what_was_measured(model) -> None:
    modality = model.layout.modality("adt")
    x = np.array([[1, 3, 7, 0, 0]], dtype=np.float32)
    measured = np.array([[True, True, True, False, False]])
    mean = (2 * 4 * 8) ** (1 / 3)
    found = log_normalised(x, modality, measured, np.arange(3))
    assert found == pytest.approx(np.log1p(x[:, :3] / mean), rel=1e-5)


def test_mitochondrial_genes_are_known_by_name(model) -> None:
    modality = model.layout.modality("rna")
    cells = np.arange(50)
    values = values_of(model._store, cells)["rna"]
    present = model._store.present[:, 0]

    found = cell_measures(values, modality, pd.Series(present, index=model.adata.obs_names))
    x = values.toarray()[present]
    assert found["% mitochondrial"].to_numpy() == pytest.approx(
        100 * x[:, :2].sum(axis=1) / x.sum(axis=1)
    )
    assert found["features detected"].to_numpy() == pytest.approx((x > 0).sum(axis=1))


def test_quality_is_the_same_in_the_report_and_in_the_table(model) -> None:
    rna = model.adata["rna"].copy()
    rna.X[:1] = 0
    modality = model.layout.modality("rna")
    found = cell_measures(rna.X, modality, pd.Series(data=True, index=rna.obs_names))
    table = ho.pp.qc(type(model.adata)({"rna": rna})).xs("rna", level="modality")
    assert np.isnan(found["% mitochondrial"].iloc[0])
    own = table[["total", "n_features", "percent_mitochondrial"]]
    np.testing.assert_allclose(found, own.loc[found.index].astype(float), rtol=1e-5)


def test_clusters_are_in_the_order_of_their_numbers() -> None:
    names = [str(i) for i in (10, 2, 0, 1)]
    alphabetic = pd.Series(names, dtype="category")
    assert list(in_order(alphabetic).cat.categories) == ["0", "1", "2", "10"]
    assert in_order(alphabetic).tolist() == names
    assert list(in_order(pd.Series([10, 2])).cat.categories) == [2, 10]
