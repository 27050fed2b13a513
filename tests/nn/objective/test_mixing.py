"""The discrepancy between batches: against its plain formula, and what it does to posteriors."""

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from hzau_omics.nn.objective.mixing import (
    DISTANCES,
    MOST_CELLS,
    TermGroups,
    batch_discrepancy,
    pair_weights,
)


def groups_of(batch, subsets=None):
    batch = torch.as_tensor(batch)
    if subsets is None:
        subsets = torch.ones(1, len(batch), 2, dtype=torch.bool)
    counts = torch.ones(len(batch), dtype=torch.bool)
    return TermGroups(subsets, counts, batch, int(batch.max()) + 1)


def plain(mean, batch):
    """Return the unbiased estimate by its definition, averaged over pairs of batches."""
    distance = (mean.unsqueeze(1) - mean).square().sum(-1)
    distance = distance / distance.detach().mean()
    kernel = sum((half / (half + distance)) ** 2 for half in DISTANCES) / len(DISTANCES)
    members = [torch.nonzero(batch == b)[:, 0] for b in batch.unique()]
    members = [m for m in members if len(m) > 1]

    def within(m):
        block = kernel[m][:, m]
        return (block.sum() - block.diagonal().sum()) / (len(m) * (len(m) - 1))

    pairs = [
        within(a) + within(b) - 2 * kernel[a][:, b].mean() for a, b in combinations(members, 2)
    ]
    # Of B batches, each is in B - 1 pairs.
    n_terms = sum(len(m) for m in members)
    return n_terms * sum(pairs) / (len(members) * (len(members) - 1)) if pairs else torch.zeros(())


@given(st.integers(0, 500), st.integers(4, 20), st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_it_is_the_unbiased_estimate(seed, n_cells, n_batches):
    torch.manual_seed(seed)
    batch = torch.randint(n_batches, (n_cells,))
    mean = torch.randn(n_cells, 3, dtype=torch.double, requires_grad=True)
    found = batch_discrepancy(mean.unsqueeze(0), groups_of(batch))
    expected = plain(mean, batch)
    assert_close(found.double(), expected.double(), rtol=1e-6, atol=1e-6)
    if expected.requires_grad:
        own, plains = (torch.autograd.grad(value, mean)[0] for value in (found, expected))
        assert_close(own, plains, rtol=1e-5, atol=1e-7)


def test_only_terms_of_the_same_modalities_are_compared():
    torch.manual_seed(0)
    batch = torch.tensor([0, 1] * 8)
    subsets = torch.ones(1, 16, 2, dtype=torch.bool)
    subsets[0, 8:, 1] = False
    mean = torch.randn(1, 16, 3, dtype=torch.double)
    weights = pair_weights(groups_of(batch, subsets))[0]
    assert (weights[:8, 8:] == 0).all()
    assert (weights[8:, :8] == 0).all()
    assert_close(weights[:8, :8], pair_weights(groups_of(batch[:8]))[0])
    # Modalities that one batch alone has say nothing about batches.
    alone = torch.ones(1, 16, 2, dtype=torch.bool)
    alone[0, batch == 1, 1] = False
    assert float(batch_discrepancy(mean, groups_of(batch, alone))) == 0


def test_empty_terms_and_single_batches_add_nothing():
    torch.manual_seed(0)
    batch = torch.tensor([0, 0, 1, 1, 1, 0])
    mean = torch.randn(2, 6, 3, dtype=torch.double)
    subsets = torch.ones(2, 6, 2, dtype=torch.bool)
    subsets[1] = False
    found = batch_discrepancy(mean, groups_of(batch, subsets))
    assert_close(found, batch_discrepancy(mean[:1], groups_of(batch)))
    one = groups_of(batch)._replace(batch=torch.zeros_like(batch))
    assert float(batch_discrepancy(mean[:1], one)) == 0
    # Cells that do not count are as if they were not there.
    counts = torch.tensor([True, True, True, True, False, False])
    weights = pair_weights(groups_of(batch)._replace(counts=counts))
    assert_close(weights[:, :4, :4], pair_weights(groups_of(batch[:4])))
    assert float(weights.abs().sum()) == float(weights[:, :4, :4].abs().sum())


def test_its_mean_is_0_for_one_distribution_and_it_grows_with_the_distance():
    torch.manual_seed(0)
    batch = torch.tensor([0, 1, 1] * 20)

    def average(shift):
        drawn = []
        for _ in range(200):
            mean = torch.randn(1, 60, 4, dtype=torch.double)
            drawn.append(batch_discrepancy(mean + shift * batch[:, None], groups_of(batch)) / 60)
        return torch.stack(drawn)

    same, near, far = (average(shift) for shift in (0.0, 0.5, 3.0))
    assert abs(float(same.mean())) < 3 * float(same.std()) / 200**0.5
    assert 0.002 < near.mean() < far.mean() < 2


def test_its_gradient_joins_what_differs_and_leaves_kinds_of_cells_apart():
    torch.manual_seed(0)
    batch, kind = torch.arange(120) % 2, torch.arange(120) // 2 % 2
    start = 0.3 * torch.randn(120, 2, dtype=torch.double)
    start[:, 0] += 4 * kind
    start[:, 1] += batch
    mean = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([mean], lr=0.01)
    for _ in range(500):
        optimizer.zero_grad()
        batch_discrepancy(mean.unsqueeze(0), groups_of(batch)).backward()
        optimizer.step()
    found = mean.detach()
    gap = (found[batch == 0].mean(0) - found[batch == 1].mean(0)).abs()
    assert float(gap[1]) < 0.3
    apart = found[kind == 1].mean(0) - found[kind == 0].mean(0)
    assert float(apart[0]) == pytest.approx(4, abs=0.5)


def test_of_a_large_minibatch_a_sample_is_compared():
    torch.manual_seed(0)
    batch = torch.randint(3, (2 * MOST_CELLS,))
    mean = torch.randn(1, len(batch), 3, dtype=torch.double) + batch[:, None]
    few = batch_discrepancy(mean[:, :MOST_CELLS], groups_of(batch[:MOST_CELLS]))
    assert_close(batch_discrepancy(mean, groups_of(batch)), 2 * few)
