"""Library sizes: measured where there is a measurement, expected elsewhere."""

import mudata
import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError


def test_measured_cells_have_their_own_total(model):
    found = model.get_latent_library_size()
    assert list(found.columns) == ["rna", "adt"]
    assert found.index.equals(model.adata.obs_names)
    for name, adata in model.adata.mod.items():
        measured = found.loc[adata.obs_names, name]
        np.testing.assert_allclose(measured, np.asarray(adata.X.sum(axis=1)).ravel(), rtol=1e-5)
    assert np.isfinite(found.to_numpy()).all()


def test_cells_that_lack_a_modality_have_what_is_expected_of_them(fit):
    mdata = ho.data.simulate(300, n_features={"rna": 120, "adt": 110}, seed=0)
    mdata = mudata.MuData({"rna": mdata["rna"], "adt": mdata["adt"][:200].copy()})
    model = fit(mdata, max_epochs=20)
    found = model.get_latent_library_size(indices=np.arange(200, 300))["adt"]
    known = np.asarray(mdata["adt"].X.sum(axis=1)).ravel()
    assert known.min() < found.min() <= found.max() < known.max()
    assert abs(np.log(found.median() / np.median(known))) < 0.3


def test_learned_libraries_are_not_the_measured_ones(fit, mdata):
    learned = ho.data.ModalitySpec("nb", library="learned")
    model = fit(mdata, {"rna": learned, "adt": "nb"})
    found = model.get_latent_library_size()
    assert list(found.columns) == ["rna"]
    assert (found["rna"] != np.asarray(mdata["rna"].X.sum(axis=1)).ravel()).all()


def test_panels_count_their_own_features(panel_model):
    found = panel_model.get_latent_library_size()["adt"]
    adt = panel_model.adata["adt"]
    np.testing.assert_allclose(found, np.asarray(adt.X.sum(axis=1)).ravel(), rtol=1e-5)


def test_without_a_library_it_is_refused(fit, mdata):
    model = fit(mdata)
    with pytest.raises(ConfigError, match=r"none of which has one.*library='observed'"):
        model.get_latent_library_size()
