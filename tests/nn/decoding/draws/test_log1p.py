import numpy as np
import pytest
import torch
from scipy import stats

from hzau_omics.nn.decoding.draws.log1p import (
    _at_theta,
    _interpolated,
    log1p_mean_nb,
    log1p_mean_poisson,
)

LOG_MEANS = (-14.0, -6.3, -2.1, -0.4, 0.3, 1.9, 4.4, 6.6)
LOG_THETAS = (-5.9, -3.3, -1.1, 0.13, 1.7, 4.4, 7.9)


def _exact(distribution):
    counts = np.arange(int(min(distribution.ppf(1 - 1e-12) + 10, 2e6)))
    return float((distribution.pmf(counts) * np.log1p(counts)).sum())


@pytest.mark.parametrize("log_theta", LOG_THETAS)
def test_it_is_the_sum_over_all_counts(log_theta):
    theta, means = np.exp(log_theta), np.exp(LOG_MEANS)
    expected = [_exact(stats.nbinom(theta, theta / (theta + mean))) for mean in means]
    log_mean = torch.tensor(LOG_MEANS)[:, None]
    found = log1p_mean_nb(log_mean, torch.full((1, 1), log_theta))
    np.testing.assert_allclose(found[:, 0], expected, atol=2e-4)
    # What other devices compute.
    tensors = _interpolated(_at_theta(torch.tensor([log_theta])), log_mean)
    np.testing.assert_allclose(tensors, found, atol=1e-5)


def test_it_is_the_sum_over_all_poisson_counts():
    found = log1p_mean_poisson(torch.tensor(LOG_MEANS)[:, None])[:, 0]
    expected = [_exact(stats.poisson(mean)) for mean in np.exp(LOG_MEANS)]
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_each_cell_may_have_dispersions_of_its_own():
    log_theta = torch.tensor([[-2.0, 1.0], [3.0, 0.0]])
    log_mean = torch.tensor([[0.5, 0.1], [0.2, 2.0]])
    both = log1p_mean_nb(log_mean, log_theta)
    each = [log1p_mean_nb(log_mean[i : i + 1], log_theta[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(both, torch.cat(each))


def test_numbers_off_the_grid_do_no_harm():
    log_mean = torch.tensor([[torch.nan, torch.inf, -torch.inf, 40.0]])
    assert log1p_mean_nb(log_mean, torch.zeros(1, 4)).isfinite().all()
