import itertools

import numpy as np
import pytest
from mudata import MuData

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model.answers import draws
from hzau_omics.model.answers.imputation import quantile_layer

LIKELIHOODS = {
    "nb": "nb",
    "nb observed": "nb",
    "nb learned": "nb",
    "zinb": "nb",
    "nb_mixture": "nb",
    "poisson": "poisson",
    "multinomial": "multinomial",
    "bernoulli": "bernoulli",
    "categorical": "categorical",
    "normal": "normal",
}
COUNTS = {"nb", "zinb", "nb_mixture", "poisson", "multinomial"}


@pytest.fixture(scope="module", params=LIKELIHOODS)
def of_likelihood(request, fit):
    """A model of RNA and one modality ``x`` of the likelihood, and its name."""
    mdata = ho.data.simulate(
        80,
        n_features={"rna": 10, "x": 6},
        likelihoods={"x": LIKELIHOODS[request.param]},
        missing={"x": 0.3},
        n_batches=2,
        seed=1,
    )
    likelihood, *library = request.param.split()
    spec = ho.data.ModalitySpec(likelihood=likelihood, library=library[0] if library else None)
    model = fit(mdata, {"rna": "nb", "x": spec}, setup={"batch_key": "batch"})
    return model, likelihood


def _layers(adata):
    """Return the names of layers; newer anndata lists X among them, as None."""
    return set(adata.layers) - {None}


def test_imputed_values_are_laid_out_as_promised(model):
    imputed = model.impute("adt", n_samples=10, seed=0)
    assert imputed.obs_names.equals(model.adata.obs_names)
    assert imputed.var_names.equals(model.adata["adt"].var_names)
    assert _layers(imputed) == {"q05", "q95", "log1p_mean"}
    np.testing.assert_array_equal(imputed.obs["observed"], model._store.present[:, 1])
    measured = model.layout.modality("adt").measured[model._store.batch]
    np.testing.assert_array_equal(imputed.obs["batch_measured"], measured)
    part = model.impute("adt", n_samples=2, indices=[5, 3], features=["adt_6", "adt_0"])
    assert part.obs["batch_measured"].tolist() == measured[[5, 3]].tolist()
    assert part.obs_names.tolist() == list(model.adata.obs_names[[5, 3]])
    assert part.var_names.tolist() == ["adt_6", "adt_0"]


def test_with_panels_a_layer_says_what_was_measured(panel_model):
    poor = (panel_model.adata.obs["batch"] == "batch_1").to_numpy()
    names = ["adt_9", "adt_2"]
    imputed = panel_model.impute("adt", n_samples=1, features=names)
    assert imputed.layers["measured"].tolist() == [[not p, True] for p in poor]


def test_features_come_in_the_order_asked_for(model):
    names = list(model.layout.modality("adt").var_names)[2::-1]
    # One draw of one cell: further latents would differ, as fewer observations are drawn before.
    first = {"indices": [0], "n_samples": 1, "seed": 0}
    whole = model.impute("adt", **first)
    part = model.impute("adt", features=names, **first)
    assert list(part.var_names) == names
    np.testing.assert_allclose(part.X, whole[:, names].X, rtol=1e-5)


def test_quantiles_are_ordered_and_named_by_their_percent(model):
    quantiles = (0.025, 0.05, 0.5, 0.95, 0.975)
    imputed = model.impute("adt", n_samples=40, quantiles=quantiles, seed=0)
    names = ["q02.5", "q05", "q50", "q95", "q97.5"]
    assert _layers(imputed) == {*names, "log1p_mean"}
    for low, high in itertools.pairwise(names):
        assert (imputed.layers[low] <= imputed.layers[high]).all()
    assert (imputed.layers["q05"] < imputed.layers["q95"]).mean() > 0.9
    assert _layers(model.impute("adt", n_samples=2, quantiles=())) == {"log1p_mean"}


@pytest.mark.parametrize(
    ("probability", "name"),
    [(0.5, "q50"), (0.005, "q00.5"), (0.1, "q10"), (0.999, "q99.9"), (0.07, "q07")],
)
def test_names_of_quantiles(probability, name):
    assert quantile_layer(probability) == name


def test_means_summarise_the_draws(model):
    imputed = model.impute("adt", n_samples=200, quantiles=(0.5,), seed=0)
    assert (imputed.layers["log1p_mean"] <= np.log1p(imputed.X) + 0.1).all()
    inside = np.abs(imputed.layers["q50"] - imputed.X) < 2 * imputed.X + 2
    assert inside.all()


def test_the_same_seed_gives_the_same_draws(model):
    first, second, other = (model.impute("adt", n_samples=3, seed=s) for s in (4, 4, 5))
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.layers["q95"], second.layers["q95"])
    assert not np.array_equal(first.X, other.X)
    free = [model.impute("adt", n_samples=3).X for _ in range(2)]
    assert not np.array_equal(*free)


def test_few_draws_are_held_at_a_time(model, monkeypatch):
    whole = model.impute("adt", n_samples=400, seed=0)
    monkeypatch.setattr(draws, "MAX_DRAWS_HELD", 400 * 7 * 11)
    parts = model.impute("adt", n_samples=400, seed=0)
    np.testing.assert_allclose(parts.X.mean(), whole.X.mean(), rtol=0.05)
    np.testing.assert_allclose(parts.layers["log1p_mean"], whole.layers["log1p_mean"], atol=0.6)


def test_a_measured_total_sets_the_scale(model):
    measured = model._store.present[:, 1]
    imputed = model.impute("adt", n_samples=3, seed=0).X.sum(axis=1)
    totals = model._store.totals("adt")
    np.testing.assert_allclose(imputed[measured], totals[measured], rtol=1e-4)
    blind = model.impute("adt", given="rna", n_samples=3, seed=0).X.sum(axis=1)
    assert np.abs(blind[measured] / totals[measured] - 1).max() > 0.05


def test_what_a_batch_never_measured_is_decoded_as_the_batches_that_did(model):
    lacking = (model.adata.obs["batch"] == "batch_1").to_numpy()
    options = {"n_samples": 6, "indices": lacking, "seed": 0}
    default = model.impute("adt", **options)
    donors = model.impute("adt", transform_batch=["batch_0", "batch_2"], **options)
    one = model.impute("adt", transform_batch="batch_0", **options)
    np.testing.assert_array_equal(default.X, donors.X)
    assert not np.array_equal(default.X, one.X)
    own = (model.adata.obs["batch"] == "batch_0").to_numpy()
    options["indices"] = own
    np.testing.assert_array_equal(
        model.impute("adt", **options).X,
        model.impute("adt", transform_batch="batch_0", **options).X,
    )


BAD = {
    "modality": ({"modality": "atac"}, DataContractError, "'atac' is not registered"),
    "feature": ({"features": ["CD9"]}, DataContractError, "features of modality 'adt'.*CD9"),
    "no feature": ({"features": []}, ConfigError, "features must be a feature or a list of such"),
    "batch": ({"transform_batch": "b9"}, DataContractError, "b9.*known: .*batch_0"),
    "given": ({"given": "atac"}, DataContractError, "'atac' is not registered"),
    "draws": (
        {"n_samples": 0},
        ConfigError,
        "n_samples must be a positive integer. Received 0",
    ),
    "quantile": (
        {"quantiles": (0.0,)},
        ConfigError,
        r"each of quantiles must be a number in \(0, 1\)",
    ),
    "percent": (
        {"quantiles": (5,)},
        ConfigError,
        "Received 5. Quantiles are probabilities, such as 0.05",
    ),
}


@pytest.mark.parametrize(("options", "error", "message"), BAD.values(), ids=BAD)
def test_bad_options_are_refused(model, options, error, message):
    with pytest.raises(error, match=message):
        model.impute(**{"modality": "adt", **options})


def test_unmeasured_features_are_imputed_on_the_scale_of_the_measured(panel_model):
    poor = (panel_model.adata.obs["batch"] == "batch_1").to_numpy()
    everything = panel_model.impute("adt", n_samples=20, seed=0).X
    assert np.isfinite(everything).all()
    totals = panel_model._store.totals("adt")
    shares = panel_model.get_normalized_expression("adt", transform_batch="batch_0", seed=0)
    by_cell = shares.to_numpy()[poor]
    expected = totals[poor] * by_cell[:, 6:].sum(axis=1) / by_cell[:, :6].sum(axis=1)
    hidden = everything[poor][:, 6:].sum(axis=1)
    assert hidden.mean() == pytest.approx(expected.mean(), rel=0.1)
    np.testing.assert_allclose(everything[poor][:, :6].sum(1), totals[poor], rtol=1e-4)
    narrow = panel_model.impute("adt", transform_batch="batch_1", n_samples=5, seed=0).X
    np.testing.assert_allclose(narrow[~poor].sum(axis=1), totals[~poor], rtol=1e-4)


def test_pit_is_missing_where_nothing_was_measured(panel_model, model):
    poor = (panel_model.adata.obs["batch"] == "batch_1").to_numpy()
    pit = panel_model.get_pit("adt", n_samples=5, seed=0)
    expected = np.zeros(pit.shape, bool)
    expected[np.ix_(poor, np.arange(6, 20))] = True
    np.testing.assert_array_equal(pit.isna(), expected)
    of_mosaic = model.get_pit("adt", n_samples=5, seed=0)
    lacking = ~model._store.present[:, 1]
    assert of_mosaic[lacking].isna().all(axis=None)
    inside = of_mosaic[~lacking].to_numpy()
    assert ((inside > 0) & (inside < 1)).all()
    np.testing.assert_array_equal(inside, model.get_pit("adt", n_samples=5, seed=0)[~lacking])


def test_pit_leaves_the_modality_out_unless_it_is_given(model):
    default = model.get_pit("adt", n_samples=5, seed=0)
    np.testing.assert_array_equal(default, model.get_pit("adt", given="rna", n_samples=5, seed=0))
    told = model.get_pit("adt", given="adt", n_samples=5, seed=0)
    assert not np.array_equal(default.fillna(0), told.fillna(0))


def test_pit_of_the_model_s_own_draws_is_uniform(of_likelihood):
    model, _ = of_likelihood
    n = 900
    drawn = model.sample(n, "x", transform_batch="batch_0", seed=3)
    own = MuData({"x": drawn})
    own.obs["batch"] = "batch_0"
    # Without RNA the posterior given RNA is the prior, which the cells were drawn from.
    pit = model.get_pit("x", own, given="rna", n_samples=60, seed=4).to_numpy()
    error = 4.5 / np.sqrt(12 * n)
    assert np.abs(pit.mean(axis=0) - 0.5).max() < error
    assert (
        np.abs(np.quantile(pit, [0.05, 0.25, 0.75, 0.95]) - [0.05, 0.25, 0.75, 0.95]).max() < 0.05
    )


def test_every_likelihood_gives_values_of_its_domain(of_likelihood):
    model, likelihood = of_likelihood
    assert np.isfinite(model.history["elbo_train"].to_numpy(float)).all()
    imputed = model.impute("x", n_samples=10, seed=0)
    assert np.isfinite(imputed.X).all()
    assert ("log1p_mean" in imputed.layers) == (likelihood in COUNTS)
    drawn = model.sample(20, "x", seed=0).X
    if likelihood in COUNTS:
        assert (imputed.X >= 0).all()
        assert (drawn == drawn.round()).all()
        assert (drawn >= 0).all()
    if likelihood in {"bernoulli", "categorical"}:
        assert ((imputed.X >= 0) & (imputed.X <= 1)).all()
        assert np.isin(drawn, [0, 1]).all()
    if likelihood == "categorical":
        np.testing.assert_allclose(imputed.X.sum(axis=1), 1, rtol=1e-5)
        assert (drawn.sum(axis=1) == 1).all()
    if likelihood == "normal":
        truth = model.adata["x"].X
        assert np.abs(imputed.X.mean(axis=0) - truth.mean(axis=0)).max() < truth.std()


def test_results_do_not_depend_on_the_minibatch(of_likelihood):
    model, _ = of_likelihood
    rows = [41, 3, 17]
    whole = model.get_elbo(return_mean=False, n_samples=1, seed=0)
    assert np.isfinite(whole).all()
    _, log_prob = _at_the_mean(model, None)
    _, chosen = _at_the_mean(model, rows)
    np.testing.assert_allclose(chosen, log_prob[rows], rtol=1e-4, atol=1e-4)


def _at_the_mean(model, indices):
    import torch

    session = model._session(None, indices, None)
    with torch.inference_mode():
        _, batch = next(session.minibatches())
        q = session.infer(batch, None)[1].q
        return q, model.module.log_likelihoods(q.mean, batch).numpy()


@pytest.mark.parametrize("library_size", [1.0, 1e4])
def test_normalised_counts_add_up_to_the_library_size(model, panel_model, library_size):
    for each in (model, panel_model):
        for batch in ("batch_0", "batch_1"):
            values = each.get_normalized_expression(
                "adt", library_size=library_size, transform_batch=batch, n_samples=3, seed=0
            )
            np.testing.assert_allclose(values.sum(axis=1), library_size, rtol=1e-4)
    assert values.columns.equals(panel_model.adata["adt"].var_names)


def test_normalised_values_of_the_other_batch_and_of_some_features(model):
    first, second = (
        model.get_normalized_expression("rna", transform_batch=batch, n_samples=4, seed=0)
        for batch in ("batch_0", "batch_2")
    )
    assert not np.allclose(first, second)
    own = model.get_normalized_expression("rna", n_samples=4, seed=0)
    np.testing.assert_allclose(own.sum(axis=1), 1, rtol=1e-4)
    part = model.get_normalized_expression("rna", n_samples=4, seed=0, features=["rna_3", "rna_1"])
    np.testing.assert_array_equal(part, own[["rna_3", "rna_1"]])
    with pytest.raises(ConfigError, match=r"library_size must be a positive number. Received 0"):
        model.get_normalized_expression("rna", library_size=0)


def test_a_panel_with_free_rates_gives_expected_counts(fit):
    mdata = ho.data.simulate(n_obs=60, n_features={"rna": 120, "adt": 6}, seed=0)
    model = fit(mdata, max_epochs=1)
    expected = model.get_normalized_expression("adt", n_samples=2, seed=0)
    assert (expected > 0).all(axis=None)
    assert not np.allclose(expected.sum(axis=1), 1)
    with pytest.raises(ConfigError, match=r"'adt' \(nb\) has no library size.*library='observed'"):
        model.get_normalized_expression("adt", library_size=1e4)
    spec = {"rna": "nb", "adt": ho.data.ModalitySpec(likelihood="nb", library="observed")}
    ho.model.HZAUVAE.setup_mudata(mdata, spec)
    scaled = ho.model.HZAUVAE(mdata, n_latent=4, n_hidden=8)
    scaled.is_trained = True  # random weights will do
    values = scaled.get_normalized_expression("adt", library_size=1e4, n_samples=2, seed=0)
    np.testing.assert_allclose(values.sum(axis=1), 1e4, rtol=1e-4)


@pytest.mark.parametrize("likelihood", ["bernoulli", "normal", "categorical"])
def test_only_counts_are_told_to_use_a_library_size(likelihood):
    mdata = ho.data.simulate(20, n_features={"x": 4}, likelihoods={"x": likelihood}, seed=0)
    ho.model.HZAUVAE.setup_mudata(mdata, {"x": likelihood})
    model = ho.model.HZAUVAE(mdata, n_latent=2, n_hidden=8)
    model.is_trained = True  # random weights will do
    with pytest.raises(ConfigError, match=r"Received library_size=10000.0: leave it out\.$"):
        model.get_normalized_expression("x", library_size=1e4)
    assert model.get_normalized_expression("x", n_samples=2, seed=0).shape == (20, 4)


def test_samples_come_from_all_batches_that_measured(model):
    drawn = model.sample(9, "adt", seed=0)
    assert drawn.shape == (9, 7)
    assert set(drawn.obs["decoded_as"]) == {"batch_0", "batch_2"}
    assert drawn.obsm["X_hzau"].shape == (9, 4)
    np.testing.assert_array_equal(drawn.X, model.sample(9, "adt", seed=0).X)
    assert set(model.sample(3, "adt", transform_batch="batch_1").obs["decoded_as"]) == {"batch_1"}
    with pytest.raises(ConfigError, match=r"n_samples must be a positive integer. Received 0"):
        model.sample(0, "adt")
