"""Null models against optima that SciPy finds, and the weights that follow from them."""

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.optimize import minimize, minimize_scalar

from hzau_omics.errors import ConfigError
from hzau_omics.nn.objective.weights import MAX_WEIGHT, balanced_weights, null_nll


@pytest.fixture
def counts() -> np.ndarray:
    rng = np.random.default_rng(0)
    rate = rng.gamma(2.0, size=(200, 4)) * np.array([[0.5, 2.0, 9.0, 30.0]])
    values = rng.poisson(rate).astype(np.float64)
    values[:3] = 0  # Cells without any count.
    return values


def tensor(x: np.ndarray) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float32)


def best_poisson(x: np.ndarray, exposure: np.ndarray) -> float:
    """Lowest NLL per cell of one Poisson rate per unit of exposure, found numerically."""
    nll = lambda log_rate: -scipy.stats.poisson.logpmf(x, exposure * np.exp(log_rate)).sum()
    return minimize_scalar(nll, bounds=(-15, 15), method="bounded").fun / len(x)


def best_nb(x: np.ndarray, exposure: np.ndarray) -> float:
    def nll(p):
        theta, mean = np.exp(p[1]), exposure * np.exp(p[0])
        return -scipy.stats.nbinom.logpmf(x, theta, theta / (theta + mean)).sum()

    start = [np.log(x.sum() / exposure.sum()), 0.0]
    bounds = [(-15, 15), (-4, 7)]
    return minimize(nll, start, method="Nelder-Mead", bounds=bounds).fun / len(x)


@pytest.mark.parametrize("uses_library", [True, False])
def test_poisson_is_the_optimum(counts, uses_library):
    exposure = counts.sum(-1) if uses_library else np.ones(len(counts))
    expected = sum(best_poisson(column, np.maximum(exposure, 1)) for column in counts.T)
    found = null_nll("poisson", tensor(counts), uses_library=uses_library)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("likelihood", ["nb", "zinb", "nb_mixture"])
def test_nb_is_close_to_the_optimum_and_never_below(counts, likelihood):
    expected = sum(best_nb(column, np.ones(len(column))) for column in counts.T)
    found = null_nll(likelihood, tensor(counts), uses_library=False)
    assert expected - 1e-3 <= found <= 1.01 * expected
    assert found < null_nll("poisson", tensor(counts), uses_library=False)


def test_nb_with_a_library_is_close_to_the_optimum(counts):
    exposure = np.maximum(counts.sum(-1), 1)
    expected = sum(best_nb(column, exposure) for column in counts.T)
    found = null_nll("nb", tensor(counts))
    assert expected - 1e-3 <= found <= 1.02 * expected


def test_bernoulli_is_the_entropy_of_the_frequencies():
    x = np.random.default_rng(0).random((100, 3)) < np.array([0.1, 0.5, 0.9])
    frequency = x.mean(0)
    expected = scipy.stats.bernoulli(frequency).entropy().sum()
    assert null_nll("bernoulli", tensor(x)) == pytest.approx(expected, rel=1e-5)


def test_categorical_is_the_entropy_of_the_frequencies():
    category = np.random.default_rng(0).choice(4, p=[0.6, 0.2, 0.15, 0.05], size=200)
    x = np.eye(4)[category]
    expected = scipy.stats.entropy(x.mean(0))
    assert null_nll("categorical", tensor(x)) == pytest.approx(expected, rel=1e-4)


def test_multinomial_is_the_optimum(counts):
    counts = counts[counts.sum(-1) > 0]
    share = counts.sum(0) / counts.sum()
    expected = -scipy.stats.multinomial.logpmf(counts, counts.sum(-1), share).mean()
    assert null_nll("multinomial", tensor(counts)) == pytest.approx(expected, rel=1e-5)


def test_normal_is_that_of_standardised_values():
    x = np.random.default_rng(0).normal(3.0, 20.0, size=(50, 6))
    standardised = (x - x.mean(0)) / x.std(0)
    expected = -scipy.stats.norm.logpdf(standardised).sum(-1).mean()
    assert null_nll("normal", tensor(x)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("likelihood", ["poisson", "nb", "bernoulli", "normal"])
def test_masked_features_do_not_count(counts, likelihood):
    x = tensor(np.minimum(counts, 1) if likelihood == "bernoulli" else counts)
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[:, 2] = False
    x = torch.where(mask, x, 0.0)
    options = {"uses_library": False}
    alone = null_nll(likelihood, x[:, [0, 1, 3]], **options)
    assert null_nll(likelihood, x, feature_mask=mask, **options) == pytest.approx(alone, rel=1e-6)


def test_a_feature_measured_in_some_cells_is_scored_on_those(counts):
    x, mask = tensor(counts[:, :1]), torch.zeros(200, 1, dtype=torch.bool)
    mask[:50] = True
    found = null_nll("poisson", torch.where(mask, x, 0.0), uses_library=False, feature_mask=mask)
    assert found * 200 == pytest.approx(50 * null_nll("poisson", x[:50], uses_library=False))


@pytest.mark.parametrize(
    ("likelihood", "value"), [("poisson", 0.0), ("nb", 0.0), ("bernoulli", 1.0), ("normal", 5.0)]
)
def test_constant_features_are_finite(likelihood, value):
    assert np.isfinite(null_nll(likelihood, torch.full((10, 3), value)))


def test_an_unknown_likelihood_is_refused():
    with pytest.raises(ConfigError, match=r"Unknown likelihood 'gamma'\. Choose one of"):
        null_nll("gamma", torch.ones(3, 2))


@pytest.mark.parametrize(
    ("nlls", "weights"),
    [
        ({"a": 100.0}, {"a": 1.0}),
        ({"a": 100.0, "b": 50.0}, {"a": 1.0, "b": 2.0}),
        ({"a": 1000.0, "b": 10.0, "c": 400.0}, {"a": 1.0, "b": MAX_WEIGHT, "c": 2.5}),
        ({"a": 12.0, "b": 0.01}, {"a": 1.0, "b": 12.0}),
        ({"a": 0.2, "b": -5.0}, {"a": 1.0, "b": 1.0}),
    ],
    ids=["one", "ratio", "clipped", "floored", "both-floored"],
)
def test_weights(nlls, weights):
    assert balanced_weights(nlls) == weights
