import numpy as np
import pytest
from scipy import stats

from hzau_omics.nn.differential.prior import Expected, Posterior, log_odds, posterior


def test_without_changes_nothing_is_believed():
    rng = np.random.default_rng(0)
    error = rng.uniform(0.1, 1, 2000)
    found = posterior(rng.normal(0, error), error)
    assert max(found.above(0.0).max(), (1 - found.above(-1e-9)).max()) < 0.9
    assert np.abs(found.expectation()).max() < 0.2


def test_probabilities_and_intervals_keep_what_they_state():
    rng = np.random.default_rng(1)
    truth = np.where(rng.random(6000) < 0.5, 0.0, rng.normal(0, 1.0, 6000))
    error = rng.uniform(0.1, 0.6, 6000)
    found = posterior(rng.normal(truth, error), error)
    above = found.above(0.25)
    for low, high in ((0.0, 0.1), (0.4, 0.6), (0.9, 1.0)):
        of = (above >= low) & (above <= high)
        assert (truth[of] > 0.25).mean() == pytest.approx(above[of].mean(), abs=0.04)
    inside = (found.quantile(0.05) <= truth) & (truth <= found.quantile(0.95))
    assert inside.mean() == pytest.approx(0.9, abs=0.06)


def test_of_few_features_no_prior_is_learned():
    change, error = np.array([2.0, -3.0, 0.1, -0.1]), np.full(4, 0.5)
    found = posterior(change, error)
    np.testing.assert_array_equal(found.expectation(), change)
    np.testing.assert_allclose(found.spread(), error)


def test_a_good_expectation_moves_noisy_estimates_and_adds_no_certainty():
    rng = np.random.default_rng(2)
    truth, error = rng.normal(0, 1, 3000), np.full(3000, 1.0)
    change = rng.normal(truth, error)
    expected = Expected(rng.normal(truth, 0.1), np.full(3000, 0.01))
    plain, helped = posterior(change, error), posterior(change, error, expected)
    assert stats.pearsonr(helped.expectation(), truth)[0] > 0.95
    assert stats.pearsonr(plain.expectation(), truth)[0] < 0.8
    assert helped.spread().mean() > 0.8


def test_a_useless_expectation_is_ignored():
    rng = np.random.default_rng(3)
    truth, error = rng.normal(0, 1, 3000), np.full(3000, 0.3)
    change = rng.normal(truth, error)
    expected = Expected(rng.normal(0, 3, 3000), np.full(3000, 1e-4))
    np.testing.assert_allclose(
        posterior(change, error, expected).expectation(),
        posterior(change, error).expectation(),
        atol=0.15,
    )


def test_quantiles_are_those_of_the_mixture():
    mixture = Posterior(np.array([[0.5, 0.5]]), np.array([[-3.0, 3.0]]), np.array([[1.0, 1.0]]))
    assert mixture.quantile(0.5)[0] == pytest.approx(0.0, abs=1e-6)
    assert mixture.above(mixture.quantile(0.9))[0] == pytest.approx(0.1)
    assert mixture.spread()[0] == pytest.approx(np.sqrt(10))
    point = Posterior(np.ones((1, 1)), np.zeros((1, 1)), np.zeros((1, 1)))
    assert point.quantile(0.3)[0] == pytest.approx(0.0, abs=1e-6)


def test_log_odds_are_finite():
    assert np.isfinite(log_odds(np.array([0.0, 0.5, 1.0]))).all()
    assert log_odds(np.array([0.5]))[0] == 0


def test_quantiles_of_a_point_are_the_point():
    one = Posterior(np.array([[1.0]]), np.array([[0.0]]), np.array([[0.0]]))
    for q in (0.05, 0.5, 0.95):
        assert one.quantile(q)[0] == 0


def test_intervals_of_features_without_a_change_hold_0():
    rng = np.random.default_rng(0)
    change = np.where(np.arange(1000) % 10 == 0, rng.normal(0, 1, 1000), 0.0)
    found = posterior(change + rng.normal(0, 0.1, 1000), np.full(1000, 0.1))
    low, high = found.quantile(0.05), found.quantile(0.95)
    inside = (low <= change) & (change <= high)
    assert inside.mean() > 0.9
