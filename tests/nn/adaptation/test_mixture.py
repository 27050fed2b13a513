import torch

from hzau_omics.nn.adaptation.mixture import mixed_posterior
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.posterior.pools import Posterior


def _posterior(seed):
    rng = torch.Generator().manual_seed(seed)
    q = DiagonalGaussian(torch.randn(3, 2, generator=rng), torch.randn(3, 2, generator=rng))
    log_weights = torch.randn(3, 2, generator=rng).log_softmax(-1)
    return Posterior(q, log_weights, torch.ones(3, 2, dtype=torch.bool))


def test_moments_are_those_of_the_mixture():
    parts = [_posterior(seed) for seed in range(4)]
    mixed = mixed_posterior(parts)
    rng = torch.Generator().manual_seed(0)
    drawn = torch.cat([part.q.sample(rng) for part in parts for _ in range(20_000)]).view(-1, 3, 2)
    torch.testing.assert_close(mixed.q.mean, drawn.mean(0), rtol=0, atol=0.03)
    torch.testing.assert_close(mixed.q.variance, drawn.var(0), rtol=0.05, atol=0)
    weights = torch.stack([part.weights for part in parts]).mean(0)
    torch.testing.assert_close(mixed.weights, weights)


def test_one_part_is_returned_as_it_is():
    part = _posterior(0)
    mixed = mixed_posterior([part])
    torch.testing.assert_close(mixed.q.mean, part.q.mean)
    torch.testing.assert_close(mixed.q.variance, part.q.variance)
    torch.testing.assert_close(mixed.weights, part.weights)
