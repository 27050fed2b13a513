import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.distributions import Normal, kl_divergence as torch_kl
from torch.testing import assert_close

from hzau_omics.nn.posterior.gaussian import (
    LOGVAR_RANGE,
    DiagonalGaussian,
    kl_divergence,
    kl_to_prior,
    soft_bound,
    standard_normal_like,
)


def random_gaussian(seed: int, *shape: int) -> DiagonalGaussian:
    generator = torch.Generator().manual_seed(seed)
    draw = lambda: torch.randn(*shape, generator=generator, dtype=torch.float64)
    return DiagonalGaussian(3 * draw(), 2 * draw())


def reference(q: DiagonalGaussian) -> Normal:
    return Normal(q.mean, (0.5 * q.logvar).exp())


@pytest.mark.parametrize("shape", [(7, 4), (5, 3, 2)])
def test_kl_matches_torch(shape):
    q, p = random_gaussian(0, *shape), random_gaussian(1, *shape)
    assert_close(kl_divergence(q, p), torch_kl(reference(q), reference(p)).sum(-1))
    prior = standard_normal_like(q.mean)
    assert_close(kl_to_prior(q), torch_kl(reference(q), reference(prior)).sum(-1))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_kl_is_zero_only_between_equals(seed):
    q, p = random_gaussian(seed, 4, 3), random_gaussian(seed + 1, 4, 3)
    assert_close(kl_divergence(q, q), torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)
    assert (kl_divergence(q, p) > 0).all()
    assert (kl_to_prior(q) > 0).all()


def test_log_prob_matches_torch():
    q = random_gaussian(2, 6, 3)
    z = random_gaussian(3, 6, 3).mean
    assert_close(q.log_prob(z), reference(q).log_prob(z).sum(-1))


def test_samples_have_mean_and_variance_and_obey_the_generator():
    q = DiagonalGaussian(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -3.0]]))
    many = DiagonalGaussian(*(part.expand(50_000, 2) for part in q))
    drawn = many.sample(torch.Generator().manual_seed(4))
    assert_close(drawn.mean(0), q.mean[0], atol=0.02, rtol=0)
    assert_close(drawn.var(0), q.variance[0], atol=0, rtol=0.03)
    assert torch.equal(drawn, many.sample(torch.Generator().manual_seed(4)))


def test_samples_are_reparametrised():
    mean = torch.zeros(3, 2, requires_grad=True)
    logvar = torch.zeros(3, 2, requires_grad=True)
    DiagonalGaussian(mean, logvar).sample(torch.Generator().manual_seed(5)).sum().backward()
    assert torch.equal(mean.grad, torch.ones(3, 2))
    assert logvar.grad.abs().min() > 0


@settings(deadline=None, max_examples=25)
@given(st.floats(-20, 0), st.floats(1, 25), st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_soft_bound_stays_within_its_bounds(low, width, points):
    bounded = soft_bound(torch.tensor(points, dtype=torch.float64), low, low + width)
    assert (bounded >= low - 1e-9).all()
    assert (bounded <= low + width + 1e-9).all()


def test_soft_bound_rises_everywhere_and_keeps_a_gradient():
    low, high = LOGVAR_RANGE
    x = torch.linspace(low - 70, high + 70, 2001, requires_grad=True)
    soft_bound(x, low, high).sum().backward()
    assert (x.grad > 0).all()
    exact = torch.linspace(low - 12, high + 12, 500, dtype=torch.float64)
    assert (soft_bound(exact, low, high).diff() > 0).all()


def test_soft_bound_is_the_identity_well_inside():
    low, high = LOGVAR_RANGE
    x = torch.linspace(low + 5, high - 5, 50)
    assert_close(soft_bound(x, low, high), x, atol=0.01, rtol=0)
