"""Per-feature Pearson correlation against SciPy and under its own rules."""

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse, stats

from hzau_omics.errors import DataContractError
from hzau_omics.metrics import mean_feature_pearson, pearson_per_feature

matrices = hnp.arrays(np.float64, (12, 3), elements=st.floats(-100, 100, allow_nan=False, width=32))


def test_equals_scipy_feature_by_feature() -> None:
    rng = np.random.default_rng(0)
    observed = rng.gamma(2.0, size=(200, 6))
    predicted = observed + rng.normal(size=observed.shape)
    expected = [stats.pearsonr(predicted[:, j], observed[:, j]).statistic for j in range(6)]
    np.testing.assert_allclose(pearson_per_feature(predicted, observed), expected, rtol=1e-12)
    assert mean_feature_pearson(predicted, observed) == pytest.approx(np.mean(expected))


def test_unmeasured_entries_are_left_out_one_by_one() -> None:
    rng = np.random.default_rng(1)
    observed, predicted = rng.normal(size=(2, 100, 2))
    hidden = rng.random(observed.shape) < 0.4
    expected = [
        stats.pearsonr(predicted[~hidden[:, j], j], observed[~hidden[:, j], j]).statistic
        for j in range(2)
    ]
    predicted = np.where(hidden, 1e9, predicted)
    observed = np.where(hidden, np.nan, observed)
    np.testing.assert_allclose(pearson_per_feature(predicted, observed), expected, rtol=1e-10)


@given(predicted=matrices, observed=matrices)
def test_symmetric_and_between_minus_one_and_one(
    predicted: np.ndarray, observed: np.ndarray
) -> None:
    forth = pearson_per_feature(predicted, observed)
    back = pearson_per_feature(observed, predicted)
    both = ~np.isnan(forth) & ~np.isnan(back)
    np.testing.assert_allclose(forth[both], back[both], atol=1e-12)
    assert (np.abs(forth[~np.isnan(forth)]) <= 1).all()


@given(
    observed=matrices,
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-1e2, 1e2),
)
def test_one_for_any_rising_line_and_minus_one_for_a_falling_one(
    observed: np.ndarray, scale: float, shift: float
) -> None:
    assume((np.ptp(observed, axis=0) > 1).all())
    np.testing.assert_allclose(
        pearson_per_feature(scale * observed + shift, observed), 1, atol=1e-6
    )
    np.testing.assert_allclose(
        pearson_per_feature(-scale * observed + shift, observed), -1, atol=1e-6
    )


def test_constant_observation_is_undefined_and_constant_prediction_counts_zero() -> None:
    varying = np.arange(5.0)
    predicted = np.stack([varying, np.full(5, 0.1), np.full(5, 0.1), varying], axis=1)
    observed = np.stack([np.full(5, 0.3), varying, np.full(5, 0.3), varying], axis=1)
    np.testing.assert_array_equal(
        np.round(pearson_per_feature(predicted, observed), 12), [np.nan, 0.0, np.nan, 1.0]
    )
    assert mean_feature_pearson(predicted, observed) == pytest.approx(0.5)


def test_two_measured_cells_are_enough_for_a_correlation() -> None:
    assert pearson_per_feature([[1.0], [2.0]], [[3.0], [5.0]]) == pytest.approx(1.0)


def test_mean_is_nan_when_no_feature_is_defined() -> None:
    assert np.isnan(mean_feature_pearson(np.zeros((4, 2)), np.ones((4, 2))))
    one_cell = pearson_per_feature([[1.0, 2.0]], [[2.0, 3.0]])
    assert np.isnan(one_cell).all()


def test_very_large_and_very_small_values_keep_their_correlation() -> None:
    observed = np.array([[1.0], [2.0], [4.0]])
    for unit in (1e-200, 1e200):
        assert pearson_per_feature(observed, unit * observed) == pytest.approx(1.0)


def test_sparse_input_equals_dense_input() -> None:
    counts = np.random.default_rng(2).poisson(0.5, size=(50, 4)).astype(float)
    predicted = counts + 1
    np.testing.assert_array_equal(
        pearson_per_feature(predicted, sparse.csr_matrix(counts)),
        pearson_per_feature(predicted, counts),
    )


@pytest.mark.parametrize(
    ("predicted", "observed", "message"),
    [
        pytest.param(np.ones((2, 2)), np.ones((2, 3)), r"\(2, 2\) and \(2, 3\)", id="shape"),
        pytest.param(np.ones(3), np.ones(3), "predicted must be a matrix", id="vector"),
        pytest.param(
            [[1.0, np.nan], [1.0, 1.0]],
            np.ones((2, 2)),
            "predicted must be finite.*row 0, column 1",
            id="missing prediction",
        ),
        pytest.param(np.ones((1, 1)), [[np.inf]], "observed must be finite", id="infinite"),
    ],
)
def test_refuses(predicted: object, observed: object, message: str) -> None:
    with pytest.raises(DataContractError, match=message):
        pearson_per_feature(predicted, observed)
