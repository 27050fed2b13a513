import errno
import json
import subprocess
import sys

import mudata
import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from safetensors.torch import load_file, save_file

from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.model import HZAUVAE, persistence

IN_A_NEW_PROCESS = """
import sys
import mudata, numpy as np
from hzau_omics.model import HZAUVAE
folder, query, out = sys.argv[1:]
model = HZAUVAE.load(folder, accelerator="cpu")
cells = mudata.read_h5mu(query)
np.savez(
    out,
    latent=model.get_latent_representation(cells),
    imputed=model.impute("adt", cells, n_samples=3, seed=0).X,
)
"""


@pytest.fixture
def folder(model, tmp_path):
    """The shared model on disk."""
    model.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def manifest(folder):
    """Change the manifest of the saved model: give None to delete a key."""

    def change(**values):
        path = folder / "manifest.json"
        record = json.loads(path.read_text())
        record = {k: v for k, v in (record | values).items() if v is not None}
        path.write_text(json.dumps(record))

    return change


def test_what_is_loaded_is_what_was_saved(model, folder):
    data = model.adata.copy()
    loaded = HZAUVAE.load(folder, data, accelerator="cpu")
    np.testing.assert_array_equal(
        loaded.get_latent_representation(), model.get_latent_representation()
    )
    pd.testing.assert_frame_equal(loaded.get_gate_weights(), model.get_gate_weights())
    np.testing.assert_array_equal(
        loaded.impute("adt", n_samples=2, seed=0).X, model.impute("adt", n_samples=2, seed=0).X
    )
    state = loaded.module.state_dict()
    assert all(torch.equal(state[k], v) for k, v in model.module.state_dict().items())
    assert set(loaded.history) == set(model.history)
    for name, frame in model.history.items():
        np.testing.assert_array_equal(loaded.history[name], frame)
        np.testing.assert_array_equal(loaded.history[name].index, frame.index)
    for part in ("train", "validation", "calibration", "test"):
        name = f"{part}_indices_"
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
    assert loaded.layout == model.layout
    assert loaded.modality_weights_ == model.modality_weights_
    assert loaded.n_epochs_trained_ == 3
    assert loaded.training_options_ == model.training_options_
    assert repr(loaded) == repr(model)


def test_a_model_opens_in_a_new_process_without_its_data(model, folder, query, tmp_path):
    query.write(tmp_path / "query.h5mu")
    arguments = [folder, tmp_path / "query.h5mu", tmp_path / "out.npz"]
    subprocess.run(
        [sys.executable, "-c", IN_A_NEW_PROCESS, *map(str, arguments)], check=True, timeout=200
    )
    found = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(
        found["latent"], model.get_latent_representation(query), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        found["imputed"], model.impute("adt", query, n_samples=3, seed=0).X, rtol=1e-4
    )


def test_the_folder_holds_no_pickle(folder):
    assert {p.name for p in folder.iterdir()} == {
        "manifest.json",
        "weights.safetensors",
        "splits.safetensors",
        "reference.safetensors",
    }
    json.loads((folder / "manifest.json").read_text())
    load_file(folder / "weights.safetensors")


def test_files_have_the_permissions_that_new_files_have(folder):
    (folder / "new").touch()
    usual = (folder / "new").stat().st_mode
    assert {one.stat().st_mode for one in folder.iterdir() if one.is_file()} == {usual}
    assert not [one for one in folder.iterdir() if one.name.endswith(".mode")]


def test_without_data_a_model_says_what_it_cannot_do(folder, query):
    loaded = HZAUVAE.load(folder)
    assert loaded.get_latent_representation(query).shape == (30, 4)
    with pytest.raises(ConfigError, match=r"loaded without data and cannot be trained.*mdata\)"):
        loaded.train(max_epochs=1)
    for ask in (loaded.get_latent_representation, loaded.to_anndata, loaded.annotate):
        with pytest.raises(ConfigError, match=r"loaded without data. Give the cells: mdata=\.\.\."):
            ask()
    assert loaded.sample(2, "adt").shape == (2, 7)


def test_saved_again_without_data_it_is_still_the_same(model, folder, tmp_path):
    HZAUVAE.load(folder).save(tmp_path / "again")
    loaded = HZAUVAE.load(tmp_path / "again", model.adata.copy())
    np.testing.assert_array_equal(
        loaded.get_latent_representation(), model.get_latent_representation()
    )
    assert loaded.n_epochs_trained_ == 3


def test_a_loaded_model_trains_on(mdata, fit, quick, tmp_path):
    model = fit(mdata)
    model.save(tmp_path / "model")
    loaded = [HZAUVAE.load(tmp_path / "model", mdata.copy(), accelerator="cpu") for _ in range(2)]
    for each in (model, *loaded):
        each.train(**{**quick, "max_epochs": 1, "seed": 4})
    assert loaded[0].n_epochs_trained_ == 3
    assert loaded[0].history["elbo_train"].index.tolist() == [0, 1, 2]
    for each in loaded:
        np.testing.assert_array_equal(
            each.get_latent_representation(), model.get_latent_representation()
        )


def test_the_options_that_are_kept_repeat_a_training(mdata, fit, tmp_path):
    model = fit(mdata, seed=7, plan_kwargs={"lr": 1e-3}, train_size=0.8)
    model.save(tmp_path / "model")
    (options,) = HZAUVAE.load(tmp_path / "model").training_options_
    assert options["seed"] == 7
    assert options["plan_kwargs"]["lr"] == 1e-3
    assert options["plan_kwargs"]["corruption"] == 0.1
    again = HZAUVAE(mdata, n_latent=4, n_hidden=16)
    again.train(**options, enable_progress_bar=False)
    np.testing.assert_array_equal(
        again.get_latent_representation(), model.get_latent_representation()
    )
    assert again.training_options_ == (options,)
    model.train(max_epochs=1, accelerator="cpu", enable_progress_bar=False)
    assert [one["max_epochs"] for one in model.training_options_] == [2, 1]


def test_what_is_kept_of_a_training_cannot_be_changed(mdata, fit, tmp_path):
    model = fit(mdata, plan_kwargs={"lr": 1e-3})
    model.training_options_[0]["plan_kwargs"]["lr"] = 99
    model.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model")
    loaded.training_options_[0]["plan_kwargs"]["lr"] = 99
    for one in (model, loaded):
        assert one.training_options_[0]["plan_kwargs"]["lr"] == 1e-3


def test_a_strategy_as_an_object_is_kept_by_name(mdata, fit, tmp_path):
    strategy = SingleDeviceStrategy(torch.device("cpu"))
    model = fit(mdata, strategy=strategy)
    assert model.is_trained_
    assert model.training_options_[0]["strategy"] == "SingleDeviceStrategy"
    same = fit(mdata)
    np.testing.assert_array_equal(
        same.get_latent_representation(), model.get_latent_representation()
    )
    model.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model")
    assert loaded.training_options_ == model.training_options_


def test_an_untrained_model_is_saved_with_a_warning(mdata, tmp_path, quick):
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    model = HZAUVAE(mdata, n_latent=4, n_hidden=16, experts=["rna", "adt"])
    with pytest.warns(HzauWarning, match="what is saved are random weights"):
        model.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model", mdata)
    assert not loaded.is_trained_
    assert loaded.module.family.names == ("rna", "adt")
    for each in (model, loaded):
        each.train(**quick)
    np.testing.assert_array_equal(
        loaded.get_latent_representation(), model.get_latent_representation()
    )


def test_the_data_go_beside_the_model_and_are_found_there(model, tmp_path):
    model.save(tmp_path / "model", save_anndata=True)
    data = mudata.read_h5mu(tmp_path / "model" / "mdata.h5mu")
    for loaded in (HZAUVAE.load(tmp_path / "model"), HZAUVAE.load(tmp_path / "model", data)):
        np.testing.assert_array_equal(
            loaded.get_latent_representation(), model.get_latent_representation()
        )
        np.testing.assert_array_equal(loaded.validation_indices, model.validation_indices)
    assert HZAUVAE.load(tmp_path / "model", adata=False).adata is None
    model.save(tmp_path / "model", overwrite=True)
    assert HZAUVAE.load(tmp_path / "model").adata is None


def test_data_that_are_not_there_cannot_go_beside_the_model(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"save_anndata=True saves the MuData of a model"):
        HZAUVAE.load(folder).save(tmp_path / "again", save_anndata=True)
    assert not (tmp_path / "again").exists()


def test_damaged_data_beside_the_model_are_named(model, tmp_path):
    model.save(tmp_path / "model", save_anndata=True)
    (tmp_path / "model" / "mdata.h5mu").write_text("no data")
    with pytest.raises(DataContractError, match=r"mdata.h5mu, cannot be read.*adata=False"):
        HZAUVAE.load(tmp_path / "model")
    assert HZAUVAE.load(tmp_path / "model", adata=False).is_trained


def no_space(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


FAILURES = {
    "weights": (persistence, "save_file", no_space),
    "manifest": (persistence, "_replace_text", no_space),
    "values": (persistence, "_manifest", lambda model: {"odd": object()}),
}


@pytest.mark.parametrize("stage", FAILURES)
def test_a_save_that_fails_leaves_what_was_there(model, folder, tmp_path, monkeypatch, stage):
    (folder / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(*FAILURES[stage])
    for target in (folder, tmp_path / "new"):
        with pytest.raises((OSError, ConfigError), match=r"Earlier files are unchanged|plain"):
            model.save(target, overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_a_failure_of_the_data_leaves_the_model(model, tmp_path, monkeypatch):
    monkeypatch.setattr(mudata.MuData, "write", no_space)
    with pytest.raises(OSError, match=r"The model is saved in .*No space left.*pass them to load"):
        model.save(tmp_path / "model", save_anndata=True)
    assert HZAUVAE.load(tmp_path / "model").is_trained
    assert not [path for path in (tmp_path / "model").iterdir() if "mdata" in path.name]


def test_a_model_that_replaces_another_is_all_of_the_new_one(model, mdata, fit, tmp_path):
    other = fit(mdata, options={"n_latent": 3})
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")
    for saved in (other, model, other, model):
        saved.save(tmp_path / "model", overwrite=True)
        loaded = HZAUVAE.load(tmp_path / "model")
        np.testing.assert_array_equal(
            loaded.get_latent_representation(saved.adata), saved.get_latent_representation()
        )
        assert len(list((tmp_path / "model").iterdir())) == 5
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": np.float32(0.25)},
        {"n_latent": np.int64(4)},
        {"modality_weights": {"rna": np.float32(1), "adt": np.float64(2)}},
    ],
)
def test_options_of_numpy_are_saved_as_plain_numbers(mdata, fit, tmp_path, options):
    model = fit(mdata, options=options, max_epochs=1)
    model.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model")
    assert loaded.init_params_ == model.init_params_
    np.testing.assert_array_equal(
        loaded.get_latent_representation(mdata), model.get_latent_representation()
    )


def test_a_model_of_the_former_format_is_read_without_its_split(model, folder, manifest):
    manifest(format=7, files=None, data=None)
    splits = folder / "splits.safetensors"
    kept = {k: v.clone() for k, v in load_file(splits).items() if k not in {"names", "values"}}
    save_file(kept, splits)
    with pytest.warns(HzauWarning, match="kept no names of cells"):
        loaded = HZAUVAE.load(folder, model.adata.copy())
    assert loaded.train_indices is None
    np.testing.assert_array_equal(
        loaded.get_latent_representation(), model.get_latent_representation()
    )


def test_other_cells_do_not_get_the_split(folder, query):
    with pytest.warns(HzauWarning, match="30 of these 30 cells are not among those"):
        loaded = HZAUVAE.load(folder, query)
    assert loaded.train_indices_ is None
    assert loaded.get_latent_representation().shape == (30, 4)


def test_data_that_do_not_fit_are_refused(folder, mdata):
    with pytest.raises(DataContractError, match=r"batch_key|batch key|lacks .* registered"):
        HZAUVAE.load(folder, mdata)


def test_panels_and_covariates_come_back(panel_model, tmp_path):
    panel_model.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model")
    data = panel_model.adata.copy()
    np.testing.assert_array_equal(
        loaded.impute("adt", data, n_samples=2, seed=0).X,
        panel_model.impute("adt", n_samples=2, seed=0).X,
    )


def test_nothing_is_replaced_unasked(model, folder, tmp_path):
    with pytest.raises(ConfigError, match=r"is not empty. Pass overwrite=True"):
        model.save(folder)
    model.save(folder, overwrite=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match=r"saved as a folder, and .* is a file"):
        model.save(tmp_path / "file", overwrite=True)
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    model.save(tmp_path / "empty")


def test_foreign_and_missing_folders_are_refused(tmp_path, folder):
    with pytest.raises(DataContractError, match=r"Received .*: no folder"):
        HZAUVAE.load(tmp_path / "nowhere")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "model.pt").write_text("x")
    with pytest.raises(DataContractError, match=r"manifest.json, .*Received .*\['model.pt'\]"):
        HZAUVAE.load(tmp_path / "foreign")
    with pytest.raises(DataContractError, match="A saved model is a folder"):
        HZAUVAE.load(folder / "manifest.json")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "MVAE"}, r"Received a MVAE in .*call MVAE.load"),
        ({"format": 99}, "has format 99; this version reads formats 7, 8, 9, 10"),
        ({"n_cells": None}, r"lacks \['n_cells'\]"),
        ({"layout": {}}, "data layout must have format 1"),
        ({"init_params": {"n_latent": 9, "n_hidden": 16}}, "does not fit the manifest"),
    ],
    ids=["class", "format", "key", "layout", "shape"],
)
def test_a_manifest_that_does_not_fit_is_refused(folder, manifest, values, message):
    manifest(**values)
    with pytest.raises(DataContractError, match=message):
        HZAUVAE.load(folder)


@pytest.mark.parametrize("text", ["{", "", "[]", '"text"', "\x00\xff"])
def test_a_damaged_manifest_is_refused(folder, text):
    (folder / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataContractError, match=r"is damaged|has format"):
        HZAUVAE.load(folder)


def test_damaged_weights_are_refused(folder):
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    # Copies: the file is mapped into memory, and changes below.
    weights = {name: value.clone() for name, value in load_file(path).items()}
    for content in (whole[: len(whole) // 2], b"", b"no weights at all"):
        path.write_bytes(content)
        with pytest.raises(DataContractError, match="is damaged or does not fit"):
            HZAUVAE.load(folder)
    weights.popitem()
    save_file(weights, path)
    with pytest.raises(DataContractError, match="is damaged or does not fit"):
        HZAUVAE.load(folder)
