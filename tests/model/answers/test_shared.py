"""Shared coordinates of cells that were measured in different ways."""

import json

import numpy as np
import pytest
from mudata import MuData
from safetensors.torch import load_file, save_file

import hzau_omics as ho
from hzau_omics.model import HZAUVAE, MMVAE
from hzau_omics.model.training.after import shared

QUICK = {"max_epochs": 6, "batch_size": 64, "seed": 0, "enable_progress_bar": False}
SIZES = {"n_latent": 3, "n_hidden": 16}


def simulate(lacks, n_obs=240, names=("rna", "adt")):
    """Return simulated cells; `lacks` gives the cells that lack each modality."""
    whole = ho.data.simulate(n_obs=n_obs, seed=0)
    parts = {name: whole.mod[name][:, :12].copy() for name in ("rna", "adt")}
    if "more" in names:
        parts["more"] = whole["rna"][:, 12:24].copy()
    kept = np.arange(n_obs)
    return MuData(
        {
            name: part[np.setdiff1d(kept, np.asarray(lacks.get(name, []), int))].copy()
            for name, part in parts.items()
        }
    )


def train(mdata, system=HZAUVAE, **options):
    system.setup_mudata(mdata, dict.fromkeys(mdata.mod, "nb"))
    model = system(mdata, **{**SIZES, **options})
    model.train(**QUICK)
    return model


@pytest.fixture(scope="module")
def mosaic():
    """A third has both modalities, a third each one."""
    return train(simulate({"adt": range(80), "rna": range(80, 160)}))


def test_points_of_a_mosaic_differ_from_means(mosaic):
    points, means = (mosaic.get_latent_representation(shared=s) for s in (True, False))
    mean, _ = mosaic.get_latent_representation(return_dist=True)
    np.testing.assert_array_equal(means, mean)
    assert (np.abs(points - means).max(axis=1) > 1e-4).all()


def test_cells_with_both_are_in_the_same_place_by_either(mosaic):
    """Points given one modality have the mean and spread of points given both."""
    both = np.flatnonzero(mosaic._store.present.all(axis=1))
    joint = mosaic.get_latent_representation(indices=both)
    for name in ("rna", "adt"):
        alone = mosaic.get_latent_representation(indices=both, given=name)
        # Maps were made on training cells, which are nine tenths of these.
        np.testing.assert_allclose(alone.mean(0), joint.mean(0), atol=0.3 * joint.std())
        np.testing.assert_allclose(alone.std(0), joint.std(0), rtol=0.3)


def test_annotations_are_the_points(mosaic, monkeypatch):
    points = mosaic.get_latent_representation()
    np.testing.assert_array_equal(mosaic.to_anndata().obsm["X_hzau"], points)
    np.testing.assert_allclose(mosaic.get_latent_representation(batch_size=7), points, atol=1e-5)


def test_points_survive_saving(mosaic, tmp_path):
    mosaic.save(tmp_path / "model")
    again = HZAUVAE.load(tmp_path / "model", mosaic.adata, accelerator="cpu")
    np.testing.assert_array_equal(
        again.get_latent_representation(), mosaic.get_latent_representation()
    )


def test_a_model_of_an_earlier_format_gives_means(mosaic, tmp_path):
    mosaic.save(tmp_path / "model")
    manifest = tmp_path / "model" / "manifest.json"
    record = json.loads(manifest.read_text())
    weights = tmp_path / "model" / record["files"]["weights"]
    kept = {k: v for k, v in load_file(weights).items() if not k.startswith("shared.")}
    save_file(kept, weights)
    with pytest.raises(ho.errors.DataContractError, match="damaged"):
        HZAUVAE.load(tmp_path / "model", mosaic.adata, accelerator="cpu")
    del record["files"]["reference"]
    manifest.write_text(json.dumps({**record, "format": 9}))
    again = HZAUVAE.load(tmp_path / "model", mosaic.adata, accelerator="cpu")
    np.testing.assert_array_equal(
        again.get_latent_representation(), mosaic.get_latent_representation(shared=False)
    )


def test_training_again_fits_the_maps_again():
    model = train(simulate({"adt": range(80), "rna": range(80, 160)}))
    slope = model.module.shared.slope.clone()
    model.train(**QUICK)
    assert model.module.shared.is_fitted
    assert (model.module.shared.slope != slope).any()


@pytest.mark.parametrize(
    "lacks",
    [{}, {"rna": range(120), "adt": range(120, 240)}, {"adt": range(232)}],
    ids=["all have both", "none has both", "too few have both"],
)
@pytest.mark.filterwarnings("ignore:No cell links")
def test_points_are_means_where_there_is_nothing_to_compare(lacks):
    model = train(simulate(lacks))
    assert not model.module.shared.is_fitted
    np.testing.assert_array_equal(
        model.get_latent_representation(), model.get_latent_representation(shared=False)
    )


def test_no_cell_needs_to_have_all_modalities():
    """Half have rna and adt, half rna and more: they are compared by what rna says."""
    model = train(
        simulate({"more": range(120), "adt": range(120, 240)}, names=("rna", "adt", "more"))
    )
    present = model._store.present
    changed = model.get_latent_representation() != model.get_latent_representation(shared=False)
    assert present[:, 2].sum() == 120
    assert changed.any(axis=1).all()
    spread = [model.get_latent_representation()[present[:, m]].std(0) for m in (1, 2)]
    np.testing.assert_allclose(spread[0], spread[1], rtol=0.35)


def test_sets_of_modalities_that_no_training_cell_has_are_placed_among_the_others():
    """Training cells have all three or one; held-out cells may have two."""
    lacks = {"adt": range(80), "more": [*range(80), *range(80, 160)], "rna": range(80, 160)}
    model = train(simulate(lacks, names=("rna", "adt", "more")))
    chosen = {"indices": model._store.present.all(axis=1), "given": ["rna", "more"]}
    both, means = (model.get_latent_representation(**chosen, shared=s) for s in (True, False))
    whole = model.get_latent_representation(indices=chosen["indices"])
    assert len(whole) == 80
    assert (both != means).any()
    assert np.abs(both - whole).mean() < np.abs(means - whole).mean() + 0.1 * whole.std()


def test_systems_without_a_joint_posterior_of_some_subset_are_left_alone():
    model = train(simulate({"adt": range(80)}), system=MMVAE)
    assert np.isfinite(model.get_latent_representation()).all()


def test_most_cells_are_not_needed(mosaic, monkeypatch):
    """Maps from some of the cells are like those from all."""
    trained = shared.Trained(
        mosaic.module, mosaic._store, np.arange(240), np.arange(240), None, seed=0
    )
    shared.calibrate(trained)
    whole = mosaic.get_latent_representation()
    monkeypatch.setattr(shared, "MAX_CELLS", 60)
    shared.calibrate(trained)
    part = mosaic.get_latent_representation()
    assert (part != whole).any()
    assert np.corrcoef(part.ravel(), whole.ravel())[0, 1] > 0.9
