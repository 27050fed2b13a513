"""Imputed values of new cells are compared where the model can know the feature."""

import warnings
from typing import Any

import mudata
import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.errors import HzauWarning
from hzau_omics.report.parts.imputation import imputation
from hzau_omics.report.subject import Subject

UNKNOWN = "adt_0"


def cells(n: int, batch: str, *, unknown: bool) -> Any:
    mdata = ho.data.simulate(n, n_features={"rna": 30, "adt": 6}, n_batches=1, seed=0)
    mod = {name: one.copy() for name, one in mdata.mod.items()}
    for one in mod.values():
        one.obs_names = [f"{batch}_{name}" for name in one.obs_names]
    mod["adt"].var_names = [UNKNOWN, *mod["adt"].var_names[1:]]
    for one in ("old", "new"):
        mod["adt"].var[f"measured_{one}"] = True
    mod["adt"].var.loc[UNKNOWN, f"measured_{batch}"] = unknown
    if not unknown:
        values = mod["adt"].to_df()
        values[UNKNOWN] = 0
        mod["adt"].X = values.to_numpy(np.float32)
    found = mudata.MuData(mod)
    found.obs["batch"] = batch
    return found


def test_features_of_no_training_batch_are_left_out_without_a_warning() -> None:
    old = cells(80, "old", unknown=False)
    specs = {"rna": "nb", "adt": "nb"}
    with pytest.warns(HzauWarning, match="No batch measured 1 features"):
        ho.model.HZAUVAE.setup_mudata(old, specs, batch_key="batch", panel_key="measured")
    model = ho.model.HZAUVAE(old, n_latent=3, n_hidden=8)
    model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
    store = model._session(cells(60, "new", unknown=True), None, None).store
    subject = Subject(model=model, store=store, held_out=np.arange(60), is_new=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        section, _ = imputation(subject)
    assert "Features that no batch of the training measured are left out (1)" in section.text[2]
    assert UNKNOWN not in section.tables[1].frame.index
    assert len(section.tables[1].frame) == 5
