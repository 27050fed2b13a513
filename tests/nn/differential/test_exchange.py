import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from hzau_omics.nn.differential.counts import GroupSums, MeasuredCells, dispersions, rate
from hzau_omics.nn.differential.exchange import ResidualSums, p_values, upper_tail


def residual_sums(values, sizes, one, batch=None):
    """Sums of residuals of two groups, from pooled rates."""
    batch = np.zeros(len(values), int) if batch is None else batch
    n_batches, n_features = int(batch.max()) + 1, values.shape[1]
    groups = np.where(one, 0, 1)
    blocks = [
        (
            groups[batch == b],
            MeasuredCells(b, values[batch == b], sizes[batch == b], np.ones(n_features)),
        )
        for b in range(n_batches)
    ]
    sums = GroupSums.zeros(2, n_batches, n_features)
    for of, block in blocks:
        sums.add(of, block)
    pooled = sums.pick(np.array([0, 1]))
    rates = rate(pooled.total, pooled.size)
    residuals = ResidualSums.zeros(2, n_batches, n_features)
    for of, block in blocks:
        residuals.add(of, block, rates=rates[block.batch], dispersion=dispersions(sums))
    return [residuals.pick(np.array([k])) for k in (0, 1)]


def test_p_values_are_those_of_all_exchanges():
    rng = np.random.default_rng(0)
    values = rng.negative_binomial(2, 0.4, size=(40, 3)).astype(float)
    sizes, one = np.ones(40), np.arange(40) < 12
    found, _ = p_values(*residual_sums(values, sizes, one))
    mean = values.mean(0)
    draws = np.stack([values[rng.permutation(40)[:12]].sum(0) for _ in range(20_000)])
    observed = values[one].sum(0)
    tails = np.minimum((draws >= observed).mean(0), (draws <= observed).mean(0))
    assert (np.abs(draws.mean(0) / 12 - mean) < 0.05).all()
    np.testing.assert_allclose(found, np.minimum(2 * tails, 1), rtol=0.25, atol=0.02)


def test_a_rare_count_in_a_small_group_is_no_finding():
    values = np.zeros((2000, 1))
    values[[0, 500, 900, 1300, 1700]] = 1.0
    one = np.arange(2000) < 20
    found, sign = p_values(*residual_sums(values, np.ones(2000), one))
    # One of five counts in a hundredth of the cells: the chance is about 0.05.
    assert found[0] > 0.005
    assert sign[0] == 1


def test_a_difference_between_batches_is_none_between_groups():
    rng = np.random.default_rng(1)
    batch = np.repeat([0, 1], 300)
    one = rng.random(600) < np.where(batch == 0, 0.2, 0.8)
    values = rng.poisson(np.where(batch == 0, 1.0, 4.0)[:, None], (600, 200)).astype(float)
    apart, _ = p_values(*residual_sums(values, np.ones(600), one, batch))
    together, _ = p_values(*residual_sums(values, np.ones(600), one))
    assert stats.kstest(apart, "uniform").pvalue > 1e-3
    assert (together < 1e-6).all()


def test_depth_alone_is_no_difference():
    rng = np.random.default_rng(2)
    one = np.arange(400) < 200
    sizes = np.where(one, 3.0, 1.0)
    values = rng.poisson(sizes[:, None] * 0.8, (400, 300)).astype(float)
    found, _ = p_values(*residual_sums(values, sizes, one))
    # The variance is at least the pooled one, which is too large here.
    assert (found < 0.05).mean() < 0.08


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 0.5))
def test_no_difference_has_few_small_p_values(seed, share):
    rng = np.random.default_rng(seed)
    values = rng.negative_binomial(1, 0.6, size=(400, 1000)).astype(float)
    one = rng.permutation(400) < max(3, share * 400)
    found, _ = p_values(*residual_sums(values, np.ones(400), one))
    # Three standard errors above the nominal shares.
    assert (found < 0.05).mean() < 0.071
    assert (found < 0.01).mean() < 0.02
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_marker_of_a_rare_type_is_found(n):
    rng = np.random.default_rng(4)
    one = np.arange(1000) < n
    values = rng.negative_binomial(2, 0.5, (1000, 1)) * 0.05
    values[one] = rng.negative_binomial(2, 0.1, (n, 1))
    found, sign = p_values(*residual_sums(np.rint(values), np.ones(1000), one))
    assert found[0] < 1e-3
    assert sign[0] == 1


def test_groups_change_places():
    rng = np.random.default_rng(3)
    values, one = rng.poisson(1.0, (50, 20)).astype(float), np.arange(50) < 20
    sums = residual_sums(values, np.ones(50), one)
    (forth, sign), (back, opposite) = p_values(*sums), p_values(*sums[::-1])
    np.testing.assert_allclose(forth, back)
    np.testing.assert_allclose(sign, -opposite)


def test_no_batch_with_both_groups_says_nothing():
    values, one = np.ones((10, 1)), np.arange(10) < 5
    found, _ = p_values(*residual_sums(values, np.ones(10), one, one.astype(int)))
    assert found.tolist() == [1.0]


@pytest.mark.parametrize("skewness", [0.1, 1.0, 4.0])
def test_the_tail_is_that_of_pearsons_third_type(skewness):
    z = np.linspace(-0.4, 8, 20)
    np.testing.assert_allclose(
        upper_tail(z, np.full(20, skewness)), stats.pearson3.sf(z, skewness), rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(upper_tail(z, np.full(20, -skewness)), stats.norm.sf(z))
