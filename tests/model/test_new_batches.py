"""Cells of batches that the model was not trained on."""

import warnings

import anndata
import numpy as np
import pytest
import torch
from mudata import MuData

import hzau_omics as ho
from hzau_omics.errors import DataContractError, HzauWarning
from tests.model.conftest import QUICK, fit_model

DESIGN = {"n_obs": 400, "n_features": {"rna": 60, "adt": 12}, "n_cell_types": 4, "seed": 0}


@pytest.fixture(scope="module")
def cells():
    return ho.data.simulate(n_batches=3, batch_effect=0.3, **DESIGN)


@pytest.fixture(scope="module")
def reference(cells):
    kept = (cells.obs["batch"] != "batch_2").to_numpy()
    return fit_model(cells[kept].copy(), setup={"batch_key": "batch"}, max_epochs=20)


@pytest.fixture
def sample(cells):
    """Return cells of a batch that the reference does not know."""
    return cells[(cells.obs["batch"] == "batch_2").to_numpy()].copy()


def _of(sample, **features):
    """Return some modalities of a sample, with some of their features."""
    parts = {name: sample[name][:, columns].copy() for name, columns in features.items()}
    mdata = MuData(parts)
    mdata.obs["batch"] = sample.obs["batch"].astype(str).reindex(mdata.obs_names)
    return mdata


ALL, HALF = slice(None), slice(None, None, 2)
FORMS = {
    "all": {"rna": ALL, "adt": ALL},
    "rna": {"rna": ALL},
    "protein": {"adt": ALL},
    "half a panel": {"rna": ALL, "adt": HALF},
    "half a panel alone": {"adt": HALF},
    "half of the genes": {"rna": HALF},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.filterwarnings("ignore:Modality .* lacks:hzau_omics.errors.HzauWarning")
def test_a_new_batch_gets_answers(reference, sample, form):
    mdata = _of(sample, **form)
    latent = reference.get_latent_representation(mdata)
    assert np.isfinite(latent).all()
    np.testing.assert_array_equal(latent, reference.get_latent_representation(mdata))
    imputed = reference.impute("adt", mdata, n_samples=4, seed=0)
    assert np.isfinite(imputed.X).all()
    assert imputed.shape == (sample.n_obs, 12)
    weights = reference.get_gate_weights(mdata)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    assert np.isfinite(reference.get_elbo(mdata, return_mean=False, seed=0)).all()
    assert np.isfinite(reference.get_normalized_expression("rna", mdata, seed=0)).all(axis=None)


def test_what_is_not_known_of_a_new_batch_is_not_answered(reference, cells):
    new = (cells.obs["batch"] == "batch_2").to_numpy()
    reliability = reference.get_reliability(cells)
    assert reliability[new].isna().all(axis=None)
    assert reliability[~new].notna().all(axis=None)
    for kind in ("score", "pvalue"):
        agreement = reference.get_agreement(cells, kind=kind)
        assert agreement[new].isna().all(axis=None)
        assert agreement[~new].notna().all(axis=None)
    assert reference.get_agreement(cells[new].copy()).isna().all(axis=None)


def test_other_batches_in_the_same_data_change_nothing_for_known_cells(reference, cells):
    known = (cells.obs["batch"] != "batch_2").to_numpy()
    np.testing.assert_allclose(
        reference.get_latent_representation(cells)[known],
        reference.get_latent_representation(cells[known].copy()),
        atol=1e-5,
    )


def test_a_new_batch_is_decoded_as_the_average_of_the_others(reference, sample):
    network = reference.module
    codes = torch.tensor([0, 1, 2, 7])
    none = torch.zeros(4, 0, dtype=torch.long)
    found = network.covariates_of(codes, none, torch.zeros(4, 0))
    assert found.tolist() == [[1, 0], [0, 1], [0.5, 0.5], [0.5, 0.5]]
    own = reference.impute("adt", sample, n_samples=40, seed=0).X
    as_both = reference.impute(
        "adt", sample, n_samples=40, seed=0, transform_batch=["batch_0", "batch_1"]
    ).X
    np.testing.assert_array_equal(own, as_both)


def test_missing_features_are_named_and_counted(reference, sample):
    with pytest.warns(HzauWarning, match="'adt' of 'batch_2' lacks 6 of 12 registered features"):
        reference.get_latent_representation(_of(sample, adt=HALF))


def test_features_in_another_order_and_further_ones(reference, sample):
    other = _of(sample, rna=slice(None, None, -1), adt=slice(None, None, -1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = reference.get_latent_representation(other)
    np.testing.assert_allclose(found, reference.get_latent_representation(sample), atol=1e-5)


def test_too_few_features_are_refused(reference, sample):
    with pytest.raises(DataContractError, match="'adt' of 'batch_2' has 1 of 12 registered"):
        reference.get_latent_representation(_of(sample, rna=ALL, adt=slice(0, 1)))
    renamed = _of(sample, rna=ALL)
    renamed["rna"].var_names = [f"x{i}" for i in range(60)]
    renamed.update()
    with pytest.raises(DataContractError, match="has 0 of 60 registered features"):
        reference.get_latent_representation(renamed)


def test_a_cell_without_a_batch_is_refused(reference, sample):
    sample.obs["batch"] = sample.obs["batch"].astype(object)
    sample.obs.loc[sample.obs_names[0], "batch"] = None
    with pytest.raises(DataContractError, match="must have a value for every cell"):
        reference.get_latent_representation(sample)


def test_stronger_staining_does_not_move_a_sample(reference, sample):
    """Twice as strong a stain of a whole batch looks like more protein in each cell."""
    plain = reference.get_latent_representation(sample, given="adt", shared=False)
    strong = sample.copy()
    strong["adt"].X = strong["adt"].X * 2
    adapted = reference.get_latent_representation(strong, given="adt", shared=False)
    known = strong.copy()
    known.obs["batch"] = "batch_0"  # said to be of a batch that the model knows: not aligned
    moved = reference.get_latent_representation(known, given="adt", shared=False)
    assert np.square(adapted - plain).sum() < 0.5 * np.square(moved - plain).sum()


def test_new_batches_follow_one_another(reference, sample):
    """Two new batches in one sample are aligned apart."""
    two = sample.copy()
    rows = np.arange(two.n_obs) % 2 == 0
    two.obs["batch"] = np.where(rows, "batch_2", "batch_3")
    assert np.isfinite(reference.get_latent_representation(two)).all()
    assert np.isfinite(reference.impute("adt", two, n_samples=2, seed=0).X).all()


@pytest.mark.filterwarnings("ignore:The staining of:hzau_omics.errors.HzauWarning")
def test_single_cells_of_a_new_batch_stay_different(reference, sample):
    """A shift that is found from one cell would be the cell itself."""
    cells = [_of(sample[[i]].copy(), adt=ALL) for i in range(4)]
    latents = np.concatenate([reference.get_latent_representation(cell) for cell in cells])
    assert len(np.unique(latents.round(4), axis=0)) == 4


def test_too_few_cells_to_align_are_told(reference, sample):
    with pytest.warns(HzauWarning, match="at least 20 cells .* Received 3"):
        reference.get_latent_representation(sample[:3].copy())


def test_imputed_values_of_a_new_batch_are_written(reference, sample, tmp_path):
    pytest.importorskip("zarr")
    reference.write_imputed(tmp_path / "imputed.zarr", "adt", sample, n_samples=2, seed=0)
    written = anndata.read_zarr(tmp_path / "imputed.zarr")
    expected = reference.impute("adt", sample, n_samples=2, seed=0)
    np.testing.assert_allclose(written.X, expected.X, rtol=1e-5)


@pytest.mark.parametrize(
    "system", ["MVAE", "MVAEQ", "JMVAE", "MMVAE", "MoPoEVAE", "CoDEVAE", "CVAE"]
)
def test_every_system_takes_new_batches(cells, sample, system):
    kept = (cells.obs["batch"] != "batch_2").to_numpy()
    model_type = getattr(ho.model, system)
    training = cells[kept].copy()
    model_type.setup_mudata(training, {"rna": "nb", "adt": "nb"}, batch_key="batch")
    model = model_type(training, n_latent=3, n_hidden=8)
    model.train(**{**QUICK, "max_epochs": 1})
    assert np.isfinite(model.get_latent_representation(sample)).all()
    assert np.isfinite(model.impute("rna", sample, n_samples=2, seed=0).X).all()
