"""Importance weights against a linear-Gaussian model, whose posterior and evidence are known."""

import anndata
import mudata
import numpy as np
import pytest
import torch
from scipy import stats

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.metrics import importance_bound, weight_variance
from hzau_omics.model import MVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.posterior.pools import Posterior

N_CELLS = 6
LOADINGS = {"x1": np.array([1.2, -0.7, 0.4]), "x2": np.array([0.9, 0.5])}
NOISE = 0.6


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(N_CELLS, 1))
    modalities = {}
    for name, loading in LOADINGS.items():
        values = z * loading + NOISE * rng.normal(size=(N_CELLS, len(loading)))
        modalities[name] = anndata.AnnData(values.astype(np.float32))
        modalities[name].obs_names = [f"c{i}" for i in range(N_CELLS)]
        modalities[name].var_names = [f"{name}_{i}" for i in range(len(loading))]
    return mudata.MuData(modalities)


def posterior_of(data, names):
    """Mean and variance of p(z | x) under the linear-Gaussian model, cell by cell."""
    precision = 1 + sum((LOADINGS[n] ** 2).sum() for n in names) / NOISE**2
    weighted = sum(np.asarray(data[n].X, float) @ LOADINGS[n] for n in names) / NOISE**2
    return weighted / precision, 1 / precision


def evidence_of(data, names):
    """Log p(x) in nats, cell by cell."""
    loading = np.concatenate([LOADINGS[n] for n in names])
    values = np.concatenate([np.asarray(data[n].X, float) for n in names], axis=1)
    covariance = np.outer(loading, loading) + NOISE**2 * np.eye(len(loading))
    return stats.multivariate_normal(np.zeros(len(loading)), covariance).logpdf(values)


@pytest.fixture
def model(data, monkeypatch):
    """A model whose decoders are the linear-Gaussian ones; posteriors are set by each test."""
    specs = {n: ho.data.ModalitySpec(likelihood="normal", n_layers=1) for n in LOADINGS}
    MVAE.setup_mudata(data, specs)
    model = MVAE(data, n_latent=1, n_hidden=4)
    model.is_trained = True  # random weights will do

    def reconstruct(z, batch, cells, modality, *, seen=None):
        name = list(LOADINGS)[modality]
        mean = z * torch.tensor(LOADINGS[name], dtype=z.dtype)
        x = batch.x[name][cells]
        log_prob = torch.distributions.Normal(mean, NOISE).log_prob(x).sum(-1)
        return type("Found", (), {"log_prob": log_prob})()

    monkeypatch.setattr(model.module, "reconstruct", reconstruct)
    return model


@pytest.fixture
def believe(model, data, monkeypatch):
    """Set q(z | given) to what a function of the names gives."""

    def set_posteriors(of):
        def infer(encoded, present):
            names = [n for n, has in zip(LOADINGS, present[0].tolist(), strict=True) if has]
            mean, variance = of(names)
            mean = torch.tensor(mean, dtype=torch.float32).unsqueeze(-1)
            q = DiagonalGaussian(mean, torch.full_like(mean, float(np.log(variance))))
            shape = (len(mean), len(model.module.family))
            return Posterior(q, torch.zeros(shape), torch.ones(shape, dtype=torch.bool))

        monkeypatch.setattr(model.module, "infer", infer)

    return set_posteriors


def test_with_the_exact_posterior_marginal_weights_are_the_evidence(model, data, believe):
    believe(lambda names: posterior_of(data, names))
    weights = model.get_log_importance_weights(given="x1", n_samples=50, seed=0)
    assert weights.shape == (50, N_CELLS)
    np.testing.assert_allclose(weights, np.tile(evidence_of(data, ["x1"]), (50, 1)), atol=1e-4)
    assert weight_variance(weights) < 1e-8
    np.testing.assert_allclose(importance_bound(weights), evidence_of(data, ["x1"]), atol=1e-4)


def test_with_the_exact_posterior_any_number_of_draws_gives_the_evidence(model, data, believe):
    believe(lambda names: posterior_of(data, names))
    for n_samples in (1, 7):
        bound = model.get_marginal_ll(n_samples=n_samples, return_mean=False, seed=0)
        np.testing.assert_allclose(bound, evidence_of(data, LOADINGS), atol=1e-3)


def test_joint_weights_vary_unless_the_posterior_knows_both(model, data, believe):
    believe(lambda names: posterior_of(data, names))
    joint = model.get_log_importance_weights(given="x1", target="joint", n_samples=4000, seed=0)
    assert weight_variance(joint) > 0.1
    np.testing.assert_allclose(importance_bound(joint), evidence_of(data, LOADINGS), atol=0.05)
    believe(lambda names: posterior_of(data, LOADINGS))
    joint = model.get_log_importance_weights(given="x1", target="joint", n_samples=50, seed=0)
    assert weight_variance(joint) < 1e-8
    np.testing.assert_allclose(importance_bound(joint), evidence_of(data, LOADINGS), atol=1e-4)


def test_draws_from_the_posterior_of_all_suit_the_joint_weights(model, data, believe):
    believe(lambda names: posterior_of(data, names))
    options = {"given": "x1", "proposal": "all", "n_samples": 50, "seed": 0}
    joint = model.get_log_importance_weights(target="joint", **options)
    assert weight_variance(joint) < 1e-8
    np.testing.assert_allclose(importance_bound(joint), evidence_of(data, LOADINGS), atol=1e-4)
    # p(x1 | z) p(z | x2) / p(z | x1, x2) is p(x1 | x2), whatever z is.
    conditional = model.get_log_importance_weights(target="conditional", **options)
    expected = evidence_of(data, LOADINGS) - evidence_of(data, ["x2"])
    np.testing.assert_allclose(conditional, np.tile(expected, (50, 1)), atol=1e-4)


def test_conditional_weights_bound_the_conditional_likelihood(model, data, believe):
    believe(lambda names: posterior_of(data, names))
    options = {"given": "x1", "target": "conditional", "seed": 0}
    weights = model.get_log_importance_weights(n_samples=20_000, **options)
    # With the exact p(z | x2), the mean weight is p(x1 | x2).
    expected = evidence_of(data, LOADINGS) - evidence_of(data, ["x2"])
    np.testing.assert_allclose(importance_bound(weights), expected, atol=0.05)


def test_a_wrong_posterior_makes_weights_vary_and_bounds_loose(model, data, believe):
    believe(lambda names: (posterior_of(data, names)[0] + 0.3, posterior_of(data, names)[1]))
    weights = model.get_log_importance_weights(given="x1", n_samples=200, seed=0)
    assert weight_variance(weights) > 0.01
    bounds = [
        importance_bound(model.get_log_importance_weights(given="x1", n_samples=n, seed=1)).mean()
        for n in (1, 2000)
    ]
    assert bounds[0] < bounds[1] <= evidence_of(data, ["x1"]).mean() + 0.02


def test_draws_come_in_chunks(model, data, believe, monkeypatch):
    # Each chunk fills its own rows: with the exact posterior all weights are the evidence.
    from hzau_omics.model.answers import importance

    believe(lambda names: posterior_of(data, names))
    sizes = []
    score = model.module.log_likelihoods
    monkeypatch.setattr(
        model.module, "log_likelihoods", lambda z, *a: sizes.append(len(z)) or score(z, *a)
    )
    monkeypatch.setattr(importance, "MAX_ENTRIES", 2 * N_CELLS * 3)
    weights = model.get_log_importance_weights(given="x1", n_samples=7, seed=0)
    assert sizes == [2, 2, 2, 1]
    np.testing.assert_allclose(weights, np.tile(evidence_of(data, ["x1"]), (7, 1)), atol=1e-4)


def test_one_weight_by_hand(data):
    MVAE.setup_mudata(data, dict.fromkeys(LOADINGS, "normal"))
    model = MVAE(data, n_latent=2, n_hidden=4)
    model.is_trained = True  # random weights will do
    network, batch = model.module, model._store.minibatch(np.arange(N_CELLS))
    found = {
        target: model.get_log_importance_weights(given="x1", target=target, n_samples=1, seed=3)
        for target in ("marginal", "joint", "conditional")
    }
    with torch.inference_mode():
        encoded = network.encode(batch)
        q1, q2 = (
            network.infer(encoded, torch.tensor([mask]).expand(N_CELLS, -1)).q
            for mask in ([True, False], [False, True])
        )
        generator = torch.Generator().manual_seed(3)
        z = DiagonalGaussian(*(part.expand(1, -1, -1) for part in q1)).sample(generator)[0]
        log_prob = network.log_likelihoods(z, batch)
        prior = torch.distributions.Normal(0, 1).log_prob(z).sum(-1)
        expected = {
            "marginal": log_prob[:, 0] + prior - q1.log_prob(z),
            "joint": log_prob.sum(-1) + prior - q1.log_prob(z),
            "conditional": log_prob[:, 0] + q2.log_prob(z) - q1.log_prob(z),
        }
    for target, value in expected.items():
        np.testing.assert_allclose(found[target][0], value, rtol=1e-4, atol=1e-4)


def test_cells_without_what_is_asked_for_get_nan():
    mosaic = ho.data.simulate(
        40, n_features={"rna": 8, "adt": 5}, missing={"adt": 0.4, "rna": 0.3}, seed=0
    )
    MVAE.setup_mudata(mosaic, {"rna": "nb", "adt": "nb"})
    model = MVAE(mosaic, n_latent=2, n_hidden=4)
    model.is_trained = True  # random weights will do
    rna, adt = model._store.present.T
    marginal = model.get_log_importance_weights(given="rna", n_samples=2)
    assert (np.isnan(marginal).all(0) == ~rna).all()
    for target in ("joint", "conditional"):
        found = model.get_log_importance_weights(given="rna", target=target, n_samples=2)
        assert (np.isnan(found).all(0) == ~(rna & adt)).all()


def test_bad_requests_are_refused(data):
    MVAE.setup_mudata(data, dict.fromkeys(LOADINGS, "normal"))
    model = MVAE(data, n_latent=2, n_hidden=4)
    model.is_trained = True  # random weights will do
    with pytest.raises(ConfigError, match="target must be one of"):
        model.get_log_importance_weights(given="x1", target="evidence")
    with pytest.raises(ConfigError, match="needs modalities besides those given"):
        model.get_log_importance_weights(given=["x1", "x2"], target="joint")
    with pytest.raises(ConfigError, match="proposal must be one of"):
        model.get_log_importance_weights(given="x1", target="joint", proposal="x2")
    with pytest.raises(ConfigError, match="is about x_1 alone"):
        model.get_log_importance_weights(given="x1", proposal="all")
    with pytest.raises(ConfigError, match="n_samples must be a positive integer"):
        model.get_log_importance_weights(given="x1", n_samples=0)
    with pytest.raises(DataContractError, match="not registered"):
        model.get_log_importance_weights(given="x3")
