"""The two propositions of docs/method.md, against dense linear algebra and integration."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from hzau_omics.nn.posterior.fusion import (
    add_information,
    log_linear_pool,
    masked_log_softmax,
    product_of_experts,
    quotient_of_experts,
)
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, standard_normal_like

SEEDS = st.integers(0, 10**6)
few = settings(deadline=None, max_examples=25)


def draw(seed: int, cells: int = 6, experts: int = 4, latents: int = 3, *, patchy: bool = True):
    """Experts, gate logits and availability; every cell can use at least one expert."""
    generator = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(*shape, generator=generator)
    available = torch.rand(cells, experts, generator=generator) < 0.6
    available[torch.arange(cells), torch.randint(experts, (cells,), generator=generator)] = True
    if not patchy:
        available[:] = True
    pool = DiagonalGaussian(
        2 * normal(cells, experts, latents), 1.5 * normal(cells, experts, latents)
    )
    return pool, 2 * normal(cells, experts), available


def pool_of(experts, logits, available) -> DiagonalGaussian:
    return log_linear_pool(experts, masked_log_softmax(logits, available), available)


def dense(experts, weights, available, cell: int, *, prior: bool):
    """Mean and variances of the product of powered Gaussians, with full matrices."""
    size = experts.mean.shape[-1]
    precision = np.eye(size) * float(prior)
    shift = np.zeros(size)
    for s in available[cell].nonzero().flatten().tolist():
        inverse = np.linalg.inv(np.diag(experts.variance[cell, s].double().numpy()))
        weight = float(weights[cell, s])
        precision = precision + weight * inverse
        shift = shift + weight * (inverse @ experts.mean[cell, s].double().numpy())
    mean, covariance = np.linalg.solve(precision, shift), np.linalg.inv(precision)
    return torch.from_numpy(mean), torch.from_numpy(np.diag(covariance).copy())


@pytest.mark.parametrize("patchy", [False, True])
def test_pool_matches_dense_linear_algebra(patchy):
    experts, logits, available = draw(0, patchy=patchy)
    weights = masked_log_softmax(logits, available).exp()
    pooled = pool_of(experts, logits, available)
    for cell in range(6):
        mean, variance = dense(experts, weights, available, cell, prior=False)
        assert_close(pooled.mean[cell].double(), mean, atol=1e-5, rtol=1e-4)
        assert_close(pooled.variance[cell].double(), variance, atol=0, rtol=1e-5)


@pytest.mark.parametrize("patchy", [False, True])
def test_product_matches_dense_linear_algebra(patchy):
    experts, _, available = draw(1, patchy=patchy)
    product = product_of_experts(experts, available)
    for cell in range(6):
        mean, variance = dense(experts, available, available, cell, prior=True)
        assert_close(product.mean[cell].double(), mean, atol=1e-5, rtol=1e-4)
        assert_close(product.variance[cell].double(), variance, atol=0, rtol=1e-5)


def on_a_grid(q: DiagonalGaussian, grid: torch.Tensor) -> torch.Tensor:
    """Log density of each (cell, expert) at each point of a one-dimensional grid."""
    normal = torch.distributions.Normal(q.mean.double(), (0.5 * q.logvar).exp().double())
    return normal.log_prob(grid)


def normalised(log_density: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    density = (log_density - log_density.amax(-1, keepdim=True)).exp()
    return density / torch.trapezoid(density, grid).unsqueeze(-1)


def test_both_match_the_normalised_product_of_densities():
    experts, logits, available = draw(2, latents=1)
    grid = torch.linspace(-20, 20, 40_001, dtype=torch.float64)
    prior = on_a_grid(standard_normal_like(experts.mean[:, 0]), grid)
    each = on_a_grid(experts, grid)
    weights = masked_log_softmax(logits, available).exp().double()
    against_prior = weights.unsqueeze(-1) * (each - prior.unsqueeze(1))
    pool = normalised(prior + against_prior.sum(1), grid)
    product = normalised(prior + (available.unsqueeze(-1) * each).sum(1), grid)
    ours = on_a_grid(pool_of(experts, logits, available), grid).exp()
    assert_close(ours, pool, atol=2e-5, rtol=1e-4)
    ours = on_a_grid(product_of_experts(experts, available), grid).exp()
    assert_close(ours, product, atol=2e-5, rtol=1e-4)


def test_evidence_is_the_exact_posterior_where_modalities_are_independent_given_z():
    torch.manual_seed(0)
    noise = torch.tensor([0.5, 2.0, 0.1])
    x = torch.randn(7, 1) + noise.sqrt() * torch.randn(7, 3)
    # z ~ N(0, 1), x_m | z ~ N(z, noise_m).
    single = DiagonalGaussian(
        (x / (1 + noise)).unsqueeze(-1), (noise / (1 + noise)).log().expand(7, 3).unsqueeze(-1)
    )
    precision = 1 + (1 / noise).sum()
    members = torch.tensor([[True, True, True], [True, False, True], [False, True, False]])
    found = add_information(single, members)
    assert_close(found.mean[:, 0, 0], (x / noise).sum(-1) / precision)
    assert_close(found.variance[:, 0, 0], (1 / precision).expand(7))
    for s, subset in enumerate(members):
        expected = quotient_of_experts(single, subset.expand(7, -1))
        for ours, theirs in zip(found, expected, strict=True):
            assert_close(ours[:, s], theirs)


def test_an_expert_wider_than_the_prior_has_no_evidence():
    mean = torch.tensor([[[2.0], [5.0]]])
    wide = DiagonalGaussian(mean, torch.tensor([[[-1.0], [3.0]]]))
    found = add_information(wide, torch.tensor([[True, True]]))
    assert_close(found.logvar, torch.tensor([[[-1.0]]]))
    assert_close(found.mean, torch.tensor([[[2.0]]]))


@few
@given(SEEDS)
def test_pooled_precision_never_exceeds_the_sharpest_expert(seed):
    experts, logits, available = draw(seed)
    pooled = pool_of(experts, logits, available)
    usable = available.unsqueeze(-1)
    sharpest = torch.where(usable, experts.logvar, torch.inf).amin(1)
    widest = torch.where(usable, experts.logvar, -torch.inf).amax(1)
    assert (pooled.logvar >= sharpest - 1e-5).all()
    assert (pooled.logvar <= widest + 1e-5).all()


@few
@given(SEEDS)
def test_product_is_sharper_than_every_expert_and_the_prior(seed):
    experts, _, available = draw(seed)
    product = product_of_experts(experts, available)
    sharpest = torch.where(available.unsqueeze(-1), experts.logvar, torch.inf).amin(1)
    assert (product.logvar < sharpest).all()
    assert (product.logvar < 0).all()


@few
@given(SEEDS, st.permutations(range(4)))
def test_order_of_experts_does_not_matter(seed, order):
    experts, logits, available = draw(seed)
    moved = DiagonalGaussian(experts.mean[:, order], experts.logvar[:, order])
    assert_close(
        pool_of(moved, logits[:, order], available[:, order]), pool_of(experts, logits, available)
    )
    assert_close(
        product_of_experts(moved, available[:, order]), product_of_experts(experts, available)
    )


@few
@given(SEEDS)
def test_one_expert_alone_is_the_pool(seed):
    experts, logits, available = draw(seed, experts=1)
    pooled = pool_of(experts, logits, available)
    assert_close(pooled.mean, experts.mean[:, 0])
    assert_close(pooled.logvar, experts.logvar[:, 0])


@pytest.mark.parametrize("junk", [torch.nan, torch.inf, -torch.inf, 1e30])
@pytest.mark.parametrize("gated", [True, False])
def test_an_unavailable_expert_changes_nothing(junk, gated):
    experts, logits, available = draw(3)
    available[0] = torch.tensor([True, True, False, False])
    hole = ~available

    def fuse(fill):
        leaves = [
            torch.where(hole.unsqueeze(-1), fill, experts.mean).requires_grad_(),
            torch.where(hole.unsqueeze(-1), fill, experts.logvar).requires_grad_(),
            torch.where(hole, fill, logits).requires_grad_(),
        ]
        gaussian = DiagonalGaussian(leaves[0], leaves[1])
        fused = (
            pool_of(gaussian, leaves[2], available)
            if gated
            else product_of_experts(gaussian, available)
        )
        (fused.mean.square().sum() + fused.variance.sum()).backward()
        return fused, [leaf.grad for leaf in leaves if leaf.grad is not None]

    clean, clean_gradients = fuse(0.0)
    dirty, dirty_gradients = fuse(junk)
    assert torch.equal(dirty.mean, clean.mean)
    assert torch.equal(dirty.logvar, clean.logvar)
    assert len(dirty_gradients) == (3 if gated else 2)
    for ours, theirs in zip(dirty_gradients, clean_gradients, strict=True):
        assert ours.isfinite().all()
        assert torch.equal(ours, theirs)
        assert (ours[hole] == 0).all()
        assert (ours[0, :2] != 0).all()


@few
@given(SEEDS, st.sampled_from([1.0, 30.0, 1e3]))
def test_weights_are_zero_where_unavailable_and_sum_to_one(seed, spread):
    _, logits, available = draw(seed)
    weights = masked_log_softmax(spread * logits, available).exp()
    assert (weights[~available] == 0).all()
    assert_close(weights.sum(-1), torch.ones(6), atol=1e-6, rtol=0)


@pytest.mark.parametrize("level", [1e4, -1e4, -1e5])
def test_weights_do_not_depend_on_the_level_of_the_logits(level):
    available = torch.tensor([[True, True, False], [True, False, False]])
    logits = torch.tensor([[level, level, 0.0], [level, 0.0, 0.0]])
    weights = masked_log_softmax(logits, available).exp()
    assert_close(weights, torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))


def test_a_cell_with_nothing_gets_the_prior():
    experts, logits, available = draw(4)
    available[2] = False
    leaves = [experts.mean.requires_grad_(), experts.logvar.requires_grad_()]
    pooled = pool_of(experts, logits.requires_grad_(), available)
    product = product_of_experts(experts, available)
    for fused in (pooled, product):
        assert torch.equal(fused.mean[2], torch.zeros(3))
        assert torch.equal(fused.logvar[2], torch.zeros(3))
    sum(part.sum() for part in (*pooled, *product)).backward()
    for leaf in (*leaves, logits):
        assert leaf.grad.isfinite().all()
        assert (leaf.grad[2] == 0).all()


@pytest.mark.parametrize("logvar", [-1e3, -80.0, 80.0, 1e3])
def test_extreme_logits_and_variances_stay_finite(logvar):
    mean = torch.tensor([[[3.0], [-1.0], [2.0]]], requires_grad=True)
    spread = torch.tensor([[[logvar], [0.0], [0.0]]], requires_grad=True)
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    available = torch.tensor([[True, True, True]])
    experts = DiagonalGaussian(mean, spread)
    pooled, product = pool_of(experts, logits, available), product_of_experts(experts, available)
    sum(part.sum() for part in (*pooled, *product)).backward()
    for value in (*pooled, *product, mean.grad, spread.grad, logits.grad):
        assert value.isfinite().all()
    # All weight is on the first expert, however wide that is.
    assert_close(pooled.mean, torch.tensor([[3.0]]))
    assert_close(pooled.logvar, torch.tensor([[logvar]]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_fused_in_float32(dtype):
    experts, logits, available = draw(5)
    low = DiagonalGaussian(experts.mean.to(dtype), experts.logvar.to(dtype))
    high = DiagonalGaussian(low.mean.float(), low.logvar.float())
    pooled = pool_of(low, logits.to(dtype), available)
    assert pooled.mean.dtype == torch.float32
    assert_close(pooled, pool_of(high, logits.to(dtype).float(), available), atol=0, rtol=0)
    product = product_of_experts(low, available)
    assert_close(product, product_of_experts(high, available), atol=0, rtol=0)
