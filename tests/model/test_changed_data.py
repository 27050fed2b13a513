"""Training data that change after set-up: never other cells' results, never a leaking split."""

import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.model import HZAUVAE

PAIR = {"rna": "nb", "adt": "nb"}
SIZES = {"n_latent": 4, "n_hidden": 16}


def simulated(seed=2, n_obs=80):
    return ho.data.simulate(n_obs=n_obs, n_features={"rna": 12, "adt": 6}, seed=seed)


def logarithms(mdata):
    mdata["rna"].X = mdata["rna"].X.log1p()


def other_values(mdata):
    for name, adata in simulated(seed=9).mod.items():
        mdata[name].X = adata.X


def sorted_cells(mdata):
    mdata.obs.sort_values("cell_type", inplace=True)


def filtered(mdata):
    for name in mdata.mod:
        mdata.mod[name] = mdata.mod[name][:50].copy()
    mdata.update()


CHANGES = [logarithms, other_values, sorted_cells, filtered]


@pytest.fixture(scope="module")
def folder(fit, tmp_path_factory):
    """A trained model on disk."""
    path = tmp_path_factory.mktemp("saved") / "model"
    fit(simulated()).save(path)
    return path


@pytest.fixture
def attached(folder):
    """A trained model that holds fresh data, which a test may change."""
    mdata = simulated()
    return HZAUVAE.load(folder, mdata, accelerator="cpu"), mdata


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_refuses_data_that_changed(attached, quick, change):
    model, mdata = attached
    change(mdata)
    keys = set(mdata.obsm)
    asks = [
        model.get_latent_representation,
        model.annotate,
        model.to_anndata,
        model.get_elbo,
        lambda: model.impute("adt", n_samples=2),
        lambda: model.train(**quick),
    ]
    for ask in asks:
        with pytest.raises(DataContractError, match=r"have changed since they were set up: .*Undo"):
            ask()
    assert set(mdata.obsm) == keys
    assert model.n_epochs_trained_ == 2


def test_values_that_are_not_allowed_are_named_as_at_set_up(attached):
    model, mdata = attached
    logarithms(mdata)
    rule = "must hold non-negative integers"
    with pytest.raises(DataContractError, match=f"they now break a rule.*{rule}"):
        model.get_latent_representation()
    with pytest.raises(DataContractError, match=f"^X of modality 'rna' {rule}"):
        model.get_latent_representation(mdata)


@pytest.mark.parametrize("change", [other_values, filtered])
def test_given_explicitly_they_are_read_as_they_are_now(attached, change):
    model, mdata = attached
    change(mdata)
    expected = model.get_latent_representation(mdata.copy())
    assert expected.shape == (mdata.n_obs, 4)
    np.testing.assert_array_equal(model.get_latent_representation(mdata), expected)
    model.annotate(mdata)
    np.testing.assert_array_equal(mdata.obsm["X_hzau"], expected)


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_is_not_made_of_data_that_changed_since_set_up(change):
    mdata = simulated()
    HZAUVAE.setup_mudata(mdata, PAIR)
    change(mdata)
    rule = ".*must hold non-negative integers" if change is logarithms else ""
    with pytest.raises(DataContractError, match=f"have changed since they were set up{rule}"):
        HZAUVAE(mdata, **SIZES)


def test_undone_the_change_is_forgotten(attached):
    model, mdata = attached
    before = model.get_latent_representation()
    counts = mdata["rna"].X.copy()
    logarithms(mdata)
    mdata["rna"].X = counts
    np.testing.assert_array_equal(model.get_latent_representation(), before)


def test_set_up_again_the_changed_data_make_a_new_model(attached):
    _, mdata = attached
    filtered(mdata)
    HZAUVAE.setup_mudata(mdata, PAIR)
    assert HZAUVAE(mdata, **SIZES).n_cells == 50


def test_cells_in_another_order_keep_their_side_of_the_split(folder):
    mdata = simulated()
    reference = HZAUVAE.load(folder, mdata)
    validation = set(mdata.obs_names[reference.validation_indices])
    other = mdata[mdata.obs.sort_values("cell_type").index].copy()
    for model in (HZAUVAE.load(folder, other), HZAUVAE.load(folder, adata=False)):
        model.adata = other
        assert set(other.obs_names[model.validation_indices]) == validation
        assert len(model.train_indices) == len(reference.train_indices)
    assert validation


def test_other_cells_of_the_same_names_have_no_split(folder, quick):
    stranger = simulated(seed=77)
    with pytest.warns(HzauWarning, match="80 of these 80 cells are not among those"):
        model = HZAUVAE.load(folder, stranger)
    assert model.train_indices is None
    assert model.validation_indices is None
    model.train(**{**quick, "max_epochs": 1})
    assert len(model.train_indices) == 72


def test_attached_data_are_what_results_are_of(folder):
    mdata = simulated()
    model = HZAUVAE.load(folder, mdata)
    other = simulated(seed=5, n_obs=30)
    expected = model.get_latent_representation(other)
    with pytest.warns(HzauWarning, match="30 of these 30 cells"):
        model.adata = other
    assert model.adata is other
    assert model.n_cells == 30
    np.testing.assert_array_equal(model.get_latent_representation(), expected)
    np.testing.assert_array_equal(model.get_latent_representation(other), expected)
    with pytest.raises(DataContractError, match=r"lacks .* registered"):
        model.adata = ho.data.simulate(n_obs=30, n_features={"rna": 9, "adt": 6}, seed=1)
    assert model.adata is other


@pytest.mark.parametrize("wrong", [None, "cells.h5mu"])
def test_only_cells_can_be_attached(folder, wrong):
    model = HZAUVAE.load(folder)
    with pytest.raises(TypeError, match=r"must be a MuData. Received (NoneType|str)"):
        model.adata = wrong


def test_a_model_without_training_gives_no_results(mdata, tmp_path):
    HZAUVAE.setup_mudata(mdata, PAIR)
    model = HZAUVAE(mdata, **SIZES)
    asks = [
        model.get_latent_representation,
        model.get_gate_weights,
        model.annotate,
        model.to_anndata,
        lambda: model.impute("adt"),
        lambda: model.write_imputed(tmp_path / "adt.zarr", "adt"),
        lambda: model.sample(2),
        lambda: model.generate("adt", mdata),
        lambda: model.get_latent_representation(mdata.copy()),
    ]
    for ask in asks:
        with pytest.raises(ConfigError, match=r"is not trained.*Call model.train\(\) first"):
            ask()
    assert "X_hzau" not in mdata.obsm


def test_what_another_model_wrote_does_not_stay_beside_the_new_results(mdata, fit):
    model = fit(mdata, max_epochs=1, plan_kwargs={"corruption": 0.0})
    mdata.obs["mine"] = 1
    for part in (mdata, *mdata.mod.values()):
        part.obsm["hzau_reliability"] = np.zeros((part.n_obs, 1))
    mdata.obs["hzau_suspicious"] = "rna"
    assert not model.is_reliability_calibrated
    model.annotate(mdata)
    for part in (mdata, *mdata.mod.values()):
        assert {"X_hzau", "hzau_gate"} <= set(part.obsm)
        assert "hzau_reliability" not in part.obsm
    assert "hzau_suspicious" not in mdata.obs
    assert (mdata.obs["mine"] == 1).all()
