"""The randomised PIT is uniform for a true model, and coverage and distance say when it is not."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.metrics import interval_coverage, pit_uniformity, randomised_pit


class FixedRandom:
    """Stands in for a generator and returns chosen values of v."""

    def __init__(self, v: np.ndarray) -> None:
        self.v = v

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(self.v, shape)


@pytest.mark.parametrize("probabilities", [(1.0,), (0.9, 0.1), (0.5, 0.3, 0.2)])
def test_exactly_uniform_by_enumeration(probabilities: tuple[float, ...]) -> None:
    """Sum over every outcome of the observation and three draws, and over a fine grid of v.

    216 midpoints share out evenly over 9 bins per rank for 0 to 3 ties, so nothing is approximate.
    """
    n_draws, n_grid = 3, 216
    v = (np.arange(n_grid) + 0.5) / n_grid
    edges = np.linspace(0, 1, 4 * 9 + 1)
    mass = np.zeros(len(edges) - 1)
    for observed, *draws in product(range(len(probabilities)), repeat=n_draws + 1):
        weight = np.prod([probabilities[x] for x in (observed, *draws)])
        samples = np.repeat(np.array(draws)[:, None], n_grid, axis=1)
        pit = randomised_pit(samples, np.full(n_grid, observed), FixedRandom(v))
        mass += weight * np.histogram(pit, bins=edges)[0] / n_grid
    np.testing.assert_allclose(mass, 1 / len(mass), rtol=1e-12)


@pytest.mark.parametrize(
    ("mean", "dispersion", "n_draws"),
    [
        pytest.param(0.05, 0.3, 20, id="mostly zero"),
        pytest.param(0.05, 0.3, 1, id="one draw"),
        pytest.param(3.0, 1.0, 100, id="counts"),
        pytest.param(500.0, 2.0, 25, id="almost continuous"),
    ],
)
def test_uniform_for_a_true_negative_binomial(mean: float, dispersion: float, n_draws: int) -> None:
    rng = np.random.default_rng(3)
    p = dispersion / (dispersion + mean)
    values = rng.negative_binomial(dispersion, p, size=(n_draws + 1, 8000))
    pit = randomised_pit(values[1:], values[0], rng)
    assert stats.kstest(pit, "uniform").pvalue > 1e-3
    assert interval_coverage(pit).overall == pytest.approx(0.9, abs=0.015)


def test_closed_quantile_interval_would_cover_too_much_on_sparse_counts() -> None:
    """Why the transform is needed: the same true model, two ways of counting coverage."""
    rng = np.random.default_rng(4)
    values = rng.poisson(0.05, size=(101, 5000))
    low, high = np.quantile(values[1:], [0.05, 0.95], axis=0)
    closed = ((values[0] >= low) & (values[0] <= high)).mean()
    assert closed > 0.93
    covered = interval_coverage(randomised_pit(values[1:], values[0], rng)).overall
    assert covered == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(("spread", "direction"), [(0.5, -1), (2.0, 1)])
def test_too_sharp_covers_less_and_too_wide_covers_more(spread: float, direction: int) -> None:
    rng = np.random.default_rng(5)
    samples = spread * rng.normal(size=(200, 4000))
    pit = randomised_pit(samples, rng.normal(size=4000), rng)
    assert direction * (interval_coverage(pit).overall - 0.9) > 0.05
    assert pit_uniformity(pit) > 0.1


@given(
    samples=hnp.arrays(np.int64, (7, 5), elements=st.integers(0, 3)),
    observed=hnp.arrays(np.int64, (5,), elements=st.integers(0, 3)),
    seed=st.integers(0, 100),
)
def test_lies_between_the_strict_and_the_weak_rank(
    samples: np.ndarray, observed: np.ndarray, seed: int
) -> None:
    pit = randomised_pit(samples, observed, np.random.default_rng(seed))
    assert (pit >= (samples < observed).sum(axis=0) / 8).all()
    assert (pit < ((samples <= observed).sum(axis=0) + 1) / 8).all()


def test_same_generator_state_gives_the_same_values_and_nan_stays_nan() -> None:
    samples = np.zeros((4, 3, 2))
    observed = np.array([[0.0, np.nan], [1.0, 0.0], [np.nan, 0.0]])
    first, second = (randomised_pit(samples, observed, np.random.default_rng(6)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.isnan(first), np.isnan(observed))
    assert first[1, 0] >= 0.8


def test_coverage_overall_weights_observations_and_per_feature_does_not() -> None:
    pit = pd.DataFrame(
        {"CD3": [0.5, 0.5, 0.5], "CD4": [0.01, np.nan, np.nan], "CD8": [np.nan] * 3},
    )
    coverage = interval_coverage(pit)
    assert coverage.overall == pytest.approx(3 / 4)
    np.testing.assert_array_equal(coverage.per_feature, [1.0, 0.0, np.nan])


@given(level=st.floats(0.05, 0.95))
def test_coverage_of_a_regular_grid_is_the_level(level: float) -> None:
    grid = (np.arange(2000) + 0.5) / 2000
    assert interval_coverage(grid, level).overall == pytest.approx(level, abs=1 / 1000)


def test_interval_is_closed_at_its_edges() -> None:
    assert interval_coverage([0.05, 0.95, 0.049, 0.951]).overall == 0.5


def test_uniformity_equals_scipy_and_ignores_nan() -> None:
    pit = np.random.default_rng(7).beta(2, 3, size=(40, 3))
    expected = stats.kstest(pit.ravel(), "uniform").statistic
    assert pit_uniformity(pit) == pytest.approx(expected, abs=1e-12)
    with_gap = np.vstack([pit, np.full((2, 3), np.nan)])
    assert pit_uniformity(with_gap) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("level", [0.0, 1.0, 90.0])
def test_refuses_a_level_outside_zero_and_one(level: float) -> None:
    with pytest.raises(ConfigError, match=r"level must be a number in \(0, 1\)"):
        interval_coverage([0.5], level)


@pytest.mark.parametrize(
    ("pit", "message"),
    [
        pytest.param([3.0, 0.0], r"pit must lie in \[0, 1\].*to 3", id="counts"),
        pytest.param([np.nan, np.nan], "at least one value", id="all missing"),
        pytest.param(np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)", id="three dimensions"),
    ],
)
def test_refuses_what_is_no_pit(pit: object, message: str) -> None:
    for metric in (interval_coverage, pit_uniformity):
        with pytest.raises(DataContractError, match=message):
            metric(pit)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        pytest.param(np.zeros((4, 3)), "samples must be", id="shape"),
        pytest.param(np.zeros((0, 2)), "at least one draw", id="no draws"),
        pytest.param(np.full((4, 2), np.nan), "samples must not hold NaN. Received 8", id="nan"),
    ],
)
def test_pit_refuses_draws_that_do_not_fit(samples: np.ndarray, message: str) -> None:
    with pytest.raises(DataContractError, match=message):
        randomised_pit(samples, np.zeros(2), np.random.default_rng(0))
