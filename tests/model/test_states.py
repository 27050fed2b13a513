"""Points of cells are freed of what their batch adds to their state."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import hzau_omics as ho
from hzau_omics.model import HZAUVAE
from hzau_omics.model.reference import Reference
from hzau_omics.model.states import MIN_CELLS
from tests.model.conftest import QUICK, fit_model

DESIGN = {"n_obs": 500, "n_features": {"rna": 60, "adt": 12}, "n_cell_types": 4, "seed": 0}


@pytest.fixture(scope="module")
def cells():
    return ho.data.simulate(n_batches=3, batch_effect=1.0, **DESIGN)


@pytest.fixture(scope="module")
def known(cells):
    return cells[(cells.obs["batch"] != "batch_2").to_numpy()].copy()


@pytest.fixture(scope="module")
def model(known):
    """A model whose batches are hardly mixed by training, so that shifts have something to do."""
    train = {"max_epochs": 15, "plan_kwargs": {"mixing": 1e-3}}
    return fit_model(known, setup={"batch_key": "batch"}, options={"n_hidden": 32}, **train)


@pytest.fixture
def sample(cells):
    """Cells of a batch that the model does not know."""
    return cells[(cells.obs["batch"] == "batch_2").to_numpy()].copy()


def without_shifts(model, *args, **options):
    """Return points as they are without shifts of groups."""
    held = model.reference_
    model.reference_ = replace(held, shifts=None)
    try:
        return model.get_latent_representation(*args, **options)
    finally:
        model.reference_ = held


def between_batches(points, *of):
    """Return how much of the variance within types lies between batches of the cells."""
    obs = pd.concat([mdata.obs[["cell_type", "batch"]].astype(str) for mdata in of])
    kind, batch = obs["cell_type"].to_numpy(), obs["batch"].to_numpy()
    within = total = 0.0
    for one in np.unique(kind):
        rows = kind == one
        total += ((points[rows] - points[rows].mean(0)) ** 2).sum()
        for b in np.unique(batch[rows]):
            some = points[rows & (batch == b)]
            within += ((some - some.mean(0)) ** 2).sum()
    return 1 - within / total


def test_batches_come_together_and_types_stay(model, known):
    points, before = model.get_latent_representation(), without_shifts(model)
    assert between_batches(before, known) > 0.1
    assert between_batches(points, known) < 0.5 * between_batches(before, known)
    kind = known.obs["cell_type"].astype(str).to_numpy()
    accuracy = ho.metrics.cross_validated_knn_accuracy
    assert accuracy(points, kind) > accuracy(before, kind) - 0.02


def test_posteriors_and_samples_are_not_touched(model):
    mean, _ = model.get_latent_representation(return_dist=True)
    np.testing.assert_array_equal(mean, model.get_latent_representation(shared=False))
    # All cells have the same modalities, so that only shifts are between means and points.
    np.testing.assert_array_equal(mean, without_shifts(model))
    assert np.abs(mean - model.get_latent_representation()).max() > 0.05


def test_annotations_are_the_same_points(model, known):
    model.annotate(known)
    np.testing.assert_allclose(known.obsm["X_hzau"], model.get_latent_representation(), atol=1e-6)


@pytest.mark.parametrize("given", [None, "rna", "adt"])
def test_points_of_a_cell_do_not_depend_on_which_cells_are_asked_for(model, known, given):
    every = model.get_latent_representation(given=given)
    some = np.arange(3, known.n_obs, 7)
    few = model.get_latent_representation(given=given, indices=some, batch_size=5)
    np.testing.assert_allclose(few, every[some], atol=1e-5)
    assert (model.reference_.shifts.shifts.keys()) == {
        (code, of) for code in (0, 1) for of in (("rna",), ("adt",), ("rna", "adt"))
    }


def test_a_new_batch_is_brought_to_the_states_of_the_reference(model, known, sample):
    place = model.get_latent_representation
    points = np.vstack([place(), place(sample)])
    before = np.vstack([without_shifts(model), without_shifts(model, sample)])
    share, former = (between_batches(x, known, sample) for x in (points, before))
    assert share < 0.7 * former
    # The shift is that of all cells of the batch, also where a few of them are asked for.
    np.testing.assert_allclose(place(sample, indices=[5, 9]), place(sample)[[5, 9]], atol=1e-5)


@pytest.mark.filterwarnings("ignore:The staining of:hzau_omics.errors.HzauWarning")
def test_of_too_few_new_cells_there_is_no_shift(model, sample):
    few = sample[: MIN_CELLS - 1].copy()
    np.testing.assert_array_equal(model.get_latent_representation(few), without_shifts(model, few))


def test_one_batch_with_the_same_modalities_is_left_where_it_is(cells):
    alone = cells[(cells.obs["batch"] == "batch_0").to_numpy()].copy()
    model = fit_model(alone)
    assert (model.reference_.shifts.shifts[0, ("rna", "adt")] == 0).all()
    points, mean = (model.get_latent_representation(shared=s) for s in (True, False))
    np.testing.assert_allclose(points, mean, atol=1e-6)


def test_without_mixing_points_keep_their_batch(known):
    model = fit_model(known, setup={"batch_key": "batch"}, plan_kwargs={"mixing": 0})
    assert model.reference_.shifts is None
    points, mean = (model.get_latent_representation(shared=s) for s in (True, False))
    np.testing.assert_array_equal(points, mean)


def test_few_cells_have_no_states():
    model = fit_model(ho.data.simulate(n_obs=60, seed=0), train_size=0.7)
    assert model.reference_.shifts is None
    assert np.isfinite(model.get_latent_representation()).all()


def test_a_saved_model_places_cells_as_before(model, known, sample, tmp_path):
    model.save(tmp_path / "model")
    again = HZAUVAE.load(tmp_path / "model", known, accelerator="cpu")
    for mdata in (None, sample):
        np.testing.assert_allclose(
            again.get_latent_representation(mdata), model.get_latent_representation(mdata),
            atol=1e-5,
        )  # fmt: skip


def test_shifts_survive_as_tensors_and_references_of_earlier_versions_have_none(model):
    before = model.reference_
    tensors = before.to_tensors()
    after = Reference.from_tensors(tensors, before.modalities).to_tensors()
    assert tensors.keys() == after.keys()
    for key, value in tensors.items():
        assert torch.equal(after[key], value), key
    earlier = {key: value for key, value in tensors.items() if not key.startswith("states.")}
    assert Reference.from_tensors(earlier, before.modalities).shifts is None


def test_training_on_a_query_leaves_the_reference_where_it_was(model, known, sample):
    before = model.get_latent_representation()
    extended = HZAUVAE.load_query_data(sample, model, accelerator="cpu")
    extended.train(**{**QUICK, "max_epochs": 3})
    np.testing.assert_allclose(extended.get_latent_representation(known), before, atol=1e-5)
    means = np.vstack([before, extended.get_latent_representation(shared=False)])
    points = np.vstack([before, extended.get_latent_representation()])
    assert between_batches(points, known, sample) < between_batches(means, known, sample)
