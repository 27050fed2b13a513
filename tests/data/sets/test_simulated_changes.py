"""Simulated changes: what `var` says of them is what the counts show."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hzau_omics.data.sets.simulate import simulate
from hzau_omics.errors import ConfigError

WELL_ILL = {"conditions": ["well", "ill"], "condition_effect": 0.0}


def shares(adata: AnnData) -> np.ndarray:
    x = adata.X.toarray()
    return x / x.sum(1, keepdims=True)


def test_counts_show_the_changes_that_var_names():
    mdata = simulate(6000, n_features={"rna": 300}, n_cell_types=1, changed=0.2, seed=2, **WELL_ILL)
    truth = mdata["rna"].var["lfc_ill"].to_numpy()
    ill = (mdata.obs["condition"] == "ill").to_numpy()
    of_cells = shares(mdata["rna"])
    found = np.log2(of_cells[ill].mean(0)) - np.log2(of_cells[~ill].mean(0))
    seen = np.asarray(mdata["rna"].X.mean(0)).ravel() > 1
    assert (truth != 0).sum() == 60
    assert np.abs(truth[truth != 0]).min() > 0.3
    assert np.abs(truth).max() < 2
    assert np.abs(found - truth)[seen].mean() < 0.06
    # What does not change keeps its share of the total.
    assert abs((found - truth)[seen].mean()) < 0.02


def test_each_condition_has_changes_of_its_own_and_the_first_none():
    mdata = simulate(60, conditions=["a", "b", "c"], changed={"rna": 0.1}, seed=0)
    table = mdata["rna"].var[["lfc_b", "lfc_c"]]
    assert (table != 0).sum().tolist() == [20, 20]
    assert not table["lfc_b"].equals(table["lfc_c"])
    assert "lfc_a" not in mdata["rna"].var
    assert list(mdata["adt"].var.columns) == []


def test_donors_differ_and_belong_to_one_condition():
    mdata = simulate(
        3000, n_features={"rna": 100}, n_cell_types=1, n_donors=3, donor_effect=0.5, **WELL_ILL
    )
    of_donors = mdata.obs.groupby("donor", observed=True)["condition"].nunique()
    assert of_donors.eq(1).all()
    assert len(of_donors) == 6
    assert mdata.obs["donor"].cat.categories[0] == "well_donor_0"
    means = pd.DataFrame(shares(mdata["rna"])).groupby(mdata.obs["donor"].to_numpy()).mean()
    spread = np.log(means).std(ddof=1).mean()
    assert spread == pytest.approx(0.5, abs=0.1)


def test_donors_without_conditions_are_of_all_cells():
    mdata = simulate(100, n_donors=4)
    assert list(mdata.obs["donor"].cat.categories) == [f"donor_{i}" for i in range(4)]


def test_changes_and_donors_leave_all_other_draws_as_they_are():
    plain, changed = (
        simulate(50, seed=1, changed={"rna": share}, n_donors=2, donor_effect=0.0, **WELL_ILL)
        for share in (0.0, 0.1)
    )
    first = simulate(50, seed=1, **WELL_ILL)
    np.testing.assert_array_equal(first["rna"].X.toarray(), plain["rna"].X.toarray())
    np.testing.assert_array_equal(plain["adt"].X.toarray(), changed["adt"].X.toarray())
    assert plain.obs["condition"].equals(changed.obs["condition"])
    again = simulate(50, seed=1, changed={"rna": 0.1}, n_donors=2, donor_effect=0.0, **WELL_ILL)
    np.testing.assert_array_equal(again["rna"].X.toarray(), changed["rna"].X.toarray())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"changed": 0.1}, r"Features change from the first.*give conditions"),
        ({"changed": 2.0, **WELL_ILL}, "changed"),
        ({"changed": {"emb": 0.1}, **WELL_ILL}, "'emb', which is none with counts"),
        ({"n_donors": -1}, "n_donors"),
        ({"donor_effect": -1.0}, "donor_effect"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    with pytest.raises(ConfigError, match=match):
        simulate(20, n_features={"rna": 5, "emb": 3}, likelihoods={"emb": "normal"}, **options)
