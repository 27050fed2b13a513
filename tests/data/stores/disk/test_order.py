"""Random orders in short runs: a permutation, well mixed, the same for the same seed."""

import numpy as np
from hypothesis import given, strategies as st

from hzau_omics.data.stores.disk.order import shuffled_runs


@given(
    cells=st.sets(st.integers(0, 500)),
    run=st.integers(1, 20),
    window=st.integers(1, 60),
    seed=st.integers(0, 10),
)
def test_it_is_a_permutation(cells, run, window, seed):
    given_cells = np.array(sorted(cells), dtype=np.int64)
    order = shuffled_runs(given_cells, np.random.default_rng(seed), run=run, window=window)
    assert sorted(order.tolist()) == sorted(cells)
    again = shuffled_runs(given_cells, np.random.default_rng(seed), run=run, window=window)
    np.testing.assert_array_equal(order, again)


@given(cells=st.sets(st.integers(0, 500), min_size=1), run=st.integers(1, 20))
def test_runs_stay_together(cells, run):
    # With windows of one cell nothing but the order of the runs is random.
    given_cells = np.array(sorted(cells), dtype=np.int64)
    order = shuffled_runs(given_cells, np.random.default_rng(0), run=run, window=1)
    runs = order // run
    assert np.count_nonzero(np.diff(runs)) + 1 == len(np.unique(runs))


def test_a_window_mixes_the_whole_store():
    # Cells sorted by ten samples: each minibatch of 128 sees all of them, about equally.
    cells = np.arange(100_000)
    order = shuffled_runs(cells, np.random.default_rng(0))
    sample = order.reshape(-1, 100)[:990] // 10_000
    shares = np.stack([np.bincount(row, minlength=10) for row in sample]) / 100
    assert abs(shares.mean(0) - 0.1).max() < 0.01
    # Binomial counts would have a standard deviation of 0.03.
    assert shares.std(0).max() < 0.045
