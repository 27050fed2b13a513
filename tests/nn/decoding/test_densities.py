"""Every density against SciPy or scvi-tools' own distributions, in value and gradient."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch.autograd import gradcheck
from torch.testing import assert_close

from hzau_omics.nn.decoding import densities

COUNTS = torch.tensor([0.0, 1.0, 2.0, 7.0, 60.0, 1e3, 1e4], dtype=torch.float64)
MEANS = (1e-6, 1e-2, 1.0, 35.0, 2e4)
THETAS = (0.01, 0.7, 12.0, 2e3)


def grid() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Counts, log means and log dispersions in all combinations, of shape (combination, count)."""
    means, thetas = torch.meshgrid(
        torch.tensor(MEANS, dtype=torch.float64).log(),
        torch.tensor(THETAS, dtype=torch.float64).log(),
        indexing="ij",
    )
    shape = (means.numel(), COUNTS.numel())
    return (
        COUNTS.expand(shape),
        means.reshape(-1, 1).expand(shape),
        thetas.reshape(-1, 1).expand(shape),
    )


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_poisson_matches_scipy():
    x, log_mean, _ = grid()
    expected = scipy.stats.poisson.logpmf(x.numpy(), log_mean.exp().numpy())
    assert_close(densities.log_poisson(x, log_mean), torch.from_numpy(expected), rtol=1e-9, atol=0)


def test_nb_matches_scipy():
    x, log_mean, log_theta = grid()
    theta, mean = log_theta.exp().numpy(), log_mean.exp().numpy()
    expected = torch.from_numpy(scipy.stats.nbinom.logpmf(x.numpy(), theta, theta / (theta + mean)))
    usable = expected.isfinite()
    assert usable.float().mean() > 0.95
    ours = densities.log_nb(x, log_mean, log_theta)
    assert ours.isfinite().all()
    assert_close(ours[usable], expected[usable], rtol=1e-7, atol=1e-9)


def test_nb_has_the_stated_variance():
    x = torch.arange(4000, dtype=torch.float64)[None]
    mean, theta = 5.0, 2.0
    p = densities.log_nb(x, torch.full_like(x, mean).log(), torch.full_like(x, theta).log()).exp()
    assert_close(float(p.sum()), 1.0)
    assert_close(float((p * x).sum()), mean)
    assert_close(float((p * (x - mean).square()).sum()), mean + mean**2 / theta)


def test_nb_approaches_poisson():
    x = torch.arange(30, dtype=torch.float64)[None]
    log_mean = torch.full_like(x, 4.0).log()
    far = densities.log_nb(x, log_mean, torch.full_like(x, 20.0))
    assert_close(far, densities.log_poisson(x, log_mean), atol=1e-4, rtol=0)


# scvi-tools adds 1e-8 within logarithms, so the comparison keeps to means above that.
def test_nb_family_matches_scvi():
    import scvi.distributions as scvi

    x, log_mean, log_theta = grid()
    rows = log_mean[:, 0] > np.log(1e-3)
    x, log_mean, log_theta = x[rows], log_mean[rows], log_theta[rows]
    logit, other = noise(*x.shape, seed=1), log_mean + 0.8
    mean, theta = log_mean.exp(), log_theta.exp()
    close = {"rtol": 1e-5, "atol": 1e-5}
    assert_close(
        densities.log_nb(x, log_mean, log_theta),
        scvi.NegativeBinomial(mu=mean, theta=theta).log_prob(x),
        **close,
    )
    assert_close(
        densities.log_zinb(x, log_mean, log_theta, logit),
        scvi.ZeroInflatedNegativeBinomial(mu=mean, theta=theta, zi_logits=logit).log_prob(x),
        **close,
    )
    assert_close(
        densities.log_nb_mixture(x, log_mean, other, log_theta, logit),
        scvi.NegativeBinomialMixture(
            mu1=mean, mu2=other.exp(), theta1=theta, mixture_logits=logit
        ).log_prob(x),
        **close,
    )


def test_zinb_without_extra_zeros_is_nb():
    x, log_mean, log_theta = grid()
    without = torch.full_like(x, -1e6)
    assert_close(
        densities.log_zinb(x, log_mean, log_theta, without),
        densities.log_nb(x, log_mean, log_theta),
    )


def test_bernoulli_matches_scipy_and_takes_values_between():
    logit = noise(5, 4)
    probability = torch.sigmoid(logit)
    for value in (0.0, 1.0):
        x = torch.full_like(logit, value)
        expected = torch.from_numpy(scipy.stats.bernoulli.logpmf(x.numpy(), probability.numpy()))
        assert_close(densities.log_bernoulli(x, logit), expected)
    x = torch.rand(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    cross_entropy = x * probability.log() + (1 - x) * (1 - probability).log()
    assert_close(densities.log_bernoulli(x, logit), cross_entropy)


def test_categorical_sums_to_the_log_probability_of_the_category():
    log_probability = noise(4, 4).log_softmax(-1)
    entries = densities.log_categorical(torch.eye(4, dtype=torch.float64), log_probability)
    assert_close(entries.sum(-1), log_probability.diag())


def test_a_cell_without_counts_has_a_multinomial_density_of_one():
    x, log_probability = torch.zeros(2, 3), torch.full((2, 3), 1 / 3).log()
    assert torch.equal(densities.log_multinomial(x, log_probability).sum(-1), torch.zeros(2))


def test_multinomial_matches_scipy():
    log_probability = noise(5, 6).log_softmax(-1)
    x = torch.tensor(np.random.default_rng(0).poisson(8.0, (5, 6)), dtype=torch.float64)
    x[0] *= 1000
    expected = scipy.stats.multinomial.logpmf(
        x.numpy(), x.sum(-1).numpy(), log_probability.exp().numpy()
    )
    ours = densities.log_multinomial(x, log_probability).sum(-1)
    assert_close(ours, torch.from_numpy(expected), rtol=1e-8, atol=1e-8)


def test_normal_matches_scipy():
    x, mean, log_sd = noise(5, 3), noise(5, 3, seed=1), noise(1, 3, seed=2)
    expected = scipy.stats.norm.logpdf(x.numpy(), mean.numpy(), log_sd.exp().numpy())
    assert_close(densities.log_normal(x, mean, log_sd), torch.from_numpy(expected))


X = torch.tensor([[0.0, 1.0, 3.0], [40.0, 0.0, 2.0]], dtype=torch.float64)
UNIT = torch.tensor([[0.0, 1.0, 1.0], [0.3, 0.0, 0.9]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("density", "x", "n_parameters"),
    [
        (densities.log_poisson, X, 1),
        (densities.log_nb, X, 2),
        (densities.log_zinb, X, 3),
        (densities.log_nb_mixture, X, 4),
        (densities.log_bernoulli, UNIT, 1),
        (densities.log_categorical, UNIT, 1),
        (densities.log_multinomial, X, 1),
        (densities.log_normal, X, 2),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_gradients_match_finite_differences(density, x, n_parameters):
    parameters = [noise(2, 3, seed=i).requires_grad_() for i in range(n_parameters)]
    assert gradcheck(lambda *p: density(x, *p), parameters)


def test_one_dispersion_for_all_cells_collects_every_gradient():
    log_mean, log_theta = noise(2, 3), noise(1, 3, seed=1).requires_grad_()
    assert gradcheck(lambda theta: densities.log_nb(X, log_mean, theta), [log_theta])


@pytest.mark.parametrize("log_mean", [-15.0, 0.0, 15.0])
@pytest.mark.parametrize("log_theta", [-6.0, 8.0])
@pytest.mark.parametrize("logit", [-40.0, 40.0])
def test_float32_is_finite_at_the_ends_of_every_range(log_mean, log_theta, logit):
    x = torch.tensor([[0.0, 1.0, 1e4, 1e6]])
    full = lambda value: torch.full_like(x, value, requires_grad=True)
    leaves = [full(log_mean), full(log_mean), full(log_theta), full(logit)]
    mean, other, theta, mix = leaves
    values = [
        densities.log_poisson(x, mean),
        densities.log_nb(x, mean, theta),
        densities.log_zinb(x, mean, theta, mix),
        densities.log_nb_mixture(x, mean, other, theta, mix),
        densities.log_bernoulli(x.clamp(max=1), mix),
    ]
    sum(value.sum() for value in values).backward()
    for value in (*values, *(leaf.grad for leaf in leaves)):
        assert value.isfinite().all()


def test_float32_keeps_its_precision():
    x, log_mean, log_theta = grid()
    exact = densities.log_nb(x, log_mean, log_theta)
    single = densities.log_nb(x.float(), log_mean.float(), log_theta.float())
    assert_close(single.double(), exact, rtol=1e-4, atol=0.02)
