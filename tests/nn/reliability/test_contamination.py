"""How much of a measurement came from elsewhere: against a general optimiser, and in the limits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.optimize import minimize_scalar

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.reliability.contamination import contamination
from hzau_omics.nn.reliability.profiles import AmbientProfiles


def profiles(n_cells, seed, n_features=12):
    rng = np.random.default_rng(seed)
    own, ambient = rng.dirichlet(np.full(n_features, 2.0), (2, n_cells))
    return torch.tensor(own).float(), torch.tensor(ambient).float()


def counted(shares, total, seed):
    rng = np.random.default_rng(seed)
    shares = shares.double().numpy()
    rows = [rng.multinomial(total, row / row.sum()) for row in shares]
    return SparseEntries.of(torch.tensor(np.stack(rows)).float())


def split(counts, own, ambient):
    at = counts.row, counts.feature
    return contamination(counts, own[at], ambient[at])


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1), total=st.integers(1, 3000), seed=st.integers(0, 1000))
def test_the_share_is_the_most_likely_one(share, total, seed):
    own, ambient = profiles(3, seed)
    counts = counted((1 - share) * own + share * ambient, total, seed)
    found = split(counts, own, ambient)
    x = counts.dense().numpy()
    for cell in range(3):
        a, b = (p[cell].numpy() for p in (own, ambient))

        def loss(alpha, x=x[cell], a=a, b=b):
            return -(x * np.log((1 - alpha) * a + alpha * b + 1e-300)).sum()

        best = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-6})
        assert loss(1 - found.purity[cell].item()) <= best.fun + 1e-3 * max(1, abs(best.fun))
        expected = (x[cell] * np.log(a / b)).sum() / x[cell].sum()
        assert found.log_ratio[cell].item() == pytest.approx(expected, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_with_many_counts_the_share_is_known(share):
    own, ambient = profiles(50, 0)
    counts = counted((1 - share) * own + share * ambient, 20_000, 1)
    found = split(counts, own, ambient)
    np.testing.assert_allclose(1 - found.purity, share, atol=0.05)


def test_cells_without_counts_give_nan():
    own, ambient = profiles(2, 0)
    empty = SparseEntries.of(torch.zeros(2, 12))
    found = split(empty, own, ambient)
    assert found.purity.isnan().all()
    assert found.log_ratio.isnan().all()


@pytest.mark.parametrize("masked", [False, True])
def test_profiles_are_those_of_the_batch_and_of_what_it_measured(masked):
    learned = AmbientProfiles([3, 2], n_batches=2)
    means = [torch.rand(2, 3), torch.rand(2, 2)]
    learned.set(means)
    batch = torch.tensor([1, 0, 1])
    mask = torch.tensor([[True, True, False]]).expand(3, -1) if masked else None
    counts = SparseEntries.of(torch.tensor([[1.0, 2.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]]))
    found = learned.shares_at(0, batch, counts, mask)
    shares = means[0][batch] if mask is None else means[0][batch] * mask
    shares = shares / shares.sum(-1, keepdim=True)
    torch.testing.assert_close(found, shares[[0, 0, 1], [0, 1, 1]])
