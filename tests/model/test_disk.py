"""Models on cells on disk: trained, used, saved and loaded as on a MuData in memory."""

import anndata
import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics.data.stores.disk import reader as disk_reader, store as disk_store
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model import HZAUVAE
from hzau_omics.model.answers import annotation, imputation

PAIR = {"rna": "nb", "adt": "nb"}
SIZES = {"n_latent": 4, "n_hidden": 16}
QUICK = {
    "max_epochs": 3,
    "batch_size": 32,
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "seed": 0,
}
SETUP = {"batch_key": "batch", "panel_key": "measured", "labels_key": "cell_type"}


@pytest.fixture(scope="module")
def mdata():
    return ho.data.simulate(
        300,
        n_features={"rna": 20, "adt": 8},
        n_batches=3,
        missing={"adt": 0.3, "rna": 0.2},
        panels=True,
    )


@pytest.fixture(scope="module")
def path(mdata, tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk") / "cells.zarr"
    ho.data.write_store(mdata, folder, PAIR, **SETUP)
    return folder


@pytest.fixture(scope="module")
def model(path):
    fitted = HZAUVAE(ho.data.open_store(path), **SIZES)
    fitted.train(**QUICK)
    return fitted


def test_a_store_needs_no_set_up_and_the_model_describes_it(model):
    assert model.is_trained
    assert len(model.history["elbo_validation"]) == 3
    assert "rna (20 features, nb), adt (8 features, nb). Batches: 3." in repr(model)
    assert model.n_cells == 300
    assert len(model.train_indices) + len(model.validation_indices) == 300


def test_training_learns_as_well_as_in_memory(path, mdata):
    # The order of the cells differs, so the numbers do, but not by more than seeds do.
    HZAUVAE.setup_mudata(mdata, PAIR, **SETUP)
    from_disk, in_memory = [], []
    for seed in range(3):
        for data, results in ((ho.data.open_store(path), from_disk), (mdata, in_memory)):
            one = HZAUVAE(data, **SIZES)
            one.train(**{**QUICK, "seed": seed, "max_epochs": 6})
            cells = one.validation_indices
            results.append(one.get_elbo(indices=cells, n_samples=5, seed=0))
    spread = max(np.ptp(in_memory), 1.0)
    assert abs(np.mean(from_disk) - np.mean(in_memory)) < spread


def test_the_same_seed_gives_the_same_weights(model, path):
    again = HZAUVAE(ho.data.open_store(path), **SIZES)
    again.train(**QUICK)
    for name, value in model.module.state_dict().items():
        assert value.equal(again.module.state_dict()[name]), name


def test_results_equal_those_of_the_mudata(model, mdata, monkeypatch):
    monkeypatch.setattr(disk_store, "WINDOW", 64)
    monkeypatch.setattr(disk_reader, "WINDOW", 64)
    np.testing.assert_array_equal(
        model.get_latent_representation(), model.get_latent_representation(mdata)
    )
    pd.testing.assert_frame_equal(model.get_gate_weights(), model.get_gate_weights(mdata))
    assert model.get_reconstruction_error(seed=0) == pytest.approx(
        model.get_reconstruction_error(mdata, seed=0), rel=1e-6
    )
    # Draws come in another order, means agree.
    ours = model.impute("adt", n_samples=200, seed=0)
    theirs = model.impute("adt", mdata, n_samples=200, seed=0)
    assert list(ours.obs_names) == list(theirs.obs_names)
    assert ours.obs["observed"].equals(theirs.obs["observed"])
    assert np.corrcoef(ours.X.ravel(), theirs.X.ravel())[0, 1] > 0.99
    pit, pit_in_memory = model.get_pit("adt", seed=0), model.get_pit("adt", mdata, seed=0)
    assert pit.isna().equals(pit_in_memory.isna())
    ours = model.get_normalized_expression("rna", indices=[5, 250, 17], n_samples=200, seed=0)
    theirs = model.get_normalized_expression(
        "rna", mdata, indices=[5, 250, 17], n_samples=200, seed=0
    )
    assert list(ours.index) == list(theirs.index)
    np.testing.assert_allclose(ours, theirs, rtol=0.3)


def test_annotations_are_written_beside_the_cells(model, path, monkeypatch):
    monkeypatch.setattr(annotation, "CELLS_HELD", 70)
    model.annotate()
    store = ho.data.open_store(path)
    assert list(store.obsm) == [
        "X_hzau", "hzau_gate", "hzau_labels", "hzau_novelty", "hzau_reliability"
    ]  # fmt: skip
    # Other minibatches, hence other rounding.
    np.testing.assert_allclose(store.obsm["X_hzau"], model.get_latent_representation(), atol=1e-5)
    expected = model.get_gate_weights()
    np.testing.assert_allclose(store.obsm["hzau_gate"], expected, atol=1e-5)
    assert list(store.obsm["hzau_gate"].columns) == list(expected.columns)
    # Cells and results apart: the store opens as before, and can be written again.
    model.annotate(store)
    adata = model.to_anndata()
    np.testing.assert_allclose(adata.obsm["X_hzau"], store.obsm["X_hzau"], atol=1e-5)
    assert {"cell_type", "batch", "modalities"} <= set(adata.obs)
    assert list(adata.obs_names) == list(store.obs_names)


def test_features_of_a_store_go_into_one_anndata(model, mdata):
    adata = model.to_anndata(modality="adt", layers="counts", n_samples=1, seed=0)
    measured = adata[mdata["adt"].obs_names].layers["counts"].toarray()
    np.testing.assert_array_equal(measured, mdata["adt"].to_df())
    assert adata.obs["observed"].sum() == len(measured)


def test_annotations_of_another_model_go_with_its_latents(mdata, tmp_path):
    ho.data.write_store(mdata, tmp_path / "c.zarr", PAIR, **SETUP)
    store = ho.data.open_store(tmp_path / "c.zarr")
    with store.obsm.writer() as writer:
        writer.append(
            {name: np.ones((300, 2)) for name in ("X_hzau", "hzau_agreement", "X_umap", "X_mvae")}
        )
    model = HZAUVAE(store, **SIZES)
    model.train(**{**QUICK, "max_epochs": 1})
    model.annotate()
    assert "hzau_agreement" not in store.obsm
    assert {"X_hzau", "X_umap", "X_mvae"} <= set(store.obsm)
    assert not (store.obsm["X_hzau"] == 1).all()


def test_annotating_that_fails_leaves_the_former_annotations(mdata, tmp_path, monkeypatch):
    ho.data.write_store(mdata, tmp_path / "c.zarr", PAIR, **SETUP)
    store = ho.data.open_store(tmp_path / "c.zarr")
    model = HZAUVAE(store, **SIZES)
    model.train(**{**QUICK, "max_epochs": 1})
    model.annotate()
    before = {name: np.asarray(store.obsm[name]) for name in store.obsm}
    monkeypatch.setattr(annotation, "CELLS_HELD", 100)
    annotations, calls = annotation.annotate, []

    def failing(*given, **options):
        calls.append(given)
        if len(calls) == 3:
            msg = "No space left on device"
            raise OSError(msg)
        return annotations(*given, **options)

    monkeypatch.setattr(annotation, "annotate", failing)
    with pytest.raises(OSError, match="No space left"):
        model.annotate()
    assert list(store.obsm) == list(before)
    for name, value in before.items():
        np.testing.assert_array_equal(store.obsm[name], value)
    assert not list((tmp_path / "c.zarr").glob("*.partial"))


def test_a_model_does_not_go_on_with_a_store_that_was_replaced(mdata, tmp_path):
    ho.data.write_store(mdata, tmp_path / "c.zarr", PAIR, **SETUP)
    model = HZAUVAE(ho.data.open_store(tmp_path / "c.zarr"), **SIZES)
    model.train(**{**QUICK, "max_epochs": 1})
    model.save(tmp_path / "model")
    other = mdata.copy()
    other["rna"].X = other["rna"].X * 2
    ho.data.write_store(other, tmp_path / "c.zarr", PAIR, **SETUP, overwrite=True)
    for call in (
        lambda: model.train(**{**QUICK, "max_epochs": 1}),
        model.get_latent_representation,
        model.annotate,
        lambda: model.impute("adt", n_samples=1),
    ):
        with pytest.raises(DataContractError, match=r"was replaced by another one.*Open it again"):
            call()
    # What the message says to do.
    store = ho.data.open_store(tmp_path / "c.zarr")
    np.testing.assert_array_equal(
        model.get_latent_representation(store), model.get_latent_representation(other)
    )


def test_imputed_values_are_written_to_disk(model, mdata, tmp_path, monkeypatch):
    monkeypatch.setattr(imputation, "CELLS_HELD", 70)
    model.write_imputed(tmp_path / "adt.zarr", "adt", n_samples=20, seed=0)
    written = anndata.read_zarr(tmp_path / "adt.zarr")
    expected = model.impute("adt", n_samples=20, seed=0)
    assert list(written.obs_names) == list(expected.obs_names)
    assert written.var_names.equals(expected.var_names)
    assert {"q05", "q95", "log1p_mean"} <= set(written.layers)
    assert written.obs["observed"].tolist() == expected.obs["observed"].tolist()
    # The first block of cells has the same seed.
    np.testing.assert_array_equal(
        written.X[:70], model.impute("adt", n_samples=20, seed=0, indices=np.arange(70)).X
    )
    assert np.corrcoef(written.X.ravel(), expected.X.ravel())[0, 1] > 0.95
    with pytest.raises(ConfigError, match="exists"):
        model.write_imputed(tmp_path / "adt.zarr", "adt")
    with pytest.raises(ConfigError, match="Leave indices out"):
        model.write_imputed(tmp_path / "b.zarr", "adt", indices=[0])
    # Cells in memory are written in the same way.
    model.write_imputed(
        tmp_path / "adt.zarr", "adt", mdata, n_samples=5, features=["adt_2"], overwrite=True
    )
    assert anndata.read_zarr(tmp_path / "adt.zarr").shape == (300, 1)


def test_a_saved_model_loads_with_store_mudata_or_nothing(model, path, mdata, tmp_path):
    model.save(tmp_path / "model")
    latents = model.get_latent_representation()
    store = ho.data.open_store(path)
    for data in (store, mdata, None):
        loaded = HZAUVAE.load(tmp_path / "model", data)
        np.testing.assert_array_equal(loaded.get_latent_representation(store), latents)
        if data is not None:
            np.testing.assert_array_equal(loaded.train_indices_, model.train_indices_)
    loaded = HZAUVAE.load(tmp_path / "model", store)
    loaded.train(**{**QUICK, "max_epochs": 1})
    assert loaded.n_epochs_trained_ == 4


def test_a_store_of_another_data_set_is_refused(model, tmp_path):
    other = ho.data.simulate(20, n_features={"rna": 9, "adt": 8}, n_batches=3)
    ho.data.write_store(other, tmp_path / "o.zarr", PAIR, batch_key="batch")
    with pytest.raises(DataContractError, match=r"o.zarr lacks 11 of 20 registered features"):
        model.get_latent_representation(ho.data.open_store(tmp_path / "o.zarr"))
    model.save(tmp_path / "model")
    with pytest.raises(DataContractError, match=r"o.zarr lacks 11 of 20 registered features"):
        HZAUVAE.load(tmp_path / "model", ho.data.open_store(tmp_path / "o.zarr"))


def test_what_was_trained_is_kept_when_the_disk_fails(path, monkeypatch):
    store = ho.data.open_store(path)
    model = HZAUVAE(store, **SIZES)
    untrained = {k: v.clone() for k, v in model.module.state_dict().items()}
    read, calls = store._reader.read, []

    def failing(rows, batch_size):
        calls.append(len(rows))
        for i, batch in enumerate(read(rows, batch_size)):
            if calls.count(270) == 3 and i == 4:
                with store._reader._naming_the_store():
                    msg = "input/output error"
                    raise OSError(msg)
            yield batch

    monkeypatch.setattr(store._reader, "read", failing)
    with pytest.raises(
        DataContractError,
        match=r"stopped after 2 epochs; what was trained is kept.*input/output error",
    ):
        model.train(**{**QUICK, "max_epochs": 10})
    assert model.is_trained
    assert len(model.history["elbo_validation"]) == 2
    changed = [not v.equal(untrained[k]) for k, v in model.module.state_dict().items()]
    assert any(changed)
    monkeypatch.undo()
    model.train(**{**QUICK, "max_epochs": 1})
    assert model.n_epochs_trained_ >= 3


def test_an_error_of_another_kind_leaves_the_weights_as_they_were(model, monkeypatch):
    before = {k: v.clone() for k, v in model.module.state_dict().items()}
    monkeypatch.setattr(
        model._store, "minibatches", lambda *_: (_ for _ in ()).throw(MemoryError("no room"))
    )
    with pytest.raises(MemoryError):
        model.train(**QUICK)
    for name, value in model.module.state_dict().items():
        assert value.equal(before[name]), name


def test_imputed_values_never_replace_a_store(model, path, mdata, tmp_path):
    ho.data.write_store(mdata, tmp_path / "cells.zarr", PAIR, **SETUP)
    with pytest.raises(ConfigError, match="not a folder of imputed values"):
        model.write_imputed(tmp_path / "cells.zarr", "adt", n_samples=1, overwrite=True)
    assert ho.data.open_store(tmp_path / "cells.zarr").n_cells == 300
