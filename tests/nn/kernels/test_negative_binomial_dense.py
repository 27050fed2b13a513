"""The dense negative binomial: values against SciPy, gradients against autograd."""

import numpy as np
import pytest
import torch
from scipy.stats import nbinom
from torch.testing import assert_close

from hzau_omics.nn.kernels import nb_dense_log_prob
from hzau_omics.nn.kernels.negative_binomial_dense import rising


def draws(n_kinds, *, dtype=torch.float32):
    torch.manual_seed(0)
    x = torch.poisson(3 * torch.rand(20, 6)).to(dtype)
    x[0] = 0
    x[1] = 5000
    log_mean, log_theta = torch.randn(20, 6, dtype=dtype), torch.randn(n_kinds, 6, dtype=dtype)
    return x, log_mean, log_theta, torch.arange(20) % n_kinds


@pytest.mark.parametrize("n_kinds", [1, 3])
def test_values_are_those_of_scipy(n_kinds):
    x, log_mean, log_theta, which = draws(n_kinds)
    mean, theta = log_mean.exp().double(), log_theta.exp().double()[which]
    expected = nbinom.logpmf(x, theta, theta / (theta + mean)).sum(1)
    found = nb_dense_log_prob(x, log_mean, log_theta, which)
    np.testing.assert_allclose(found, expected, rtol=2e-4)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("n_kinds", [1, 3])
def test_gradients_are_those_of_autograd(n_kinds, masked):
    x, log_mean, log_theta, which = draws(n_kinds, dtype=torch.float64)
    mask = torch.rand(20, 6) < 0.7 if masked else None
    x = x if mask is None else torch.where(mask, x, 0.0)
    inputs = log_mean.requires_grad_(), log_theta.requires_grad_()

    def found(log_mean, log_theta):
        return nb_dense_log_prob(x, log_mean, log_theta, which, mask)

    assert torch.autograd.gradcheck(found, inputs, atol=1e-4)


def test_differences_of_log_gamma_and_digamma_are_0_at_0():
    x = torch.tensor([[0.0, 2.0]])
    theta = torch.tensor([[0.3, 1.5]])
    log_gamma, digamma = rising(x, theta)
    assert_close(log_gamma, torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1))
    assert_close(digamma, torch.digamma(x + theta) - torch.digamma(theta))
    assert log_gamma[0, 0] == digamma[0, 0] == 0
