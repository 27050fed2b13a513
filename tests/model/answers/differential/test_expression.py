import mudata
import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from tests.model.conftest import fingerprint_of

CALL = "is_de_fdr_0.05"


@pytest.fixture(scope="module")
def cells():
    return ho.data.simulate(
        n_obs=450,
        seed=3,
        n_features={"rna": 60, "adt": 12},
        n_batches=2,
        n_cell_types=3,
        missing={"adt": 0.3},
    )


@pytest.fixture(scope="module")
def fitted(fit, cells):
    options = {"n_latent": 5, "n_hidden": 32}
    return fit(cells, setup={"batch_key": "batch"}, options=options, max_epochs=80)


def expected_counts(cells, modality, kind):
    of = cells[modality].obs_names[(cells.obs["cell_type"] == kind)[cells[modality].obs_names]]
    x = cells[modality][of].to_df()
    return x.sum() / x.to_numpy().sum()


def test_types_are_told_apart_by_what_differs(fitted, cells):
    found = fitted.differential_expression("rna", "cell_type", "type_0", "type_1", delta=0, seed=0)
    truth = np.log2(
        (expected_counts(cells, "rna", "type_0") + 1e-4)
        / (expected_counts(cells, "rna", "type_1") + 1e-4)
    )[found.index]
    assert np.corrcoef(truth, found["lfc"])[0, 1] > 0.98
    assert (np.sign(truth) == np.sign(found["lfc_mean"]))[found[CALL]].all()
    assert found[CALL].sum() > 10
    inside = (found["lfc_q05"] <= found["lfc"]) & (found["lfc"] <= found["lfc_q95"])
    assert inside.mean() > 0.8


def test_a_group_of_one_cell_is_left_out_where_all_are_compared(fitted, cells):
    cells.obs["few"] = cells.obs["cell_type"].astype(str).to_numpy()
    cells.obs.loc[cells.obs_names[0], "few"] = "rare"
    options = {"features": list(cells["rna"].var_names[:2]), "seed": 0}
    with pytest.warns(HzauWarning, match=r"fewer than two cells for 'rna'.*: 'rare' \(1 cell\)"):
        found = fitted.differential_expression("rna", "few", **options)
    assert set(found["group1"]) == {"type_0", "type_1", "type_2"}
    with pytest.raises(DataContractError, match=r"at least two cells.*'rare' with 1"):
        fitted.differential_expression("rna", "few", "rare", **options)
    with pytest.raises(DataContractError, match=r"at least two cells.*'rare' with 1"):
        fitted.differential_expression("rna", "few", group2="rare", **options)


def test_cells_without_a_label_are_no_group_unless_named(fit, cells):
    mdata = cells.copy()
    mdata.obs["label"] = mdata.obs["cell_type"].astype(str).replace("type_2", "unknown")
    setup = {"labels_key": "label", "unlabeled_category": "unknown"}
    model = fit(mdata, setup=setup, options={"n_latent": 3, "n_hidden": 16}, max_epochs=1)
    options = {"features": cells["rna"].var_names[0], "seed": 0}
    found = model.differential_expression("rna", "label", **options)
    assert set(found["group1"]) == {"type_0", "type_1"}
    named = model.differential_expression("rna", "label", group2="unknown", **options)
    assert set(named["group2"]) == {"unknown"}
    of_two = model.differential_expression("rna", "label", "type_0", "type_1", **options)
    pd.testing.assert_series_equal(
        found.loc[found["group1"] == "type_0", "p_value"], of_two["p_value"]
    )


def test_cells_of_one_kind_have_no_difference(fitted, cells):
    rng = np.random.default_rng(0)
    of = np.flatnonzero(cells.obs["cell_type"] == "type_0")
    calls = 0
    for _ in range(20):
        chosen = rng.permutation(of)
        half = len(of) // 2
        found = fitted.differential_expression(
            "rna", idx1=chosen[:half], idx2=chosen[half:], delta=0, n_samples=50, seed=0
        )
        calls += found[CALL].any()
    assert calls <= 4


def test_all_groups_at_once_are_those_one_by_one(fitted):
    every = fitted.differential_expression("rna", "cell_type", seed=0)
    assert every.groupby("comparison").size().tolist() == [60, 60, 60]
    one = fitted.differential_expression("rna", "cell_type", "type_1", seed=0)
    pd.testing.assert_frame_equal(every[every["group1"] == "type_1"], one)


def test_every_other_group_is_compared_with_the_second(fitted):
    found = fitted.differential_expression("rna", "cell_type", group2="type_1", seed=0)
    assert pd.unique(found["comparison"]).tolist() == ["type_0 vs type_1", "type_2 vs type_1"]


def test_groups_by_column_mask_query_and_positions_are_the_same(fitted, cells):
    by_column = fitted.differential_expression("rna", "cell_type", "type_0", "type_2", seed=0)
    kinds = cells.obs["cell_type"].to_numpy()
    first, second = kinds == "type_0", kinds == "type_2"
    for one, other in (
        (first, second),
        (np.flatnonzero(first), np.flatnonzero(second)),
        ("cell_type == 'type_0'", "cell_type == 'type_2'"),
    ):
        found = fitted.differential_expression("rna", idx1=one, idx2=other, seed=0)
        for column in ("lfc", "p_value", "q_value", CALL, "raw_mean1"):
            pd.testing.assert_series_equal(found[column], by_column[column])


def test_the_same_seed_gives_the_same_table(fitted):
    one, two, other = (
        fitted.differential_expression("adt", "cell_type", "type_0", seed=seed)
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(one, two)
    assert not one["lfc_mean"].equals(other["lfc_mean"])


def test_measured_values_need_no_draws(fitted):
    one, other = (
        fitted.differential_expression("rna", "cell_type", "type_0", seed=seed) for seed in (0, 1)
    )
    np.testing.assert_array_equal(one["p_value"], other.loc[one.index, "p_value"])


def test_nothing_is_changed(fitted, cells):
    before = fingerprint_of(cells)
    fitted.differential_expression("adt", "cell_type", seed=0)
    assert fingerprint_of(cells) == before


def test_features_are_tested_alone(fitted):
    every = fitted.differential_expression("rna", "cell_type", "type_0", seed=0)
    wanted = ["rna_5", "rna_2"]
    some = fitted.differential_expression("rna", "cell_type", "type_0", features=wanted, seed=0)
    assert set(some.index) == set(wanted)
    np.testing.assert_allclose(some["p_value"], every.loc[some.index, "p_value"])


def test_shares_of_measured_cells_are_told(fitted, cells):
    found = fitted.differential_expression("adt", "cell_type", "type_0", seed=0)
    has = cells.obs_names.isin(cells["adt"].obs_names)
    of = (cells.obs["cell_type"] == "type_0").to_numpy()
    np.testing.assert_allclose(found["measured1"], has[of].mean())
    np.testing.assert_allclose(found["measured2"], has[~of].mean())


def test_a_group_without_the_modality_is_compared_by_predictions(fitted, cells):
    kept = ~(
        (cells.obs["cell_type"] == "type_0").to_numpy()
        & cells.obs_names.isin(cells["adt"].obs_names)
    )
    some = cells[kept].copy()
    found = fitted.differential_expression("adt", "cell_type", "type_0", mdata=some, seed=0)
    complete = fitted.differential_expression("adt", "cell_type", "type_0", seed=0)
    assert (found["measured1"] == 0).all()
    assert found["raw_mean1"].isna().all()
    assert np.corrcoef(found["lfc"], complete.loc[found.index, "lfc"])[0, 1] > 0.9
    assert found["lfc_std"].median() > complete["lfc_std"].median()


def test_the_modality_itself_is_no_source(fitted):
    with pytest.raises(ConfigError, match=r"other modalities.*'adt' itself"):
        fitted.differential_expression("adt", "cell_type", given=["rna", "adt"])


def test_unknown_reliability_is_refused(fitted, cells):
    new = cells[:60].copy()
    new.obs["batch"] = "new"
    with pytest.raises(ConfigError, match=r"needs the reliability.*Received \d+ cells"):
        fitted.differential_expression("rna", "cell_type", mdata=new, min_reliability=0.5)


@pytest.mark.parametrize("n", [3, 6])
def test_few_cells_have_no_difference_where_others_lack_the_modality(fitted, cells, n):
    """A single cell that lacks it must not change how the measured ones are tested."""
    rng = np.random.default_rng(n)
    has = cells.obs_names.isin(cells["adt"].obs_names)
    of = np.flatnonzero(has & (cells.obs["cell_type"] == "type_0").to_numpy())
    lacking = np.flatnonzero(~has & (cells.obs["cell_type"] == "type_0").to_numpy())[:3]
    calls = 0
    for _ in range(12):
        chosen = rng.permutation(of)
        found = fitted.differential_expression(
            "adt", idx1=chosen[:n], idx2=[*chosen[n:], *lacking], delta=0, n_samples=50, seed=0
        )
        calls += found[CALL].any()
    assert calls <= 2


def test_vanilla_mode_asks_which_group_is_higher(fitted):
    found = fitted.differential_expression("rna", "cell_type", "type_0", mode="vanilla", seed=0)
    np.testing.assert_allclose(found["proba_m1"] + found["proba_m2"], 1.0, atol=1e-6)
    called = found[found[CALL]]
    assert ((called["proba_m1"] > 0.5) == (called["lfc"] > 0)).all()


def test_a_threshold_makes_fewer_calls(fitted):
    calls = [
        fitted.differential_expression("rna", "cell_type", "type_0", delta=delta, seed=0)[
            CALL
        ].sum()
        for delta in (0, 0.5, 2)
    ]
    assert calls[0] > calls[1] > calls[2]


def test_unreliable_measurements_can_be_left_out(fitted, cells):
    reliability = fitted.get_reliability()["rna"]
    least = float(reliability.median())
    found = fitted.differential_expression(
        "rna", "cell_type", "type_0", min_reliability=least, given="adt", seed=0
    )
    assert found["replicates"].eq("cells").all()
    kept = (reliability >= least) & (cells.obs["cell_type"] == "type_0")
    expected = cells["rna"][kept[kept].index].to_df().mean()
    np.testing.assert_allclose(found["raw_mean1"], expected[found.index], rtol=1e-5)


def test_groups_in_different_batches_are_warned_of(fitted, cells):
    batches = cells.obs["batch"].to_numpy()
    kinds = cells.obs["cell_type"].to_numpy()
    one, other = ((kinds == "type_0") & (batches == f"batch_{b}") for b in (0, 1))
    with pytest.warns(HzauWarning, match="share no batch"):
        found = fitted.differential_expression("rna", idx1=one, idx2=other, seed=0)
    assert found["p_value"].between(0, 1).all()
    pooled = fitted.differential_expression(
        "rna", idx1=one, idx2=other, batch_correction=False, seed=0
    )
    # The batches differ, which nothing takes out now.
    assert pooled[CALL].sum() > 5


BAD = {
    "neither groups nor cells": ({}, ConfigError, "neither"),
    "both": ({"groupby": "cell_type", "idx1": [0, 1]}, ConfigError, "both"),
    "no such column": ({"groupby": "cell_typ"}, DataContractError, "cell_type"),
    "no such group": ({"groupby": "cell_type", "group1": "type_9"}, DataContractError, "group1"),
    "with itself": (
        {"groupby": "cell_type", "group1": "type_0", "group2": "type_0"},
        ConfigError,
        "with itself",
    ),
    "overlap": ({"idx1": [0, 1, 2], "idx2": [2, 3]}, ConfigError, "1 cells in both"),
    "one cell": ({"idx1": [0]}, DataContractError, "'idx1' with 1"),
    "no cell": ({"idx1": "batch == 'nowhere'"}, ConfigError, "selects none"),
    "no query": ({"idx1": "batch =="}, ConfigError, "query"),
    "group2 with idx1": ({"idx1": [0, 1], "group2": "type_0"}, ConfigError, "groupby"),
    "idx2 with groupby": ({"groupby": "cell_type", "idx2": [1]}, ConfigError, "idx1"),
    "no such feature": (
        {"groupby": "cell_type", "features": ["CD3"]},
        DataContractError,
        "CD3",
    ),
    "mode": ({"groupby": "cell_type", "mode": "chang"}, ConfigError, "change"),
    "delta": ({"groupby": "cell_type", "delta": -1}, ConfigError, "delta"),
    "rate": ({"groupby": "cell_type", "fdr_target": 5}, ConfigError, "fdr_target"),
    "no such sample column": (
        {"groupby": "cell_type", "sample_key": "donor"},
        DataContractError,
        "donor",
    ),
    "one group only": ({"groupby": "constant"}, DataContractError, "at least two"),
}


@pytest.mark.parametrize(("options", "error", "message"), BAD.values(), ids=list(BAD))
def test_bad_input_is_refused_with_a_reason(fitted, cells, options, error, message):
    other = cells.copy()
    other.obs["constant"] = "a"
    with pytest.raises(error, match=message):
        fitted.differential_expression("rna", mdata=other, **options)


def test_a_feature_that_is_zero_everywhere_is_no_finding(fit):
    cells = ho.data.simulate(n_obs=120, seed=0)
    rna = cells["rna"].copy()
    rna.X = rna.to_df().assign(rna_0=0).to_numpy(np.float32)
    silent = mudata.MuData({"rna": rna, "adt": cells["adt"]})
    silent.obs["cell_type"] = cells.obs["cell_type"]
    found = fit(silent).differential_expression("rna", "cell_type", "type_0", seed=0)
    assert found.loc["rna_0", "p_value"] == 1
    assert not found.loc["rna_0", CALL]
    assert np.isfinite(found.select_dtypes("number")).all().all()


def test_a_modality_without_amounts_is_refused(fit):
    cells = ho.data.simulate(80, seed=0, likelihoods={"adt": "normal"})
    model = fit(cells, {"rna": "nb", "adt": "normal"})
    with pytest.raises(ConfigError, match="rank_genes_groups"):
        model.differential_expression("adt", "cell_type")


def test_a_store_on_disk_has_the_same_answer(fit, cells, tmp_path):
    pytest.importorskip("zarr")
    small = cells[:200].copy()
    model = fit(small, setup={"batch_key": "batch"})
    store = ho.data.write_store(
        small, tmp_path / "store", {"rna": "nb", "adt": "nb"}, batch_key="batch"
    )
    in_memory = model.differential_expression("rna", "cell_type", seed=0)
    on_disk = model.differential_expression("rna", "cell_type", mdata=store, seed=0)
    pd.testing.assert_frame_equal(in_memory, on_disk)
