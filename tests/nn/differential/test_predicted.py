import numpy as np
import pytest

from hzau_omics.nn.differential.counts import GroupSums, MeasuredCells
from hzau_omics.nn.differential.effect import group_means, log_ratio
from hzau_omics.nn.differential.predicted import (
    LACKING,
    MEASURED,
    Bias,
    Completion,
    PredictionSums,
    bias_of,
)

ONES, NONE = np.ones(1), np.zeros(1)
NO_BIAS = Bias(ONES, np.zeros(1))


def estimate(rng, *, n=(60, 60), n_lacking=(600, 600), quality=1.0, offset=0.0):
    """Means of two groups with true means 10 and 20, completed by predictions."""
    sums, predicted = GroupSums.zeros(2, 1, 1), PredictionSums.zeros(2, 1)
    n_cells = np.zeros((2, 2, 1))
    for k, mean in enumerate((10.0, 20.0)):
        for part, count in ((MEASURED, n[k]), (LACKING, n_lacking[k])):
            if not count:
                continue
            own = rng.gamma(4.0, mean / 4, (count, 1))
            values = rng.poisson(own) * 1.0
            prediction = quality * own + (1 - quality) * rng.gamma(4, 4, own.shape) + offset
            block = MeasuredCells(0, values, np.ones(count), ONES) if part == MEASURED else None
            predicted.add(k, prediction, block, ONES)
            n_cells[k, part] = count
            if block is not None:
                sums.add(np.full(count, k), block)
    members = (np.array([0]), np.array([1]))
    means = group_means(*(sums.pick(m) for m in members), NONE)
    completion = Completion(n_cells, predicted, NO_BIAS)
    completed = completion.of(means, members)
    found = [log_ratio(part.mean, part.variance, 1e-9) for part in (means, completed)]
    return *found, completion


@pytest.mark.parametrize("offset", [0.0, 5.0])
def test_predictions_make_it_more_certain_and_not_wrong(offset):
    rng = np.random.default_rng(0)
    found = [estimate(rng, offset=offset)[:2] for _ in range(200)]
    alone, both = (np.array([one[i] for one in found])[:, :, 0] for i in (0, 1))
    assert both[:, 0].mean() == pytest.approx(-1.0, abs=0.03)
    assert both[:, 0].std() < 0.75 * alone[:, 0].std()
    assert both[:, 1].mean() == pytest.approx(both[:, 0].std(), rel=0.2)


def test_useless_predictions_change_nothing():
    rng = np.random.default_rng(1)
    found = [estimate(rng, quality=0.0)[:2] for _ in range(100)]
    alone, both = (np.array([one[i] for one in found])[:, :, 0] for i in (0, 1))
    np.testing.assert_allclose(both[:, 0], alone[:, 0], atol=0.1)
    assert both[:, 1].mean() == pytest.approx(alone[:, 1].mean(), rel=0.1)


def test_complete_groups_are_left_as_they_are():
    alone, both, completion = estimate(np.random.default_rng(2), n_lacking=(0, 0))
    np.testing.assert_array_equal(alone, both)
    assert not completion.lacking(np.array([0, 1])).any()
    assert completion.share_measured(np.array([0])).tolist() == [1.0]


def test_a_group_without_measured_cells_has_the_doubt_of_predictions():
    rng = np.random.default_rng(3)
    _, _, completion = estimate(rng, n=(60, 0))
    sums = GroupSums.zeros(2, 1, 1)
    members = (np.array([0]), np.array([1]))
    means = group_means(*(sums.pick(m) for m in members), NONE)
    doubtful = Completion(completion.n_cells, completion.sums, Bias(2 * ONES, 0.04 * ONES))
    found = doubtful.of(means, members)
    assert found.mean[1, 0] == pytest.approx(40, rel=0.1)
    assert found.variance[1, 0] > 0.04 * 40**2 * 0.8


def test_bias_is_that_between_clusters():
    rng = np.random.default_rng(4)
    sums = PredictionSums.zeros(40, 1)
    factors = np.exp(rng.normal(np.log(1.5), 0.2, 40))
    for k, factor in enumerate(factors):
        prediction = rng.gamma(20, 5, (400, 1))
        values = rng.poisson(prediction * factor) * 1.0
        sums.add(k, prediction, MeasuredCells(0, values, np.ones(400), ONES), ONES)
    found = bias_of(sums)
    assert found.ratio[0] == pytest.approx(1.5, rel=0.1)
    assert found.variance[0] == pytest.approx(0.04, rel=0.4)
