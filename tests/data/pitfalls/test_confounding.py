"""Columns that cannot be told from the batch are reported, and others are not."""

import warnings

import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics.data import build_layout
from hzau_omics.data.contract.columns.obs import obs_column
from hzau_omics.errors import HzauWarning

PAIR = {"rna": "nb", "adt": "nb"}
SMALL = {"rna": 60, "adt": 20}
NESTED = {f"batch_{i}": "well" if i < 2 else "ill" for i in range(4)}


def said(mdata, modalities=PAIR, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build_layout(mdata, modalities, **options)
    return [str(w.message) for w in caught if issubclass(w.category, HzauWarning)]


def donors(conditions, n_obs=240):
    n_batches = len(conditions) if isinstance(conditions, dict) else 4
    return ho.data.simulate(n_obs, n_features=SMALL, n_batches=n_batches, conditions=conditions)


ROLES = pytest.mark.parametrize(
    ("role", "what"),
    [("labels_key", "labels"), ("categorical_covariate_keys", "covariate")],
)


@ROLES
def test_a_condition_of_whole_batches(role, what):
    mdata = donors(NESTED)
    (text,) = said(mdata, batch_key="batch", **{role: "condition"})
    n_well = int((mdata.obs["condition"] == "well").sum())
    assert text.startswith(
        f"The {what} 'condition' cannot be told from the batch 'batch': 'well' in 'batch_0', "
        f"'batch_1' ({n_well} cells); 'ill' in 'batch_2', 'batch_3' ({240 - n_well} cells). "
    )
    assert "plan_kwargs={'mixing': 0}" in text
    assert text.count(f"leave 'condition' out of {role}") == 1
    assert said(mdata, batch_key="batch") == []


@ROLES
def test_a_batch_within_conditions_is_the_remedy(role, what):
    """Lanes hold cells of both conditions, donors do not."""
    mdata = donors(NESTED)
    mdata.obs["lane"] = np.random.default_rng(0).choice(["l1", "l2"], size=240)
    assert len(said(mdata, batch_key="batch", **{role: "condition"})) == 1
    assert said(mdata, batch_key="lane", **{role: "condition"}) == []
    assert said(mdata, **{role: "condition"}) == []


@ROLES
@pytest.mark.parametrize(
    "conditions",
    [
        2,
        {f"batch_{i}": ["well", "ill"] if i == 1 else "ill" for i in range(3)},
        {f"batch_{i}": name for i, name in enumerate(["a", "b", ["a", "b"]])},
    ],
)
def test_one_batch_with_several_conditions_links_them(role, what, conditions):
    assert said(donors(conditions), batch_key="batch", **{role: "condition"}) == []


def test_kinds_that_no_two_batches_share():
    absent = {"batch_0": ["type_2", "type_3"], "batch_1": ["type_0", "type_1"]}
    mdata = ho.data.simulate(200, n_features=SMALL, n_batches=2, absent_types=absent)
    (text,) = said(mdata, batch_key="batch", labels_key="cell_type")
    assert "'type_0', 'type_1' in 'batch_0' (" in text
    # As a covariate it is fine: cells of one batch differ in it.
    assert said(mdata, batch_key="batch", categorical_covariate_keys="cell_type") == []
    mdata.obs["cell_type"] = mdata.obs["cell_type"].astype(str)
    mdata.obs.loc[mdata.obs_names[:100], "cell_type"] = None
    assert len(said(mdata, batch_key="batch", labels_key="cell_type")) == 1
    mdata.obs.loc[mdata.obs_names[:2], "cell_type"] = "unknown"
    two = mdata.obs["batch"].iloc[:30]
    mdata.obs.loc[two.groupby(two, observed=True).head(1).index, "cell_type"] = "unknown"
    # A label that both batches have links them, unless it is none.
    (text,) = said(mdata, batch_key="batch", labels_key="cell_type")
    assert text.startswith("The labels 'cell_type' have 'unknown' (2 cells)")
    options = {"labels_key": "cell_type", "unlabeled_category": "unknown"}
    (text,) = said(mdata, batch_key="batch", **options)
    assert text.startswith("The labels 'cell_type' cannot be told from the batch")


def test_a_kind_of_one_batch_alone_is_fine():
    absent = {"batch_1": ["type_1", "type_2", "type_3"]}
    mdata = ho.data.simulate(200, n_features=SMALL, n_batches=2, absent_types=absent)
    assert said(mdata, batch_key="batch", labels_key="cell_type") == []


def test_what_names_the_batch_or_single_cells_is_fine():
    mdata = donors(NESTED)
    mdata.obs["cell"] = list(mdata.obs_names)
    mdata.obs["one"] = "mouse"
    clone = np.random.default_rng(0).integers(0, 60, size=240).astype(str)
    mdata.obs["clone"] = mdata.obs["batch"].astype(str) + "_" + clone
    mdata.obs["plate"] = mdata.obs["batch"].astype(str) + np.resize(["_a", "_b"], 240)
    for role in ("labels_key", "categorical_covariate_keys"):
        for column in ("batch", "cell", "one", "clone"):
            assert said(mdata, batch_key="batch", **{role: column}) == []
    assert said(mdata, batch_key="batch", categorical_covariate_keys="plate") == []


def test_few_cells_are_no_evidence():
    obs = {"batch": list("aaabbb"), "kind": ["k1", "k2", "k3", "k4", "k5", "k6"]}
    mdata = ho.data.simulate(6, n_features=SMALL)
    mdata.obs = pd.DataFrame(obs, index=mdata.obs_names)
    assert said(mdata, batch_key="batch", labels_key="kind") == []


def test_many_groups_are_counted():
    mdata = donors({f"batch_{i}": f"day{i}" for i in range(7)})
    (text,) = said(mdata, batch_key="batch", labels_key="condition")
    assert "'day3' in 'batch_3'" in text
    assert "; and 3 groups more. Training draws" in text


def test_a_store_is_judged_as_a_whole(tmp_path):
    """Each piece is one batch with one condition; only together do they say something."""
    pytest.importorskip("annbatch")
    mdata = donors(NESTED)
    pieces = [mdata[(mdata.obs["batch"] == b).to_numpy()].copy() for b in NESTED]
    options = {"batch_key": "batch", "labels_key": "condition"}
    with pytest.warns(HzauWarning, match="'ill' in 'batch_2', 'batch_3'") as caught:
        ho.data.write_store(pieces, tmp_path / "a.zarr", PAIR, **options)
    assert sum(w.category is HzauWarning for w in caught) == 1
    pieces[0].obs["condition"] = "ill"
    one = pieces[2].obs["condition"].astype(str)
    one.iloc[0] = "well"
    pieces[2].obs["condition"] = one
    ho.data.write_store(pieces, tmp_path / "b.zarr", PAIR, **options)


def test_bundled_cells_are_fine():
    mdata = ho.data.load("pbmc_mosaic")
    for column in ("cell_type", "description"):
        assert said(mdata, batch_key="batch", labels_key=column) == []
        mdata.obs[column] = mdata.obs[column].astype(object).fillna("none").astype(str)
        assert said(mdata, batch_key="batch", categorical_covariate_keys=column) == []


@pytest.mark.parametrize(
    ("file", "columns"),
    [
        ("citeseq_pbmc10k_totalvi.h5mu", ["cell_type"]),
        ("citeseq_bmmc_neurips2021_starter.h5mu", ["cell_type"]),
        ("citeseq_pbmc_2batch_labelled.h5mu", ["cell_type"]),
        ("citeseq_pbmc_mosaic_midas_quickstart.h5mu", ["celltype"]),
        (
            "multiome_snareseq_mouse_cortex.h5mu",
            ["cell_type", "cell_type_full", "cell_type_coarse"],
        ),
    ],
)
def test_real_cells_are_fine(real, file, columns):
    mdata = real(file)
    modalities = dict.fromkeys(mdata.mod, "nb")
    options = {"batch_key": "batch"}
    if file == "citeseq_pbmc_2batch_labelled.h5mu":
        options["panel_key"] = "measured"
    for column in columns:
        labels = {"labels_key": column}
        if (obs_column(mdata, column) == "unknown").any():
            labels["unlabeled_category"] = "unknown"
        assert said(mdata, modalities, **labels, **options) == []
    assert said(mdata, modalities, categorical_covariate_keys=columns, **options) == []
