import numpy as np
import pytest
import torch
from scipy import stats

from hzau_omics.nn.decoding.draws.counts import sample_nb

PLACES = {
    "rare": (0.05, 0.5),
    "small": (3.0, 2.0),
    "next to Poisson": (11.0, 2000.0),
    "many zeros": (11.0, 0.05),
    "above the limit": (13.0, 0.5),
    "large": (4000.0, 3.0),
    "large and next to Poisson": (40.0, 2900.0),
}


def _drawn(mean, theta, shape, seed=0):
    log_mean = torch.full(shape, float(np.log(mean)))
    log_theta = torch.full((1, shape[1]), float(np.log(theta)))
    return sample_nb(log_mean, log_theta, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("mean", "theta"), PLACES.values(), ids=PLACES)
def test_draws_have_the_distribution_of_scipy(mean, theta):
    drawn = _drawn(mean, theta, (400, 100)).numpy().ravel()
    exact = stats.nbinom(theta, theta / (theta + mean))
    cuts = np.unique(exact.ppf(np.linspace(0.03, 0.97, 25)))
    share = np.diff(np.concatenate([[0.0], exact.cdf(cuts), [1.0]]))
    found = np.histogram(drawn, np.concatenate([[-1], cuts + 0.5, [np.inf]]))[0]
    kept = share > 1e-12
    assert stats.chisquare(found[kept], share[kept] * len(drawn)).pvalue > 1e-4
    assert (drawn == drawn.round()).all()


def test_draws_follow_from_the_seed_whatever_the_number_of_threads():
    first = _drawn(2.0, 1.0, (50, 30))
    assert torch.equal(first, _drawn(2.0, 1.0, (50, 30)))
    assert not torch.equal(first, _drawn(2.0, 1.0, (50, 30), seed=1))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3 - min(threads, 2))
        assert torch.equal(first, _drawn(2.0, 1.0, (50, 30)))
    finally:
        torch.set_num_threads(threads)


def test_neighbouring_entries_are_independent():
    drawn = _drawn(2.0, 1.0, (300, 300)).numpy()
    for a, b in ((drawn[1:], drawn[:-1]), (drawn[:, 1:], drawn[:, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4.5 / np.sqrt(a.size)


def test_each_cell_may_have_dispersions_of_its_own():
    log_mean = torch.zeros(2, 4000)
    log_theta = torch.tensor([[-3.0], [6.0]]).expand(2, 4000).contiguous()
    drawn = sample_nb(log_mean, log_theta, torch.Generator().manual_seed(0))
    zeros = (drawn == 0).float().mean(1)
    assert zeros[0] > 0.8
    assert zeros[1] == pytest.approx(np.exp(-1), abs=0.04)


def test_means_without_a_distribution_stay_what_they_are():
    log_mean = torch.tensor([[torch.nan, torch.inf, -torch.inf]])
    drawn = sample_nb(log_mean, torch.zeros(1, 3), None)[0]
    assert drawn[0].isnan()
    assert drawn[1] == torch.inf
    assert drawn[2] == 0
