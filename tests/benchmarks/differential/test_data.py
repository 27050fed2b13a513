import numpy as np
import pytest

from benchmarks.differential.data import split_cells, split_samples, thinned


def test_groups_of_a_split_do_not_overlap_and_have_their_shares():
    one, other = split_cells(np.arange(100, 300), 0.05, np.random.default_rng(0))
    assert (len(one), len(other)) == (10, 190)
    assert set(one) | set(other) == set(range(100, 300))


def test_all_cells_of_a_sample_are_in_one_group():
    samples = np.array(list("abcdefabcdef"))
    one, other = split_samples(np.arange(2, 12), samples, np.random.default_rng(0))
    assert not set(samples[one]) & set(samples[other])
    assert len(set(samples[one])) == 3
    assert sorted([*one, *other]) == list(range(2, 12))


def test_thinned_genes_have_the_fold_change_that_is_told(data):
    one, other = np.arange(0, 150), np.arange(150, 400)
    counts, change = thinned(data.rna, one, other, np.random.default_rng(0))
    changed = np.flatnonzero(change)
    assert len(changed) == 20
    assert np.abs(change[changed]).min() >= 0.3
    dense, before = counts.toarray(), data.rna.toarray()
    for j in changed:
        lower, whole = (one, other) if change[j] < 0 else (other, one)
        np.testing.assert_array_equal(dense[whole, j], before[whole, j])
        kept = dense[lower, j].sum() / before[lower, j].sum()
        assert np.log2(kept) == pytest.approx(-abs(change[j]), abs=0.35)
    same = change == 0
    np.testing.assert_array_equal(dense[:, same], before[:, same])
    np.testing.assert_array_equal(data.rna.toarray(), before)
