"""Means and draws of the mixture, against NumPy."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from hzau_omics.nn.neighbours.mixture import mix_draws, mix_means, neighbour_weights


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_weights_are_a_softmax_in_each_group():
    rng = np.random.default_rng(0)
    groups = [rng.normal(0, 5, (4, n)) for n in (3, 6)]
    found = neighbour_weights([torch.from_numpy(g) for g in groups], 2.5).numpy()
    expected = np.concatenate([softmax(g / 2.5, axis=1) for g in groups], axis=1) / 2
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found.sum(1), 1)


def test_the_mean_is_that_of_the_mixture():
    rng = np.random.default_rng(1)
    own, values = rng.normal(size=(4, 5)), rng.normal(size=(6, 5))
    weights = rng.dirichlet(np.ones(6), size=4)
    found = mix_means(*map(torch.from_numpy, (own, weights, values)), share=0.3).numpy()
    np.testing.assert_allclose(found, 0.7 * own + 0.3 * weights @ values)


@pytest.mark.parametrize("share", [0.0, 0.37, 1.0])
def test_a_share_of_the_draws_are_whole_neighbours(share):
    n_samples, values = 50, torch.arange(1.0, 7).view(3, 2)
    draws = torch.zeros(n_samples, 4, 2)
    weights = torch.tensor([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0]])
    mix_draws(draws, torch.tensor([0, 3]), weights, values, share=share, generator=generator())
    assert not draws[:, [1, 2]].any()
    for cell, allowed in ((0, values[:2]), (3, values[:1])):
        replaced = draws[:, cell].any(-1)
        assert int(replaced.sum()) in {np.floor(share * n_samples), np.ceil(share * n_samples)}
        for draw in draws[replaced, cell]:
            assert (draw == allowed).all(-1).any()


def test_neighbours_are_drawn_by_their_weights():
    draws, values = torch.zeros(20_000, 1, 1), torch.tensor([[1.0], [2.0]])
    weights = torch.tensor([[0.25, 0.75]])
    mix_draws(draws, torch.tensor([0]), weights, values, share=0.6, generator=generator())
    shares = [(draws == value).float().mean().item() for value in (0, 1, 2)]
    np.testing.assert_allclose(shares, [0.4, 0.15, 0.45], atol=0.01)


def test_the_same_seed_gives_the_same_draws():
    found = []
    for _ in range(2):
        draws = torch.zeros(10, 3, 2)
        weights = torch.full((3, 4), 0.25)
        values = torch.arange(8.0).view(4, 2)
        rows = torch.arange(3)
        mix_draws(draws, rows, weights, values, share=0.5, generator=generator(3))
        found.append(draws)
    assert found[0].equal(found[1])
