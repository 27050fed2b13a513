import numpy as np
import torch
from scipy import stats

from hzau_omics.nn.novelty import distance
from hzau_omics.nn.novelty.distance import conformal_p_values, neighbour_distance


def test_the_distance_is_that_of_the_neighbour_of_this_rank(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    points, others = torch.randn(7, 3, generator=generator), torch.randn(25, 3, generator=generator)
    points[0] = others[4]
    own = torch.tensor([4, -1, -1, -1, -1, -1, -1])
    expected = torch.cdist(points, others)
    expected[0, 4] = torch.inf
    expected = expected.sort(-1).values[:, 4]
    torch.testing.assert_close(neighbour_distance(points, others, own), expected)
    monkeypatch.setattr(distance, "PAIRS_HELD", 50)
    torch.testing.assert_close(neighbour_distance(points, others, own), expected)


def test_two_cells_have_a_neighbour_each():
    two = torch.tensor([[0.0], [3.0]])
    assert neighbour_distance(two, two, torch.tensor([0, 1])).tolist() == [3.0, 3.0]


def test_p_values_are_uniform_among_exchangeable_cells():
    rng = np.random.default_rng(0)
    found = [
        conformal_p_values(
            torch.from_numpy(rng.normal(size=1)), torch.from_numpy(np.sort(rng.normal(size=19)))
        )
        for _ in range(4000)
    ]
    counts = np.bincount(np.round(torch.cat(found).numpy() * 20).astype(int), minlength=21)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 0.001


def test_ties_are_conservative_and_nan_stays():
    found = conformal_p_values(torch.tensor([1.0, torch.nan]), torch.ones(4))
    assert found[0] == 1
    assert found[1].isnan()
