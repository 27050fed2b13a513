"""Every pool against its closed form in numpy, and on cells of a mosaic."""

import numpy as np
import pytest
import torch

from hzau_omics.errors import ConfigError
from hzau_omics.nn.posterior.fusion import consensus_of_experts, quotient_of_experts
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.posterior.pools import CORRELATION, POOLS
from hzau_omics.nn.posterior.subsets import SubsetFamily

NAMES = ["a", "b", "c"]
N_CELLS, N_LATENT = 9, 2
WIDTHS = [4, 4, 4]

FAMILIES = {
    "gate": SubsetFamily.every,
    "uniform": SubsetFamily.every,
    "global": SubsetFamily.every,
    "exact": SubsetFamily.every,
}


@pytest.fixture
def hidden():
    torch.manual_seed(1)
    return [torch.randn(N_CELLS, n) for n in WIDTHS]


@pytest.fixture
def present():
    every = SubsetFamily.every(NAMES).membership()
    return torch.cat([every, every[:2]])


def family_of(pool):
    return FAMILIES.get(pool, SubsetFamily.singles)(NAMES)


def experts_of(family, low=-3.0, high=-0.2):
    torch.manual_seed(2)
    shape = (N_CELLS, len(family), N_LATENT)
    return DiagonalGaussian(torch.randn(shape), torch.empty(shape).uniform_(low, high))


def reference(pool, means, variances):
    """Combine the experts that one cell can use; arrays (expert, latent)."""
    n = len(means)
    precision = 1 / variances
    if pool == "product":
        total = 1 + precision.sum(0)
        return (precision * means).sum(0) / total, 1 / total
    if pool == "quotient":
        total = precision.sum(0) - (n - 1)
        return (precision * means).sum(0) / total, 1 / total
    if pool in {"uniform", "global", "gate"}:
        total = (precision / n).sum(0)
        return (precision / n * means).sum(0) / total, 1 / total
    if pool == "mixture":
        mean = means.mean(0)
        return mean, (variances + means**2).mean(0) - mean**2
    if pool == "consensus":
        mean, variance = np.empty(N_LATENT), np.empty(N_LATENT)
        for d in range(N_LATENT):
            sd = np.sqrt(variances[:, d])
            covariance = np.outer(sd, sd) * (CORRELATION + (1 - CORRELATION) * np.eye(n))
            inverse = np.linalg.inv(covariance)
            variance[d] = 1 / inverse.sum()
            mean[d] = inverse.sum(0) @ means[:, d] * variance[d]
        return mean, variance
    raise AssertionError(pool)


@pytest.mark.parametrize(
    "pool", ["product", "quotient", "uniform", "global", "gate", "mixture", "consensus"]
)
def test_the_posterior_is_the_closed_form(pool, hidden, present):
    # Gates start at equal weights, so their closed form is the uniform pool's here.
    family = family_of(pool)
    experts = experts_of(family)
    posterior = POOLS[pool](family, WIDTHS)(hidden, experts, present)
    for cell in range(N_CELLS):
        usable = [
            i for i, subset in enumerate(family.subsets)
            if all(present[cell, NAMES.index(name)] for name in subset)
        ]  # fmt: skip
        mean, variance = reference(
            pool,
            experts.mean[cell, usable].numpy().astype(float),
            experts.variance[cell, usable].numpy().astype(float),
        )
        np.testing.assert_allclose(posterior.q.mean[cell].detach(), mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(posterior.q.variance[cell].detach(), variance, rtol=1e-4)


def test_the_exact_pool_takes_the_expert_of_exactly_the_subset(hidden, present):
    family = SubsetFamily.every(NAMES)
    experts = experts_of(family)
    posterior = POOLS["exact"](family, WIDTHS)(hidden, experts, present)
    for cell, has in enumerate(present.tolist()):
        own = family.subsets.index(tuple(n for n, h in zip(NAMES, has, strict=True) if h))
        torch.testing.assert_close(posterior.q.mean[cell], experts.mean[cell, own])
        torch.testing.assert_close(posterior.q.logvar[cell], experts.logvar[cell, own])
    lacking = POOLS["exact"](SubsetFamily.singles_and_all(NAMES), WIDTHS)
    two = torch.tensor([[True, True, False]])
    assert not lacking.available(two).any()


def test_the_mixture_of_products_has_the_moments_of_its_draws(hidden, present):
    family = SubsetFamily.singles(NAMES)
    experts = experts_of(family)
    posterior = POOLS["mixture of products"](family, WIDTHS)(hidden, experts, present)
    rng = np.random.default_rng(0)
    every = SubsetFamily.every(NAMES).membership().numpy()
    for cell in (2, 6):  # one modality, and all
        usable = [row for row in every if not (row & ~present[cell].numpy()).any()]
        draws = []
        for row in usable:
            mean, variance = reference(
                "product",
                experts.mean[cell, row].numpy().astype(float),
                experts.variance[cell, row].numpy().astype(float),
            )
            draws.append(rng.normal(mean, np.sqrt(variance), size=(40_000, N_LATENT)))
        draws = np.concatenate(draws)
        np.testing.assert_allclose(posterior.q.mean[cell], draws.mean(0), atol=0.02)
        np.testing.assert_allclose(posterior.q.variance[cell], draws.var(0), rtol=0.03)


@pytest.mark.parametrize("pool", list(POOLS))
def test_subsets_in_one_pass_equal_subsets_one_by_one(pool, hidden):
    family = family_of(pool)
    experts = experts_of(family)
    module = POOLS[pool](family, WIDTHS)
    torch.manual_seed(3)
    masks = torch.rand(4, N_CELLS, len(NAMES)) < 0.6
    for call in (module, module.term):
        together = call(hidden, experts, masks)
        for i, mask in enumerate(masks):
            alone = call(hidden, experts, mask)
            torch.testing.assert_close(together.q.mean[i], alone.q.mean)
            torch.testing.assert_close(together.q.logvar[i], alone.q.logvar)
            assert together.available[i].equal(alone.available)


@pytest.mark.parametrize("pool", list(POOLS))
def test_a_cell_with_nothing_gets_the_prior_and_finite_gradients(pool, hidden):
    family = family_of(pool)
    mean, logvar = (part.requires_grad_() for part in experts_of(family))
    nothing = torch.zeros(N_CELLS, len(NAMES), dtype=torch.bool)
    nothing[0] = True
    q = POOLS[pool](family, WIDTHS)(hidden, DiagonalGaussian(mean, logvar), nothing).q
    torch.testing.assert_close(q.mean[1:], torch.zeros(N_CELLS - 1, N_LATENT))
    torch.testing.assert_close(q.logvar[1:], torch.zeros(N_CELLS - 1, N_LATENT))
    (q.mean.sum() + q.logvar.sum()).backward()
    for gradient in (mean.grad, logvar.grad):
        assert gradient.isfinite().all()
        assert not gradient[1:].any()


def test_the_product_is_sharper_than_every_expert_and_the_pool_is_not(hidden):
    every = torch.ones(N_CELLS, len(NAMES), dtype=torch.bool)
    singles = SubsetFamily.singles(NAMES)
    experts = experts_of(singles)
    sharpest = experts.variance.amin(1)
    product = POOLS["product"](singles, WIDTHS)(hidden, experts, every).q
    assert (product.variance < sharpest).all()
    family = SubsetFamily.every(NAMES)
    experts = experts_of(family)
    pooled = POOLS["gate"](family, WIDTHS)(hidden, experts, every).q
    assert (pooled.variance >= experts.variance.amin(1) - 1e-6).all()


def test_a_quotient_of_wide_experts_is_refused():
    experts = DiagonalGaussian(torch.zeros(1, 2, 1), torch.tensor([[[-1.0], [0.1]]]))
    with pytest.raises(ConfigError, match="narrower than the prior"):
        quotient_of_experts(experts, torch.tensor([[True, True]]))
    # An unavailable expert does not matter.
    q = quotient_of_experts(experts, torch.tensor([[True, False]]))
    torch.testing.assert_close(q.logvar, torch.tensor([[-1.0]]))


def test_the_bound_keeps_quotients_positive():
    low, high = POOLS["quotient"].logvar_range
    n = 20
    widest = DiagonalGaussian(torch.ones(1, n, 1), torch.full((1, n, 1), high))
    q = quotient_of_experts(widest, torch.ones(1, n, dtype=torch.bool))
    assert 0 < float(q.variance) < 1
    assert low < high < 0


def test_independent_experts_agree_as_a_product_without_the_prior():
    experts = experts_of(SubsetFamily.singles(NAMES))
    every = torch.ones(N_CELLS, len(NAMES), dtype=torch.bool)
    q = consensus_of_experts(experts, every, correlation=0.0)
    precision = (-experts.logvar).exp()
    torch.testing.assert_close(q.variance, 1 / precision.sum(1))
    torch.testing.assert_close(q.mean, (precision * experts.mean).sum(1) / precision.sum(1))
    correlated = consensus_of_experts(experts, every, correlation=0.5)
    assert correlated.variance.mean() > q.variance.mean()
