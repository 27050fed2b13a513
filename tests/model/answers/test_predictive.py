"""Draws of given cells: whole cells, in bounded memory, dense or sparse."""

import numpy as np
import pytest

from hzau_omics.errors import ConfigError
from hzau_omics.model.answers import predictive


def test_draws_have_the_shape_and_the_seed_that_were_asked_for(model, query):
    found = model.posterior_predictive_sample("adt", query, n_samples=3, seed=1)
    assert found.shape == (30, 7, 3)
    assert found.dtype == np.float32
    assert (found == np.rint(found)).all()
    again = model.posterior_predictive_sample("adt", query, n_samples=3, seed=1)
    np.testing.assert_array_equal(found, again)
    other = model.posterior_predictive_sample("adt", query, n_samples=3, seed=2)
    assert (found != other).any()
    assert (found[:, :, 0] != found[:, :, 1]).any()


def test_one_draw_has_three_axes_too(model):
    assert model.posterior_predictive_sample("rna", indices=[3, 1]).shape == (2, 16, 1)
    assert model.posterior_predictive_sample("rna", indices=[]).shape == (0, 16, 1)
    assert model.posterior_predictive_sample("rna", indices=[], sparse=True).shape == (0, 16, 1)


def test_draws_are_around_what_impute_predicts(model):
    found = model.posterior_predictive_sample("rna", n_samples=400, seed=0).mean(axis=2)
    imputed = model.impute("rna", n_samples=400, quantiles=(), neighbours=False, seed=0)
    assert np.corrcoef(np.log1p(found.ravel()), np.log1p(imputed.X.ravel()))[0, 1] > 0.99
    np.testing.assert_allclose(found.mean(), imputed.X.mean(), rtol=0.05)


def test_measured_cells_keep_their_depth(model):
    """A draw of a measured cell has about the total that was measured."""
    rna = model.adata["rna"]
    rows = model.adata.obs_names.get_indexer(rna.obs_names)
    drawn = model.posterior_predictive_sample("rna", n_samples=50, indices=rows, seed=0)
    measured = np.asarray(rna.X.sum(axis=1)).ravel()
    assert np.corrcoef(drawn.sum(axis=1).mean(axis=1), measured)[0, 1] > 0.95


def test_sparse_draws_are_the_same_and_held_some_cells_at_a_time(model, monkeypatch):
    held = []
    draw_cells = predictive.draw_cells

    def draw(session, *args):
        held.append(len(session))
        return draw_cells(session, *args)

    monkeypatch.setattr(predictive, "draw_cells", draw)
    monkeypatch.setattr(predictive, "MAX_DRAWS_HELD", 7 * 2 * 25)
    options = {"n_samples": 2, "features": ["adt_5", "adt_1"], "seed": 3}
    dense = model.posterior_predictive_sample("adt", **options)
    sparse = model.posterior_predictive_sample("adt", sparse=True, **options)
    assert held == [25, 25, 25, 15] * 2
    assert type(sparse).__name__ == "GCXS"
    assert sparse.shape == (90, 2, 2)
    np.testing.assert_array_equal(sparse.todense(), dense)


def test_features_of_a_panel_that_others_measured_are_drawn_too(panel_model):
    found = panel_model.posterior_predictive_sample("adt", n_samples=20, seed=0)
    lacking = (panel_model.adata.obs["batch"] == "batch_1").to_numpy()
    assert (found[lacking][:, 6:].mean(axis=(0, 2)) > 0).all()


def test_what_is_given_matters(model):
    one = model.posterior_predictive_sample("adt", given="rna", seed=0)
    assert (one != model.posterior_predictive_sample("adt", seed=0)).any()
    with pytest.raises(ConfigError, match="sparse must be True or False"):
        model.posterior_predictive_sample("adt", sparse="yes")
