import numpy as np
import pytest


def test_the_mean_elbo_is_the_mean_over_cells(model):
    cells = model.get_elbo(return_mean=False, seed=0)
    assert cells.shape == (90,)
    assert model.get_elbo(seed=0) == pytest.approx(float(cells.mean()), rel=1e-6)
    assert model.get_elbo(seed=0) != model.get_elbo(seed=1)


def test_elbo_is_reconstruction_less_kl(model):
    present = model._store.present
    elbo = model.get_elbo(return_mean=False, seed=0)
    error = model.get_reconstruction_error(seed=0)
    mean, variance = model.get_latent_representation(return_dist=True)
    kl = 0.5 * (mean**2 + variance - 1 - np.log(variance)).sum(axis=1)
    reconstruction = -sum(error[name] * present[:, m].sum() for m, name in enumerate(error))
    assert elbo.sum() == pytest.approx(reconstruction - kl.sum(), rel=1e-4)


def test_the_marginal_likelihood_is_above_the_elbo(model):
    elbo = model.get_elbo(n_samples=50, seed=0, return_mean=False)
    loose = model.get_marginal_ll(n_samples=2, seed=0)
    bound = model.get_marginal_ll(n_samples=50, seed=0, return_mean=False)
    assert bound.mean() >= elbo.mean()
    assert bound.mean() >= loose - 0.1
    assert model.get_marginal_ll(n_samples=50, seed=0) == pytest.approx(bound.mean())


def test_one_draw_of_the_marginal_likelihood_is_an_elbo_draw(model):
    many = [model.get_marginal_ll(n_samples=1, seed=seed) for seed in range(60)]
    assert np.mean(many) == pytest.approx(model.get_elbo(n_samples=60, seed=1), abs=0.5)


def test_the_reconstruction_error_is_missing_where_nobody_has_the_modality(model, query):
    errors = model.get_reconstruction_error()
    assert list(errors) == ["rna", "adt"]
    assert all(np.isfinite(list(errors.values())))
    lacking = (query.obs["batch"] == "batch_1").to_numpy()
    absent = model.get_reconstruction_error(query, indices=lacking)
    assert np.isfinite(absent["rna"])
    assert np.isnan(absent["adt"])
    assert np.isfinite(model.get_elbo(query, indices=lacking))


def test_scores_of_some_cells(model):
    chosen = model.get_marginal_ll(indices=[4, 2], n_samples=200, seed=0, return_mean=False)
    whole = model.get_marginal_ll(n_samples=200, seed=1, return_mean=False)
    np.testing.assert_allclose(chosen, whole[[4, 2]], atol=2)


def test_training_raises_the_elbo(mdata, fit):
    short, long = fit(mdata, max_epochs=1), fit(mdata, max_epochs=15)
    assert long.get_elbo(n_samples=5, seed=0) > short.get_elbo(n_samples=5, seed=0)
