import numpy as np
import pytest
from scipy import stats

from hzau_omics.nn.differential.counts import GroupSums, MeasuredCells
from hzau_omics.nn.differential.effect import (
    as_error,
    group_means,
    log_ratio,
    offsets,
    p_value_beyond,
    pseudocount,
)

NONE = np.zeros(1)


def sums_of(values, sizes, batch, n_batches=2):
    sums = GroupSums.zeros(1, n_batches, values.shape[1])
    for b in range(n_batches):
        of = batch == b
        sums.add(
            np.zeros(of.sum(), np.int64),
            MeasuredCells(b, values[of], sizes[of], np.ones(values.shape[1])),
        )
    return sums.pick(np.array([0]))


def test_the_fold_change_is_that_within_batches():
    rng = np.random.default_rng(0)
    batch = np.repeat([0, 1], 4000)
    scale = np.where(batch == 0, 1.0, 10.0)[:, None]
    one = rng.random(8000) < np.where(batch == 0, 0.1, 0.9)
    values = rng.poisson(scale * np.where(one, 4.0, 1.0)[:, None], (8000, 3)).astype(float)
    parts = [sums_of(values[of], np.ones(of.sum()), batch[of]) for of in (one, ~one)]
    means = group_means(*parts, NONE)
    change, error = log_ratio(means.mean, means.variance, 1e-9)
    np.testing.assert_allclose(change, 2.0, atol=0.1)
    assert means.shared.all()
    assert (np.abs(change - 2.0) < 4 * error).all()


def test_standard_errors_are_those_of_repetition():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        parts = [
            sums_of(rng.negative_binomial(2, 0.5, (100, 2)) * 1.0, np.ones(100), np.zeros(100))
            for _ in range(2)
        ]
        means = group_means(*parts, NONE)
        found.append(log_ratio(means.mean, means.variance, 1e-9))
    change, error = (np.stack(part) for part in zip(*found, strict=True))
    np.testing.assert_allclose(error.mean(0), change.std(0), rtol=0.15)


def test_errors_of_batches_with_one_cell_are_those_of_repetition():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(200):
        few = rng.negative_binomial(5, 0.2, (30, 2)) * 1.0
        many = rng.negative_binomial(5, 0.2, (600, 2)) * 1.0
        parts = [
            sums_of(few, np.ones(30), np.arange(30), 30),
            sums_of(many, np.ones(600), np.arange(600) % 30, 30),
        ]
        means = group_means(*parts, np.full(2, 0.2))
        found.append(log_ratio(means.mean, means.variance, 1e-9))
    change, error = (np.stack(part) for part in zip(*found, strict=True))
    np.testing.assert_allclose(error.mean(0), change.std(0), rtol=0.25)


def test_groups_without_a_common_batch_have_their_own_means():
    one = sums_of(np.full((4, 1), 2.0), np.ones(4), np.zeros(4))
    other = sums_of(np.full((4, 1), 8.0), np.ones(4), np.ones(4))
    means = group_means(one, other, NONE)
    assert not means.shared.any()
    np.testing.assert_allclose(means.mean[:, 0], [2.0, 8.0])


def test_the_pseudocount_is_what_silent_features_show():
    rng = np.random.default_rng(2)
    rates = np.r_[np.full(50, 0.002), np.full(50, 3.0)]
    one, other = (
        sums_of(rng.poisson(rates, (1000, 100)) * 1.0, np.ones(1000), np.zeros(1000))
        for _ in range(2)
    )
    assert 0.002 < pseudocount(one, other) < 0.01
    loud = sums_of(np.full((1000, 3), 5.0), np.ones(1000), np.zeros(1000))
    assert pseudocount(loud, loud) == pytest.approx(0.5 / 1000)


def test_with_half_a_count_rare_changes_are_neither_too_small_nor_too_large():
    rng = np.random.default_rng(3)
    few, many, truth = 200, 2000, np.log2(4)
    one = rng.poisson(0.08, (few, 4000)) * 1.0
    other = rng.poisson(0.02, (many, 4000)) * 1.0
    parts = [sums_of(x, np.ones(len(x)), np.zeros(len(x))) for x in (one, other)]
    means = group_means(*parts, np.zeros(4000))
    added = offsets(*parts, pseudocount(*parts), np.zeros(4000, bool))
    change, error = log_ratio(means.mean, means.variance, added)
    silent, _ = log_ratio(means.mean, means.variance, pseudocount(*parts))
    assert change.mean() == pytest.approx(truth, abs=0.03)
    assert silent.mean() < truth - 0.05
    inside = np.abs(change - truth) < 1.645 * error
    assert inside.mean() == pytest.approx(0.9, abs=0.03)


def test_half_a_count_is_of_counts_and_predictions_have_their_own_offset():
    one, other = (sums_of(np.tile([3.0, 3.0], (n, 1)), np.ones(n), np.zeros(n)) for n in (10, 100))
    added = offsets(one, other, 0.2, np.array([False, True]))
    np.testing.assert_allclose(added, [[0.05, 0.2], [0.005, 0.2]])


def test_p_values_beyond_a_threshold():
    change, error = np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.5, 0.0])
    assert p_value_beyond(change, error, 0.0) == pytest.approx([1.0, 2 * stats.norm.sf(2), 1.0])
    assert p_value_beyond(change, error, 1.0)[1] == pytest.approx(0.5 + stats.norm.sf(4))


def test_an_error_agrees_with_its_p_value():
    change, p_value = np.array([1.0, 1.0, 0.0]), np.array([0.05, 1e-12, 1.0])
    found = as_error(change, p_value, np.full(3, 0.1))
    assert found[0] == pytest.approx(1 / stats.norm.isf(0.025))
    assert found[1:].tolist() == [0.1, 0.1]
