"""Bounds and variances of importance weights."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logsumexp

from hzau_omics.errors import ConfigError
from hzau_omics.metrics import importance_bound, weight_variance

draws = arrays(
    float, st.tuples(st.integers(1, 8), st.integers(1, 5)), elements=st.floats(-900, 900)
)


@given(draws)
def test_the_bound_is_the_log_of_the_mean_weight(log_weights):
    expected = logsumexp(log_weights, axis=0) - np.log(len(log_weights))
    np.testing.assert_allclose(importance_bound(log_weights), expected, rtol=1e-9, atol=1e-9)


@given(draws)
def test_the_bound_lies_between_mean_and_largest_weight(log_weights):
    bound = importance_bound(log_weights)
    assert (bound >= log_weights.mean(0) - 1e-9).all()
    assert (bound <= log_weights.max(0) + 1e-9).all()


def test_the_variance_is_over_draws_and_leaves_cells_without_weights_out():
    log_weights = np.array([[0.0, 1.0, np.nan], [2.0, 1.0, np.nan]])
    assert weight_variance(log_weights) == pytest.approx(0.5)


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((0, 3)), 1.0])
def test_another_shape_is_refused(values):
    with pytest.raises(ConfigError, match="shape"):
        importance_bound(values)
