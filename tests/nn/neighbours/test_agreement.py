"""Agreement of all pairs: closed form against quadrature, and against that of single pairs."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from hzau_omics.nn.neighbours import agreement
from hzau_omics.nn.neighbours.agreement import log_agreements
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.reliability.agreement import log_agreement


def gaussians(n_cells, n_latent, seed, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    mean = rng.normal(0, 1.5, (n_cells, n_latent))
    # Some are sharp, some are wider than the prior.
    logvar = rng.uniform(-8, 2, (n_cells, n_latent))
    return DiagonalGaussian(*(torch.tensor(part, dtype=dtype) for part in (mean, logvar)))


def pair(q, i, r, j):
    return (DiagonalGaussian(q.mean[i], q.logvar[i]), DiagonalGaussian(r.mean[j], r.logvar[j]))


def test_it_is_the_log_of_the_integral():
    a = DiagonalGaussian(torch.tensor([[0.7], [-1.0]]).double(), torch.tensor([[-1.0], [-3.0]]))
    b = DiagonalGaussian(torch.tensor([[0.2], [1.5]]).double(), torch.tensor([[-2.0], [-0.3]]))
    a, b = (DiagonalGaussian(q.mean, q.logvar.double()) for q in (a, b))
    found = log_agreements(a, b)
    for i in range(2):
        for j in range(2):
            of_pair = [(float(q.mean), float((0.5 * q.logvar).exp())) for q in pair(a, i, b, j)]

            def integrand(z, of_pair=of_pair):
                (x, s), (y, t) = of_pair
                return np.exp(norm.logpdf(z, x, s) + norm.logpdf(z, y, t) - norm.logpdf(z))

            expected, _ = quad(integrand, -30, 30, epsabs=0, limit=500, points=[-1, 0, 1])
            assert found[i, j].item() == pytest.approx(np.log(expected), abs=1e-6)


def test_it_is_the_agreement_of_every_pair():
    a, b = gaussians(5, 7, 0), gaussians(4, 7, 1)
    found = log_agreements(a, b)
    assert found.shape == (5, 4)
    for i in range(5):
        for j in range(4):
            torch.testing.assert_close(found[i, j], log_agreement(*pair(a, i, b, j)))


def test_a_variance_within_states_widens_both_posteriors():
    a, b = gaussians(3, 2, 2), gaussians(3, 2, 3)
    wide = [DiagonalGaussian(q.mean, (q.variance + 0.1).log()) for q in (a, b)]
    torch.testing.assert_close(log_agreements(a, b, within=0.1), log_agreements(*wide))


def test_float32_loses_nothing_that_matters():
    a, b = gaussians(40, 30, 4), gaussians(40, 30, 5)
    single = log_agreements(*(DiagonalGaussian(q.mean.float(), q.logvar.float()) for q in (a, b)))
    torch.testing.assert_close(single.double(), log_agreements(a, b), rtol=1e-5, atol=1e-3)


def test_pairs_held_at_a_time_do_not_matter(monkeypatch):
    a, b = gaussians(9, 3, 6), gaussians(5, 3, 7)
    whole = log_agreements(a, b)
    monkeypatch.setattr(agreement, "PAIRS_HELD", 11)
    torch.testing.assert_close(log_agreements(a, b), whole)
