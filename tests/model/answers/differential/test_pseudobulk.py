import mudata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import stats

from hzau_omics.errors import ConfigError, HzauWarning

CALL = "is_de_fdr_0.05"


@pytest.fixture(scope="module")
def donors(fit):
    """Eight donors that differ in every gene; a treatment that changes five, in half of them."""
    rng = np.random.default_rng(0)
    donor = np.repeat(np.arange(8), 60)
    treated = donor % 2 == 1
    rates = np.exp(rng.normal(1.0, 1.0, 120))
    own = np.exp(rng.normal(0, 0.3, (8, 120)))
    change = np.where(np.arange(120) < 5, 4.0, 1.0)
    mean = rates * own[donor] * np.where(treated[:, None], change, 1.0)
    x = rng.poisson(mean).astype(np.float32)
    obs = pd.DataFrame(
        {"donor": [f"d{i}" for i in donor], "treated": np.where(treated, "yes", "no")},
        index=[f"c{i}" for i in range(480)],
    )
    obs["half"] = np.where(np.arange(480) % 2 == 0, "a", "b")
    rna = AnnData(x, obs=obs[[]], var=pd.DataFrame(index=[f"g{i}" for i in range(120)]))
    data = mudata.MuData({"rna": rna})
    data.obs = obs
    return fit(data, {"rna": "nb"})


def test_samples_decide_where_cells_would_be_too_sure(donors):
    of_cells = donors.differential_expression("rna", "treated", "yes", delta=0, seed=0)
    of_samples = donors.differential_expression(
        "rna", "treated", "yes", delta=0, sample_key="donor", seed=0
    )
    changed = [f"g{i}" for i in range(5)]
    assert of_cells[CALL].sum() > 40
    assert of_samples.loc[changed, CALL].all()
    assert of_samples.drop(index=changed)[CALL].sum() <= 2
    assert of_samples["replicates"].eq("samples").all()
    np.testing.assert_allclose(of_samples.loc[changed, "lfc"], 2.0, atol=0.8)


def test_changes_and_intervals_are_those_of_the_samples_that_decide(donors):
    found = donors.differential_expression("rna", "treated", "yes", sample_key="donor", seed=0)
    z = found["lfc"] / found["lfc_error"]
    tail = stats.norm.sf((found["lfc"].abs() - 0.25) / found["lfc_error"])
    np.testing.assert_allclose(found["p_value"], np.minimum(2 * tail, 1), rtol=1e-6, atol=1e-12)
    shrunk = found["lfc_mean"].abs() <= found["lfc"].abs() + 1e-9
    assert shrunk.all()
    assert (np.sign(found["lfc_mean"]) == np.sign(z))[found[CALL]].all()
    unchanged = ~found.index.isin([f"g{i}" for i in range(5)])
    held = (found["lfc_q05"] <= 0) & (found["lfc_q95"] >= 0)
    assert held[unchanged].mean() > 0.9
    assert not held[~unchanged].any()
    of_cells = (found["cells_lfc_q05"] <= 0) & (found["cells_lfc_q95"] >= 0)
    assert of_cells[unchanged].mean() < 0.8


def test_what_cells_say_stands_beside_it(donors):
    plain = donors.differential_expression("rna", "treated", "yes", seed=0)
    found = donors.differential_expression("rna", "treated", "yes", sample_key="donor", seed=0)
    for name in ("lfc", "lfc_mean", "lfc_std", "lfc_q05", "lfc_q95", "proba_de"):
        of_cells = found[f"cells_{name}"].rename(name).sort_index()
        pd.testing.assert_series_equal(of_cells, plain[name].sort_index())
    assert not found["proba_de"].sort_index().equals(plain["proba_de"].sort_index())


def test_which_group_is_higher_is_asked_of_samples(donors):
    found = donors.differential_expression(
        "rna", "treated", "yes", mode="vanilla", sample_key="donor", seed=0
    )
    assert (found.loc[[f"g{i}" for i in range(5)], "proba_m1"] > 0.95).all()


def test_samples_with_cells_of_both_groups_are_pairs(donors):
    found = donors.differential_expression("rna", "half", "a", delta=0, sample_key="donor", seed=0)
    # Without pairs, differences between donors would hide everything; there is nothing to find.
    assert found[CALL].sum() <= 2
    assert found["lfc"].abs().median() < 0.1


def test_one_sample_per_group_is_no_replication(donors):
    with pytest.raises(ConfigError, match=r"at least two of them.*Received 1 in group"):
        donors.differential_expression(
            "rna",
            idx1="donor == 'd1'",
            idx2="donor == 'd0'",
            sample_key="donor",
        )


def test_a_group_of_one_sample_is_left_out_where_all_are_compared(donors):
    cells = donors.adata
    kind = cells.obs["half"].astype(str).to_numpy()
    kind[(cells.obs["donor"] == "d0").to_numpy()] = "only in d0"
    cells.obs["kind"] = kind
    with pytest.warns(HzauWarning, match=r"two samples of 10 measured cells.*d0' \(1 sample\)"):
        found = donors.differential_expression("rna", "kind", sample_key="donor", seed=0)
    assert set(found["group1"]) == {"a", "b"}


def test_one_gene_is_tested_as_among_all(donors):
    options = {"delta": 0, "sample_key": "donor", "seed": 0}
    every = donors.differential_expression("rna", "treated", "yes", **options)
    one = donors.differential_expression("rna", "treated", "yes", features=["g0"], **options)
    assert one.loc["g0", "p_value"] == every.loc["g0", "p_value"]
    for column in ("lfc", "lfc_mean", "lfc_q05"):
        assert one.loc["g0", column] == every.loc["g0", column]


def test_features_that_some_samples_did_not_measure_are_not_tested(fit):
    rng = np.random.default_rng(1)
    donor = np.repeat(np.arange(6), 40)
    batch = np.where(donor % 2 == 0, "a", "b")
    x = rng.poisson(3.0, (240, 30)).astype(np.float32)
    measured = np.arange(30) < 20
    x[np.ix_(batch == "b", ~measured)] = 0
    obs = pd.DataFrame(
        {"donor": [f"d{i}" for i in donor], "batch": batch}, index=[f"c{i}" for i in range(240)]
    )
    var = pd.DataFrame(
        {"measured_a": True, "measured_b": measured}, index=[f"g{i}" for i in range(30)]
    )
    data = mudata.MuData({"rna": AnnData(x, obs=obs[[]], var=var)})
    data.obs = obs
    model = fit(data, {"rna": "nb"}, setup={"batch_key": "batch", "panel_key": "measured"})
    with pytest.warns(HzauWarning, match="share no batch"):
        found = model.differential_expression("rna", "batch", "a", sample_key="donor", seed=0)
    unmeasured = [f"g{i}" for i in range(20, 30)]
    assert (found.loc[unmeasured, "p_value"] == 1).all()
    assert found.loc[unmeasured, ["lfc", "lfc_error", "lfc_q05"]].isna().all(axis=None)
    assert (found.loc[unmeasured, ["lfc_mean", "proba_de"]] == 0).all(axis=None)
    assert (found.loc[unmeasured, "measured2"] == 0).all()
    assert not found[CALL].any()


def test_samples_that_are_batches_need_no_warning(fit):
    rng = np.random.default_rng(1)
    donor = np.repeat([f"d{i}" for i in range(6)], 20)
    obs = pd.DataFrame(
        {"donor": donor, "ill": np.where(donor < "d3", "yes", "no")},
        index=[f"c{i}" for i in range(120)],
    )
    x = rng.poisson(3.0, (120, 30)).astype(np.float32)
    data = mudata.MuData({"rna": AnnData(x, obs=obs[[]])})
    data.obs = obs
    model = fit(data, {"rna": "nb"}, setup={"batch_key": "donor"})
    with pytest.warns(HzauWarning, match="share no batch"):
        model.differential_expression("rna", "ill", "yes", seed=0)
    # A warning would be an error here.
    found = model.differential_expression("rna", "ill", "yes", sample_key="donor", seed=0)
    assert (found["replicates"] == "samples").all()
