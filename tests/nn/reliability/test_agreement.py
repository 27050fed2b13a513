"""Agreement of two posteriors: closed form against quadrature."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.reliability.agreement import log_agreement

MEANS = st.floats(-3, 3)
SPREADS = st.floats(0.05, 0.99)


def gaussian(*means_and_spreads):
    mean, spread = torch.tensor(means_and_spreads, dtype=torch.float64).T
    return DiagonalGaussian(mean[None], 2 * spread.log()[None])


@settings(max_examples=40, deadline=None)
@given(a=st.tuples(MEANS, SPREADS), b=st.tuples(MEANS, SPREADS))
def test_log_agreement_is_the_log_of_the_integral(a, b):
    def integrand(z):
        return np.exp(norm.logpdf(z, *a) + norm.logpdf(z, *b) - norm.logpdf(z))

    precision = a[1] ** -2 + b[1] ** -2 - 1
    centre = (a[0] * a[1] ** -2 + b[0] * b[1] ** -2) / precision
    width = 12 * precision**-0.5
    expected, _ = quad(integrand, centre - width, centre + width, epsabs=0, limit=200)
    if expected > 1e-200:
        found = log_agreement(gaussian(a), gaussian(b)).item()
        assert found == pytest.approx(np.log(expected), rel=1e-6, abs=1e-6)


def test_latents_add_up_and_order_does_not_matter():
    a, b = gaussian((0.3, 0.5), (-1.0, 0.2)), gaussian((0.5, 0.4), (1.0, 0.3))
    parts = [
        log_agreement(*(DiagonalGaussian(q.mean[:, [i]], q.logvar[:, [i]]) for q in (a, b)))
        for i in range(2)
    ]
    torch.testing.assert_close(log_agreement(a, b), sum(parts))
    torch.testing.assert_close(log_agreement(a, b), log_agreement(b, a))


def test_a_posterior_equal_to_the_prior_neither_agrees_nor_disagrees():
    prior, sharp = gaussian((0.0, 1.0)), gaussian((2.0, 0.1))
    assert log_agreement(prior, sharp).item() == pytest.approx(0, abs=1e-9)
    wider = gaussian((0.0, 3.0))
    assert log_agreement(wider, sharp).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("mean", [0.0, 3.0, -10.0])
def test_a_posterior_wider_than_the_prior_carries_no_information(mean):
    wide, sharp = gaussian((mean, 4.0)), gaussian((-1.0, 0.3))
    assert log_agreement(wide, sharp).item() == pytest.approx(0, abs=1e-9)
