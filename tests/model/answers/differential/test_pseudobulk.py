import mudata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

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
    np.testing.assert_allclose(of_samples.loc[changed, "pseudobulk_lfc"], 2.0, atol=0.8)


def test_the_probability_of_the_model_stands_beside_it(donors):
    plain = donors.differential_expression("rna", "treated", "yes", seed=0)
    found = donors.differential_expression("rna", "treated", "yes", sample_key="donor", seed=0)
    pd.testing.assert_series_equal(found["proba_de"].sort_index(), plain["proba_de"].sort_index())


def test_samples_with_cells_of_both_groups_are_pairs(donors):
    found = donors.differential_expression("rna", "half", "a", delta=0, sample_key="donor", seed=0)
    # Without pairs, differences between donors would hide everything; there is nothing to find.
    assert found[CALL].sum() <= 2
    assert found["pseudobulk_lfc"].abs().median() < 0.1


def test_one_sample_per_group_is_no_replication(donors):
    with pytest.raises(ConfigError, match=r"at least two of them.*Received 1 in group"):
        donors.differential_expression(
            "rna",
            idx1="donor == 'd1'",
            idx2="donor == 'd0'",
            sample_key="donor",
        )


def test_one_gene_is_tested_as_among_all(donors):
    options = {"delta": 0, "sample_key": "donor", "seed": 0}
    every = donors.differential_expression("rna", "treated", "yes", **options)
    one = donors.differential_expression("rna", "treated", "yes", features=["g0"], **options)
    assert one.loc["g0", "p_value"] == every.loc["g0", "p_value"]
    assert one.loc["g0", "pseudobulk_lfc"] == every.loc["g0", "pseudobulk_lfc"]


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
    assert found.loc[unmeasured, "pseudobulk_lfc"].isna().all()
    assert (found.loc[unmeasured, "measured2"] == 0).all()
    assert not found[CALL].any()
