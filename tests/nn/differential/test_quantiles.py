import numpy as np

from hzau_omics.nn.differential.prior import Posterior, posterior


def test_quantiles_of_a_point_are_the_point():
    one = Posterior(np.array([[1.0]]), np.array([[0.0]]), np.array([[0.0]]))
    for q in (0.05, 0.5, 0.95):
        assert one.quantile(q)[0] == 0


def test_intervals_of_features_without_a_change_hold_0():
    rng = np.random.default_rng(0)
    change = np.where(np.arange(1000) % 10 == 0, rng.normal(0, 1, 1000), 0.0)
    found = posterior(change + rng.normal(0, 0.1, 1000), np.full(1000, 0.1))
    low, high = found.quantile(0.05), found.quantile(0.95)
    inside = (low <= change) & (change <= high)
    assert inside.mean() > 0.9
