"""Draws that damage counts: their distributions, and that they repeat."""

import numpy as np
import pytest
import torch
from scipy import stats

from hzau_omics.nn.decoding.likelihoods.damage_loops import ambient_rows, thinned_rows

SHAPE = (100, 200)


def furthest(draws, distribution):
    """Return the largest distance of the draws' distribution function from the expected one."""
    values, counts = np.unique(draws.numpy(), return_counts=True)
    return np.abs(counts.cumsum() / counts.sum() - distribution.cdf(values)).max()


@pytest.mark.parametrize(
    ("count", "kept"),
    [(1, 0.3), (12, 0.5), (13, 0.01), (40, 0.97), (200, 0.04), (100, 0.5), (5000, 0.05), (9000, 1)],
)
def test_kept_units_are_binomial(count, kept):
    torch.manual_seed(0)
    found = thinned_rows(torch.full(SHAPE, float(count)), torch.full((SHAPE[0], 1), float(kept)))
    assert furthest(found, stats.binom(count, kept)) < 0.012


@pytest.mark.parametrize("rate", [0.02, 0.9, 5.0, 30.0])
def test_added_counts_are_poisson(rate):
    torch.manual_seed(0)
    x = torch.zeros(SHAPE[0], SHAPE[1] + 1)
    x[:, 0] = 1000
    found = ambient_rows(x, torch.zeros(SHAPE[0], 1), torch.full_like(x, rate / 1000))[:, 1:]
    assert furthest(found, stats.poisson(rate)) < 0.012


def test_kept_and_added_counts_are_independent():
    torch.manual_seed(0)
    x, kept = torch.full(SHAPE, 40.0), torch.full((SHAPE[0], 1), 0.5)
    found = ambient_rows(x, kept, torch.full(SHAPE, 1 / SHAPE[1]))
    # Variances of independent counts add up: 10 of kept ones, 20 of added ones.
    assert found.mean() == pytest.approx(40, rel=0.01)
    assert found.var() == pytest.approx(30, rel=0.03)


def test_draws_repeat_whatever_the_number_of_threads():
    x, kept = torch.poisson(torch.full(SHAPE, 3.0)), torch.rand(SHAPE[0], 1)
    profile = torch.rand(SHAPE).softmax(-1)
    found = []
    threads = torch.get_num_threads()
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        torch.manual_seed(0)
        found.append((thinned_rows(x, kept), ambient_rows(x, kept, profile)))
    torch.set_num_threads(threads)
    for one, two in zip(*found, strict=True):
        assert one.equal(two)
    assert not thinned_rows(x, kept).equal(found[0][0])
