"""Every public name of scvi-tools' base class works, or says what to do instead."""

import numpy as np
import pytest
from scvi.model.base import BaseModelClass

from hzau_omics.errors import ConfigError
from hzau_omics.model import HZAUVAE

PAIR = {"rna": "nb", "adt": "nb"}


@pytest.fixture(scope="module")
def folder(shared_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    shared_model.save(path)
    return path


WORKING = {
    "adata": lambda m, f: m.adata,
    "adata_manager": lambda m, f: m.adata_manager,
    "data_registry": lambda m, f: m.data_registry("modality_rna"),
    "deregister_manager": lambda m, f: m.deregister_manager(),
    "device": lambda m, f: m.device,
    "get_anndata_manager": lambda m, f: m.get_anndata_manager(m.adata, required=True),
    "get_from_registry": lambda m, f: m.get_from_registry(m.adata, "obs_batch"),
    "get_normalized_expression": lambda m, f: m.get_normalized_expression("adt", indices=[0]),
    "get_normalized_function_name": lambda m, f: m.get_normalized_function_name,
    "get_setup_arg": lambda m, f: m.get_setup_arg("batch_key"),
    "get_state_registry": lambda m, f: m.get_state_registry("layout"),
    "get_var_names": lambda m, f: m.get_var_names(),
    "history": lambda m, f: m.history,
    "is_trained": lambda m, f: m.is_trained,
    "load": lambda m, f: type(m).load(f),
    "load_registry": lambda m, f: type(m).load_registry(f),
    "register_manager": lambda m, f: type(m).register_manager(m.adata_manager),
    "registry": lambda m, f: m.registry,
    "run_id": lambda m, f: m.run_id,
    "run_name": lambda m, f: m.run_name,
    "save": lambda m, f: m.save(f, overwrite=True),
    "summary_string": lambda m, f: m.summary_string,
    "test_indices": lambda m, f: m.test_indices,
    "to_device": lambda m, f: m.to_device("cpu"),
    "train_indices": lambda m, f: m.train_indices,
    "update_setup_method_args": lambda m, f: m.update_setup_method_args({}),
    "validation_indices": lambda m, f: m.validation_indices,
    "view_anndata_setup": lambda m, f: m.view_anndata_setup(),
    "view_registry": lambda m, f: m.view_registry(),
    "view_setup_args": lambda m, f: type(m).view_setup_args(f),
    "view_setup_method_args": lambda m, f: m.view_setup_method_args(),
}
REFUSED = {
    "convert_legacy_save": (lambda m, f: type(m).convert_legacy_save(f, f), "HZAUVAE.load"),
    "differential_abundance": (lambda m, f: m.differential_abundance(), "Milo"),
    "setup_anndata": (lambda m, f: type(m).setup_anndata(None), "setup_mudata"),
    "setup_annbatch": (lambda m, f: type(m).setup_annbatch(None), "write_store"),
    "transfer_fields": (lambda m, f: m.transfer_fields(m.adata), "model.adata = mdata"),
}
NEEDS_MORE = {"train"}
"""Tested in files of its own."""


def test_no_public_name_is_left_out():
    public = {name for name in dir(BaseModelClass) if not name.startswith("_")}
    assert public == WORKING.keys() | REFUSED.keys() | NEEDS_MORE


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("holds_data", [True, False])
def test_an_inherited_method_works(shared_model, folder, name, holds_data, capsys):
    model = shared_model if holds_data else HZAUVAE.load(folder)
    needs_data = {"data_registry", "get_anndata_manager", "get_from_registry", "register_manager"}
    if name == "get_normalized_expression" and not holds_data:
        model.adata = shared_model.adata.copy()
    if holds_data or name not in needs_data:
        WORKING[name](model, folder)
    elif name != "register_manager":
        with pytest.raises(ConfigError, match=r"model.adata = mdata"):
            WORKING[name](model, folder)
    assert "setup_anndata" not in capsys.readouterr().out


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_names_the_remedy(shared_model, folder, name):
    call, remedy = REFUSED[name]
    with pytest.raises((ConfigError, TypeError), match=remedy):
        call(shared_model, folder)


def test_the_summary_says_how_the_data_were_set_up(shared_model, folder, capsys):
    for show in (shared_model.view_anndata_setup, lambda: HZAUVAE.view_setup_args(folder)):
        show()
        shown = capsys.readouterr().out
        assert "Setup via `HZAUVAE.setup_mudata`" in shown
        assert "'batch_key': 'batch'" in shown


def test_registered_arguments_and_data_are_found(shared_model, folder, query):
    assert shared_model.get_setup_arg("batch_key") == "batch"
    assert set(shared_model.get_setup_arg("modalities")) == {"rna", "adt"}
    assert HZAUVAE.load_registry(folder)["setup_args"]["batch_key"] == "batch"
    found = shared_model.get_from_registry(shared_model.adata, "obs_batch")
    np.testing.assert_array_equal(found.ravel(), shared_model.adata.obs["batch"])
    with pytest.raises(ConfigError, match=r"no argument of setup_mudata 'batch'.*'batch_key'"):
        shared_model.get_setup_arg("batch")
    with pytest.raises(ConfigError, match=r"no field of the registry 'batch'.*'obs_batch'"):
        shared_model.get_state_registry("batch")
    with pytest.raises(ConfigError, match="no field of the registry"):
        shared_model.data_registry("X")
    assert shared_model.get_anndata_manager(query) is None
    for ask in (
        lambda: shared_model.get_anndata_manager(query, required=True),
        lambda: shared_model.view_anndata_setup(query),
        lambda: shared_model.get_from_registry(query, "obs_batch"),
    ):
        with pytest.raises(ConfigError, match="not the one that the HZAUVAE holds"):
            ask()
    with pytest.raises(ConfigError, match="There is no device 'cuda:77'"):
        shared_model.to_device("cuda:77")


def test_forgotten_set_ups_leave_the_model_its_own(mdata):
    other = mdata.copy()
    for data in (mdata, other):
        HZAUVAE.setup_mudata(data, PAIR)
    model = HZAUVAE(mdata, n_latent=4, n_hidden=16)
    model.deregister_manager(other)
    with pytest.raises(ValueError, match="is not set up"):
        HZAUVAE(other)
    HZAUVAE.setup_mudata(other, PAIR)
    model.deregister_manager()
    assert model.adata_manager.adata is mdata
    assert HZAUVAE(mdata, n_latent=4, n_hidden=16).n_cells == mdata.n_obs
