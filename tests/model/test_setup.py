import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData
from mudata import MuData

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model import HZAUVAE

PAIR = {"rna": "nb", "adt": "nb"}
IDENTIFIERS = {"_scvi_uuid", "_scvi_manager_uuid"}


def test_the_registry_is_shown_as_scvi_tools_does(mdata, capsys):
    mdata.obs["some.key"] = "a"
    HZAUVAE.setup_mudata(mdata, PAIR, batch_key="some.key")
    model = HZAUVAE(mdata, n_latent=4, n_hidden=16)
    model.view_anndata_setup()
    shown = capsys.readouterr().out
    assert "adata.mod['rna'].X" in shown
    assert "adata.obs['some.key']" in shown
    assert model.summary_stats["n_cells"] == 80
    assert model.summary_stats["n_features_adt"] == 6
    assert model.adata_manager.get_from_registry("modality_rna").shape == (80, 12)
    assert model.get_var_names()["adt"] == list(mdata["adt"].var_names)


def test_a_description_tells_what_the_model_is(mdata, fit):
    HZAUVAE.setup_mudata(mdata, PAIR)
    untrained = repr(HZAUVAE(mdata, n_latent=4, n_hidden=16))
    assert "4 latents, 3 experts; untrained" in untrained
    assert "adt (6 features, nb)" in untrained
    assert "trained for 2 epochs" in repr(fit(mdata))


def test_the_user_s_data_stay_as_they_are(fit, fingerprint):
    mdata = ho.data.simulate(60, missing={"adt": 0.4}, n_batches=2, panels=True, seed=3)
    before = fingerprint(mdata)
    model = fit(mdata, setup={"batch_key": "batch", "panel_key": "measured"}, max_epochs=1)
    model.get_latent_representation()
    model.impute("adt", n_samples=2)
    model.to_anndata()
    assert set(mdata.uns) == IDENTIFIERS
    for key in IDENTIFIERS:
        del mdata.uns[key]
    assert fingerprint(mdata) == before


def test_a_copy_is_as_good_as_the_original(mdata, fit, quick):
    first = fit(mdata).get_latent_representation()
    identity = mdata.uns["_scvi_uuid"]
    copy = mdata.copy()
    second = HZAUVAE(copy, n_latent=4, n_hidden=16)
    second.train(**quick)
    np.testing.assert_array_equal(second.get_latent_representation(), first)
    assert mdata.uns["_scvi_uuid"] == identity
    part = mdata[:50].copy()
    assert HZAUVAE(part, n_latent=4, n_hidden=16).n_cells == 50


def test_a_view_is_refused(mdata):
    HZAUVAE.setup_mudata(mdata, PAIR)
    with pytest.raises(DataContractError, match=r"a view of another.*mdata = mdata.copy\(\)"):
        HZAUVAE(mdata[:50])
    assert HZAUVAE(mdata[:50].copy(), n_latent=4, n_hidden=16).adata.n_obs == 50


def test_views_are_refused_before_values_are_looked_at(mdata, monkeypatch):
    from hzau_omics.model.scvi_contract import registration

    parts = MuData({name: mdata[name][:50] for name in PAIR})
    with monkeypatch.context() as patch:
        patch.setattr(registration, "build_layout", None)
        with pytest.raises(DataContractError, match="This MuData is a view"):
            HZAUVAE.setup_mudata(mdata[:50], PAIR)
        with pytest.raises(DataContractError, match="modalities 'rna', 'adt' of this MuData are v"):
            HZAUVAE.setup_mudata(parts, PAIR)
    HZAUVAE.setup_mudata(mdata[:50].copy(), PAIR)
    HZAUVAE.setup_mudata(parts.copy(), PAIR)


def test_a_masked_modality_is_refused_and_a_mosaic_without_its_rows_is_not(mdata):
    values = mdata["adt"].X.toarray()
    masked = np.repeat(np.arange(80)[:, None] < 30, values.shape[1], axis=1)
    mdata["adt"].X = np.ma.array(np.where(masked, 777, values), mask=masked)
    with pytest.raises(DataContractError, match=r"180 are masked.*leave its row out"):
        HZAUVAE.setup_mudata(mdata, PAIR)
    mosaic = MuData({"rna": mdata["rna"].copy(), "adt": mdata["adt"][30:].copy()})
    HZAUVAE.setup_mudata(mosaic, PAIR)
    np.testing.assert_array_equal(HZAUVAE(mosaic)._store.present.mean(0), [1, 50 / 80])


def test_set_up_again_changes_the_next_model_only(mdata, fit):
    model = fit(mdata)
    before = model.get_latent_representation()
    HZAUVAE.setup_mudata(mdata, {"adt": "poisson"})
    assert HZAUVAE(mdata).layout.names == ("adt",)
    assert model.layout.names == ("rna", "adt")
    np.testing.assert_array_equal(model.get_latent_representation(), before)


def test_data_that_are_not_set_up_are_refused(mdata):
    with pytest.raises(DataContractError, match=r"not set up. Call HZAUVAE.setup_mudata"):
        HZAUVAE(mdata)


def test_anndata_is_refused_with_the_remedy(mdata):
    with pytest.raises(TypeError, match=r"Wrap the AnnData: mudata.MuData"):
        HZAUVAE.setup_anndata(mdata["rna"])
    with pytest.raises(TypeError, match=r"Received an AnnData. Wrap it"):
        HZAUVAE.setup_mudata(mdata["rna"], {"rna": "nb"})
    with pytest.raises(TypeError, match=r"reads MuData. Received AnnData"):
        HZAUVAE(mdata["rna"])


def _set_value(value):
    def spoil(mdata):
        values = mdata["rna"].X.toarray()
        values[3, 5] = value
        mdata["rna"].X = sp.csr_matrix(values)
        return mdata

    return spoil


def _rename_cells(mdata):
    mdata["rna"].obs_names = ["same", "same", *mdata["rna"].obs_names[2:]]
    return mdata


def _rename_genes(mdata):
    mdata["rna"].var_names = ["same", "same", *mdata["rna"].var_names[2:]]
    return mdata


def _reverse_without_update(mdata):
    mdata.mod["rna"] = mdata["rna"][::-1].copy()
    return mdata


def _with_other_cells(mdata):
    other = AnnData(np.ones((2, 3), np.float32))
    other.obs_names = ["lost_0", "lost_1"]
    return MuData({**mdata.mod, "other": other})


BAD_DATA = {
    "nan": (_set_value(np.nan), "must hold .* has nan"),
    "infinite": (_set_value(np.inf), "has inf"),
    "negative": (_set_value(-1.0), "non-negative integers.* has -1"),
    "fraction": (_set_value(0.5), "non-negative integers.* has 0.5.*'normal'"),
    "cell twice": (_rename_cells, "cell names of modality 'rna' must be unique.*same"),
    "gene twice": (_rename_genes, "feature names of modality 'rna' must be unique.*same"),
    "no gene": (
        lambda m: MuData({"rna": m["rna"][:, :0].copy(), "adt": m["adt"]}),
        "needs features.*'rna'",
    ),
    "no cell": (
        lambda m: MuData({"rna": m["rna"][:0].copy(), "adt": m["adt"]}),
        "needs cells.*'rna'",
    ),
    "nothing registered": (_with_other_cells, "at least one registered modality.*lost_0"),
    "stale obsmap": (_reverse_without_update, "obsmap of modality 'rna'.*call mdata.update"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("spoil", "message"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_are_refused_at_set_up(mdata, spoil, message):
    with pytest.raises(DataContractError, match=message):
        HZAUVAE.setup_mudata(spoil(mdata), PAIR)


BAD_NAMES = {
    "modality": ({"modalities": {"rns": "nb"}}, "no modality 'rns'.*Did you mean 'rna'"),
    "layer": ({"layers": {"rna": "raw"}}, "raw"),
    "batch": ({"batch_key": "bach"}, "batch key 'bach' is not a column.*'batch'"),
    "labels": ({"labels_key": "type"}, "labels key 'type' is not a column.*'cell_type'"),
    "covariate": ({"categorical_covariate_keys": ["donor"]}, "'donor' is not a column"),
    "number": ({"continuous_covariate_keys": ["batch"]}, "'batch' must hold numbers"),
    "panel": ({"batch_key": "batch", "panel_key": "seen"}, "seen_<batch>.*no registered"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_unknown_names_are_refused_and_known_ones_listed(mdata, arguments, message):
    with pytest.raises(DataContractError, match=message):
        HZAUVAE.setup_mudata(mdata, **{"modalities": PAIR, **arguments})


def test_an_unknown_likelihood_is_refused(mdata):
    with pytest.raises(ConfigError, match=r"'nbb'.*Did you mean 'nb'"):
        HZAUVAE.setup_mudata(mdata, {"rna": "nbb"})


BAD_OPTIONS = {
    "n_latent": ({"n_latent": 0}, "n_latent must be a positive integer. Received 0"),
    "n_hidden": ({"n_hidden": 2.5}, "n_hidden must be a positive integer. Received 2.5"),
    "n_layers": ({"n_layers": True}, "n_layers must be a positive integer. Received True"),
    "dropout": ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\)"),
    "weights word": (
        {"modality_weights": "equal"},
        "must be 'auto', or one positive weight .* Received 'equal'",
    ),
    "weights lack one": ({"modality_weights": {"rna": 1}}, "each registered modality.*rna, adt"),
    "weights of 0": (
        {"modality_weights": {"rna": 1, "adt": 0}},
        r"\['adt'\] must be a positive number",
    ),
    "experts": ({"experts": [["rna", "atac"]]}, "atac"),
}


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_options_out_of_range_are_refused(mdata, options, message):
    HZAUVAE.setup_mudata(mdata, PAIR)
    with pytest.raises(ConfigError, match=message):
        HZAUVAE(mdata, **options)


def test_one_modality_simply_works(mdata, fit):
    model = fit(mdata, {"adt": "nb"})
    assert np.isfinite(model.get_latent_representation()).all()
    assert (model.get_gate_weights() == 1).all(axis=None)
    assert np.isfinite(model.impute("adt", n_samples=3).X).all()
    assert model.get_pit("adt", n_samples=3).shape == (80, 6)
    assert list(model.get_reconstruction_error()) == ["adt"]


def test_the_same_feature_name_in_two_modalities_is_normal(mdata, fit):
    for name in PAIR:
        mdata[name].var_names = [f"CD{i}" for i in range(mdata[name].n_vars)]
    with pytest.warns(UserWarning, match="var_names"):
        mdata.update()
    model = fit(mdata)
    assert model.impute("adt", n_samples=2, features=["CD3"]).var_names.tolist() == ["CD3"]


@pytest.mark.parametrize(
    "names", [("rna.raw", "surface protein"), ("a+b", "c|d/e"), ("layout", "cells"), ("é", "batch")]
)
def test_any_modality_name_goes_through_training_and_back_from_disk(names, fit, tmp_path, capsys):
    mdata = ho.data.simulate(40, n_features=dict.fromkeys(names, 5), n_batches=2)
    model = fit(mdata, dict.fromkeys(names, "nb"), setup={"batch_key": "batch"}, max_epochs=1)
    assert model.get_gate_weights().columns.tolist() == list(names)
    assert model.get_gate_weights(level="expert").columns.tolist() == [*names, "+".join(names)]
    assert set(model.get_reconstruction_error()) == set(names)
    assert f"nll_{names[0]}_train" in model.history
    model.view_anndata_setup()
    assert f"adata.mod['{names[0]}'].X" in capsys.readouterr().out
    model.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model", mdata)
    np.testing.assert_array_equal(
        loaded.get_latent_representation(), model.get_latent_representation()
    )
    np.testing.assert_array_equal(loaded.train_indices_, model.train_indices_)


def test_covariates_and_layers_reach_the_model(mdata, fit):
    mdata["rna"].layers["raw"] = mdata["rna"].X.copy()
    mdata["rna"].X = mdata["rna"].X.copy() * 0.5
    mdata.obs["donor"] = np.where(np.arange(80) % 2, "d1", "d2")
    mdata.obs["age"] = np.arange(80.0)
    setup = {
        "layers": {"rna": "raw"},
        "categorical_covariate_keys": ["donor"],
        "continuous_covariate_keys": ["age"],
        "labels_key": "cell_type",
    }
    model = fit(mdata, setup=setup, options={"encode_covariates": True})
    before = model.get_latent_representation()
    other = mdata.copy()
    other.obs["donor"] = "d1"
    other.obs["age"] = 0.0
    changed = np.abs(model.get_latent_representation(other) - before).max(axis=1)
    assert (changed > 1e-4).mean() > 0.9
    assert np.isfinite(model.sample(5, "rna", seed=0).X).all()


@pytest.mark.parametrize(
    ("experts", "message"),
    [
        (["rna", "adt", "atac"], r"non-empty subset of.*Received .'atac'"),
        (["rna", "rna+adt"], r"non-empty subset of"),
        ([["rna", "adt"]], "Every modality needs its own expert"),
        (["rna", "adt", "rna"], "one expert only"),
    ],
)
def test_experts_that_do_not_fit_are_refused(mdata, experts, message):
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    with pytest.raises(ConfigError, match=message):
        HZAUVAE(mdata, experts=experts)


@pytest.mark.parametrize("given", ["unknown", ["unknown", "other"], None])
def test_set_up_can_be_repeated_from_what_is_kept(given, quick, tmp_path):
    mdata = ho.data.simulate(60, seed=0)
    mdata.obs["kind"] = np.array(["B", "unknown", "other"], object)[np.arange(60) % 3]
    modalities = {"rna": "nb", "adt": "nb"}
    given_keys = {"labels_key": "kind", "unlabeled_category": given}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        HZAUVAE.setup_mudata(mdata, modalities, **given_keys)
        model = HZAUVAE(mdata, n_latent=4, n_hidden=16)
        model.train(**quick)
        model.save(tmp_path / "model")
        kept = HZAUVAE.load_registry(tmp_path / "model")["setup_args"]
        assert kept == model.registry_["setup_args"]
        assert kept["unlabeled_category"] == given
        HZAUVAE.setup_mudata(mdata, modalities, **{name: kept[name] for name in given_keys})
    assert HZAUVAE(mdata).layout.labels.categories == model.layout.labels.categories
