"""Tail probabilities of scores, and what they are worth as evidence."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.stats import kstest

from hzau_omics.nn.reliability.null_distribution import (
    MAX_REFERENCE,
    MIN_CELLS,
    NullDistribution,
    log_bayes_factor,
)


def draw(n, seed, *, shift=0.0):
    """Scores whose mean and spread depend on a covariate."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(4, 9, (n, 2))
    noise = rng.standard_t(5, (n, 2)) + shift
    values = -3 * level + 0.4 * level**2 + (0.3 + 0.1 * level) * noise
    return torch.tensor(values).float(), torch.tensor(level).float()


def fit(null, values, level):
    """Learn from cells of one batch."""
    null.fit(values, level, torch.zeros(len(values), dtype=torch.long))


def ask(null, values, level):
    """Ask about cells of one batch."""
    return null(values, level, torch.zeros(len(values), dtype=torch.long))


def test_p_values_of_good_cells_are_uniform_whatever_the_covariate():
    null = NullDistribution(2)
    fit(null, *draw(5000, 0))
    values, level = draw(4000, 1)
    p = ask(null, values, level).numpy()
    assert kstest(p[:, 0], "uniform").statistic < 0.04
    deep = level[:, 0].numpy() > 7
    assert kstest(p[deep, 0], "uniform").statistic < 0.06
    low = ask(null, *draw(4000, 1, shift=-6.0))
    assert low.median() < 0.01
    assert (low > 0).all()


def test_scores_that_differ_by_rounding_only_have_one_p_value():
    """Posteriors that know nothing agree equally well, but for the last digit of a float."""
    null = NullDistribution(2)
    values, level = draw(200, 0)
    values[:80] = 1.0
    level[:80] = 6.0
    rounded = values.clone()
    rounded[:80] += 1e-7 * torch.tensor([-1.0, 1.0]).repeat(40)[:, None]
    fit(null, rounded, level)
    p = ask(null, rounded, level)
    assert (p[:80] == p[0]).all()
    # Ties count in full.
    assert (p[0] >= 80 / 201).all()


def test_many_reference_cells_are_thinned_and_few_give_no_null_distribution():
    null = NullDistribution(2)
    fit(null, *draw(MAX_REFERENCE + 500, 0))
    assert null.reference.shape == (2, MAX_REFERENCE)
    assert (null.reference.diff(dim=1) >= 0).all()
    values, level = draw(MIN_CELLS - 1, 0)
    fit(null, values, level)
    assert not null.is_fitted.any()
    assert ask(null, values, level).isnan().all()
    assert NullDistribution(10**6).reference.shape == (10**6, MIN_CELLS)


def test_missing_scores_have_no_p_value():
    null = NullDistribution(2)
    values, level = draw(400, 0)
    values[:50, 0] = torch.nan
    fit(null, values, level)
    p = ask(null, values, level)
    assert p[:50, 0].isnan().all()
    assert p[50:].isfinite().all()


def test_beyond_the_reference_cells_covariate_nothing_is_extrapolated():
    null = NullDistribution(2)
    values, level = draw(2000, 0)
    fit(null, values, level)
    ends = torch.full((1, 2), 1000.0), level.max(0).values[None]
    typical = torch.zeros(1, 2) + values.max()
    torch.testing.assert_close(ask(null, typical, ends[0]), ask(null, typical, ends[1]))


def test_a_constant_covariate_works():
    null = NullDistribution(1)
    values = torch.randn(300, 1)
    fit(null, values, torch.zeros(300, 1))
    p = ask(null, values, torch.zeros(300, 1))
    assert p.min() == pytest.approx(2 / 301)
    assert p.max() == 1


@settings(max_examples=50, deadline=None)
@given(p=st.floats(1e-8, 1))
def test_the_bound_is_that_of_sellke_bayarri_and_berger(p):
    found = log_bayes_factor(torch.tensor(p, dtype=torch.float64)).exp().item()
    expected = -np.e * p * np.log(p) if p < 1 / np.e else 1.0
    assert found == pytest.approx(expected, rel=1e-6)
    assert found <= 1 + 1e-9


def test_no_p_value_is_no_evidence():
    assert log_bayes_factor(torch.tensor([torch.nan, 1.0])).tolist() == [0, 0]


def test_every_batch_is_compared_with_its_own_cells():
    values, level = draw(3000, 0)
    batch = torch.arange(3000) % 3
    values = values + 40.0 * (batch == 1)[:, None]
    null = NullDistribution(2, n_batches=4)
    null.fit(values, level, batch)
    p = null(values, level, batch)
    for code in range(3):
        assert kstest(p[batch == code, 0].numpy(), "uniform").statistic < 0.06
    # A batch without reference cells is compared with the mean of all.
    new = null(values, level, torch.full_like(batch, 3))
    assert new[batch == 1].min() > new[batch == 0].max()


def test_a_batch_with_few_cells_keeps_near_the_others():
    values, level = torch.randn(500, 1), torch.zeros(500, 1)
    batch = torch.zeros(500, dtype=torch.long)
    batch[0], values[0] = 1, 5.0
    null = NullDistribution(1, n_batches=2)
    null.fit(values, level, batch)
    assert 0 < null.shift[1] < 1
    assert null.shift[0].abs() < 0.05
