import warnings

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.model import HZAUVAE, MVAE

TYPES = ["type_0", "type_1", "type_2", "type_3"]


@pytest.fixture(scope="module")
def cells():
    """Cells of four types: some lack protein, some a label."""
    made = ho.data.simulate(
        n_obs=360, seed=0, n_features={"rna": 80, "adt": 24}, missing={"adt": 0.3}
    )
    labels = made.obs["cell_type"].astype(object).to_numpy().copy()
    labels[::6] = None
    made.obs["label"] = labels
    return made


@pytest.fixture(scope="module")
def labelled(cells, fit):
    """A trained model of these cells; no test may change it."""
    options = {"setup": {"labels_key": "label"}, "options": {"n_latent": 4, "n_hidden": 32}}
    return fit(cells, **options, max_epochs=30, train_size=0.6)


def test_labels_are_found_again_without_a_cells_own(labelled, cells):
    probability = labelled.predict_labels()
    assert probability.columns.tolist() == TYPES
    assert probability.index.equals(cells.obs_names)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-4)
    lacking = cells.obs["label"].isna().to_numpy()
    right = probability.idxmax(axis=1).to_numpy() == cells.obs["cell_type"].to_numpy()
    # Cells whose label voted for others do hardly better than those without one.
    assert right[lacking].mean() > 0.6
    assert right[~lacking].mean() < right[lacking].mean() + 0.2


def test_a_cell_is_compared_with_others_only(labelled, cells):
    position = labelled.train_indices_[0]
    names = cells.obs_names.to_numpy().copy()
    other = cells[[position]].copy()
    own = labelled.predict_labels(indices=[position])
    np.testing.assert_allclose(labelled.predict_labels(other), own, rtol=1e-4, atol=1e-6)
    renamed = cells[[position]].copy()
    for part in renamed.mod.values():
        part.obs_names = [f"new_{name}" for name in part.obs_names]
    renamed.update()
    # Under another name it may be compared with itself, which is in its own favour.
    label = cells.obs["label"].iloc[position]
    if label is not None:
        assert labelled.predict_labels(renamed)[label].iloc[0] >= own[label].iloc[0] - 1e-6
    assert names[position] == other.obs_names[0]


def test_cells_without_a_label_column_can_be_asked_about(labelled, cells):
    query = cells[:20].copy()
    del query.obs["label"]
    expected = labelled.predict_labels(indices=range(20))
    np.testing.assert_allclose(labelled.predict_labels(query), expected, rtol=1e-4, atol=1e-6)


def test_hard_labels_have_sets_and_unknown_ones(labelled, cells):
    soft = labelled.predict_labels()
    found = labelled.predict_labels(soft=False, coverage=0.9)
    assert found.columns.tolist() == ["label", "probability", "set", "set_size"]
    np.testing.assert_allclose(found["probability"], soft.max(axis=1), rtol=1e-6)
    named = found["label"] != "unknown"
    assert (found["label"][named] == soft.idxmax(axis=1)[named]).all()
    assert (found["label"][found["probability"] < 0.5] == "unknown").all()
    sets = found["set"].str.split("|")
    assert (sets.str.len() == found["set_size"]).all()
    assert found["set_size"].min() >= 1
    validation = labelled.validation_indices_
    known = validation[cells.obs["label"].notna().to_numpy()[validation]]
    held = [cells.obs["cell_type"].iloc[i] in sets.iloc[i] for i in known]
    # The thresholds come from these very cells.
    assert np.mean(held) >= 0.85


def test_too_few_validation_cells_for_a_coverage_give_full_sets_and_one_warning(labelled):
    with pytest.warns(
        HzauWarning, match=r"at least 9,999 calibration cells.*Lower coverage"
    ) as told:
        found = labelled.predict_labels(soft=False, coverage=0.9999, batch_size=16)
    assert len(told) == 1
    assert (found["set_size"] == len(TYPES)).all()
    assert (found["set"] == "|".join(TYPES)).all()


def test_a_cell_gets_the_first_ancestor_that_is_certain(labelled):
    above = {"type_0": "a", "type_1": ["a"], "a": "all", "type_2": ["b", "all"], "type_3": "all"}
    soft = labelled.predict_labels()
    found = labelled.predict_labels(
        soft=False, coverage=0.5, hierarchy=above, certain=0.95
    ).reset_index(drop=True)
    best = soft.max(axis=1).to_numpy()
    novel = (labelled.get_novelty()["p_value"] < 0.01).to_numpy()
    label = found["label"].to_numpy()
    np.testing.assert_array_equal(
        label[(best >= 0.95) & ~novel], soft.idxmax(axis=1)[(best >= 0.95) & ~novel]
    )
    narrow = (best < 0.95) & ~novel
    assert set(label[narrow]) <= {"a", "all"}
    sums = soft["type_0"] + soft["type_1"]
    np.testing.assert_allclose(
        found["probability"][label == "a"], sums.to_numpy()[label == "a"], rtol=1e-5
    )
    assert (found["probability"][narrow] >= 0.95).all()


@pytest.mark.parametrize(
    ("hierarchy", "message"),
    [
        ({"type_9": "a"}, r"Received 'type_9'.*Did you mean 'type_"),
        ({"type_0": "a", "a": "type_0"}, r"circle.*above itself"),
        ({"type_0": 3}, r"hierarchy\['type_0'\]"),
    ],
)
def test_a_hierarchy_that_is_none_is_refused(labelled, hierarchy, message):
    with pytest.raises(ConfigError, match=message):
        labelled.predict_labels(soft=False, hierarchy=hierarchy)


def test_a_hierarchy_has_no_effect_on_probabilities(labelled):
    with pytest.raises(ConfigError, match=r"soft=True.*soft=False"):
        labelled.predict_labels(hierarchy={"type_0": "a"})


def test_each_set_of_modalities_has_its_own_answer(labelled, cells):
    rna = labelled.predict_labels(given="rna")
    assert rna.notna().all().all()
    adt = labelled.predict_labels(given="adt")
    lacking = ~cells.obs_names.isin(cells["adt"].obs_names)
    np.testing.assert_array_equal(adt.isna().all(axis=1), lacking)
    hard = labelled.predict_labels(given="adt", soft=False, coverage=0.9)[lacking]
    assert (hard["label"] == "unknown").all()
    assert hard["probability"].isna().all()
    assert (hard["set_size"] == len(TYPES)).all()


def test_labels_and_novelty_survive_a_file_without_the_data(labelled, cells, tmp_path):
    labelled.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model", adata=False, accelerator="cpu")
    query = cells[:30].copy()
    pd.testing.assert_frame_equal(loaded.predict_labels(query), labelled.predict_labels(query))
    pd.testing.assert_frame_equal(loaded.get_novelty(query), labelled.get_novelty(query))


def test_annotate_writes_labels_and_novelty(labelled, cells):
    query = cells[:40].copy()
    labelled.annotate(query)
    soft = labelled.predict_labels(query)
    written = query.obsm["hzau_labels"]
    assert written.columns.tolist() == soft.columns.tolist()
    np.testing.assert_allclose(written, soft, rtol=1e-5, atol=1e-7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HzauWarning)
        hard = labelled.predict_labels(query, soft=False)
    assert query.obs["hzau_label"].tolist() == hard["label"].tolist()
    np.testing.assert_allclose(query.obs["hzau_label_probability"], hard["probability"], rtol=1e-6)
    novelty = labelled.get_novelty(query)["p_value"]
    np.testing.assert_allclose(query.obs["hzau_novelty"], novelty, rtol=1e-6)
    assert "hzau_novelty" in query["rna"].obsm
    of_rna = query.obs["hzau_label"].loc[query["rna"].obs_names]
    assert query["rna"].obs["hzau_label"].tolist() == of_rna.tolist()


def test_names_of_labels_survive_a_file(mdata, fit, tmp_path):
    mdata.obs["label"] = np.array(["B", "NK/T"])[np.arange(80) % 2]
    model = fit(mdata, setup={"labels_key": "label"}, max_epochs=1)
    adata = model.to_anndata()
    adata.write_h5ad(tmp_path / "cells.h5ad")
    back = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert back.obsm["hzau_labels"].columns.tolist() == ["B", "NK|T"]
    found = sc.get.obs_df(back, obsm_keys=[("hzau_labels", "NK|T")]).iloc[:, 0]
    np.testing.assert_allclose(found, model.predict_labels()["NK/T"], rtol=1e-5, atol=1e-7)
    model.annotate()
    mdata.write(tmp_path / "cells.h5mu")
    again = mudata.read_h5mu(tmp_path / "cells.h5mu")
    for target in (again, again["rna"]):
        assert target.obsm["hzau_labels"].columns.tolist() == ["B", "NK|T"]


def test_a_model_without_labels_says_so(model):
    with pytest.raises(ConfigError, match=r"without labels.*labels_key"):
        model.predict_labels()


@pytest.mark.parametrize("labels", [["x"] * 80, [None] * 79 + ["x"]])
def test_one_label_is_no_choice(mdata, fit, labels):
    mdata.obs["label"] = np.array(labels, dtype=object)
    model = fit(mdata, setup={"labels_key": "label"}, train_size=1.0)
    with pytest.raises(ConfigError, match=r"at least two labels.*Received 'x'.*Label more"):
        model.predict_labels()
    model.annotate()
    assert "hzau_labels" not in mdata.obsm
    assert "hzau_label" not in mdata.obs


def test_labels_of_no_cell_are_refused_at_set_up(mdata):
    mdata.obs["label"] = np.array([None] * 80, dtype=object)
    with pytest.raises(DataContractError, match=r"a label for at least one cell"):
        HZAUVAE.setup_mudata(mdata, {"rna": "nb"}, labels_key="label")


def test_without_validation_cells_labels_come_without_a_promise(mdata, fit):
    model = fit(mdata, setup={"labels_key": "cell_type"}, train_size=1.0)
    assert np.isfinite(model.predict_labels()).all().all()
    with pytest.warns(HzauWarning, match=r"hold all labels"):
        found = model.predict_labels(soft=False, coverage=0.6)
    assert found["set_size"].nunique() == 1
    assert found["set_size"].iloc[0] == mdata.obs["cell_type"].nunique()


def test_two_labelled_cells_are_enough(mdata, fit):
    mdata.obs["label"] = np.array(["x", "y"] + [None] * 78, dtype=object)
    model = fit(mdata, setup={"labels_key": "label"}, train_size=1.0)
    found = model.predict_labels()
    assert np.isfinite(found).all().all()
    # Each of the two is compared with the other one only, which does not make it certain.
    assert found.iloc[0].tolist() == pytest.approx([1 / 6, 5 / 6], abs=1e-6)


def test_a_baseline_predicts_labels_too(mdata, quick):
    MVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"}, labels_key="cell_type")
    model = MVAE(mdata, n_latent=3, n_hidden=8)
    model.train(**quick)
    assert np.isfinite(model.predict_labels()).all().all()
    model.annotate()
    assert "hzau_label" in mdata.obs


def test_a_store_on_disk_gives_what_the_data_give(cells, quick, tmp_path):
    pytest.importorskip("zarr")
    setup = {"labels_key": "label"}
    ho.data.write_store(cells, tmp_path / "store", {"rna": "nb", "adt": "nb"}, **setup)
    store = ho.data.open_store(tmp_path / "store")
    HZAUVAE.setup_mudata(cells, {"rna": "nb", "adt": "nb"}, **setup)
    models = []
    for data in (store, cells):
        one = HZAUVAE(data, n_latent=3, n_hidden=8)
        one.train(**quick)
        models.append(one)
    on_disk, in_memory = models
    np.testing.assert_array_equal(on_disk.reference_.labels, in_memory.reference_.labels)
    assert np.isfinite(on_disk.predict_labels(indices=range(30))).all().all()
    on_disk.annotate()
    written = np.asarray(store.obsm["hzau_labels"])
    np.testing.assert_allclose(written[:30], on_disk.predict_labels(indices=range(30)), atol=1e-5)
    assert "hzau_novelty" in store.obsm


def test_cells_of_one_modality_in_a_model_of_two(labelled, cells):
    alone = mudata.MuData({"rna": cells["rna"][:10].copy()})
    found = labelled.predict_labels(alone)
    expected = labelled.predict_labels(cells[:10].copy(), given="rna")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_scores_of_calibration_cells_are_what_predict_labels_gives_them(cells, fit):
    """Also if the last registered label is one that cells with protein do not have."""
    some = cells.copy()
    lacking = ~some.obs_names.isin(some["adt"].obs_names)
    labels = some.obs["label"].astype(object).to_numpy().copy()
    labels[np.flatnonzero(lacking)[:40]] = "z_rare"
    some.obs["label"] = labels
    options = {"setup": {"labels_key": "label"}, "options": {"n_latent": 4, "n_hidden": 16}}
    model = fit(some, **options, max_epochs=3, train_size=0.6)
    cells_of = model.validation_indices_[~lacking[model.validation_indices_]]
    known = cells_of[pd.notna(labels[cells_of])]
    soft = model.predict_labels(indices=known, given="adt")
    own = soft.to_numpy()[np.arange(len(known)), soft.columns.get_indexer(labels[known])]
    scores = model.reference_.views["adt",].votes.scores.exp().reciprocal()
    np.testing.assert_allclose(np.sort(scores), np.sort(own), rtol=1e-3)


def test_names_that_files_cannot_hold_are_written_all_the_same(fit, tmp_path):
    """Labels that are no names of columns, and one that is the name of the cells' index."""
    names = ["_index", ".", "..", "", "NK/T", "cell"]
    mdata = ho.data.simulate(60, n_features={"rna": 12, "adt": 7}, seed=0)
    mdata.obs["label"] = np.array(names, dtype=object)[np.arange(60) % len(names)]
    mdata.obs.index.name = "cell"
    with pytest.warns(HzauWarning, match="one more type of cells"):
        model = fit(mdata, setup={"labels_key": "label"})
    model.annotate()
    mdata.write_h5mu(tmp_path / "cells.h5mu")
    found = mudata.read_h5mu(tmp_path / "cells.h5mu")
    columns = {"_index|", ".|", "..|", "|", "NK|T"}
    for part, own in ((found, "cell|"), *((adata, "cell") for adata in found.mod.values())):
        assert set(part.obsm["hzau_labels"].columns) == columns | {own}
        assert part.obsm["hzau_labels"].index.equals(part.obs_names)
    model.to_anndata().write_h5ad(tmp_path / "cells.h5ad")
