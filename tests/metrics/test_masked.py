"""Masked entries are missing for every metric: what lies under a mask is never counted."""

import numpy as np
import pytest

from hzau_omics import metrics
from hzau_omics.errors import DataContractError

RNG = np.random.default_rng(0)
VALUES = RNG.random((40, 3))
HIDDEN = RNG.random((40, 3)) < 0.2
MASKED = np.ma.array(np.where(HIDDEN, 777.0, VALUES), mask=HIDDEN)
MISSING = np.where(HIDDEN, np.nan, VALUES)
LABELS = np.repeat(["B", "T"], 20)

WITH_MISSING = {
    "pearson": lambda x: metrics.pearson_per_feature(VALUES, x),
    "coverage": lambda x: metrics.interval_coverage(x).per_feature,
    "uniformity": metrics.pit_uniformity,
    "pit": lambda x: metrics.randomised_pit(VALUES[None], x, np.random.default_rng(0)),
}
WITHOUT_MISSING = {
    "draws": lambda x: metrics.randomised_pit(x[None], VALUES, np.random.default_rng(0)),
    "neighbours": lambda x: metrics.knn_label_accuracy(x, LABELS, VALUES, LABELS, k=3),
    "labels": lambda x: metrics.knn_label_accuracy(
        VALUES, np.ma.array(LABELS, mask=np.ma.getmaskarray(x)[:, 0]), VALUES, LABELS, k=3
    ),
    "counts": lambda x: metrics.group_mean_imputation(x, LABELS, LABELS),
}


@pytest.mark.parametrize("measure", WITH_MISSING.values(), ids=WITH_MISSING)
def test_masked_is_nan_where_values_may_be_missing(measure):
    np.testing.assert_array_equal(measure(MASKED), measure(MISSING))
    np.testing.assert_array_equal(measure(np.ma.array(VALUES)), measure(VALUES))


@pytest.mark.parametrize("measure", WITHOUT_MISSING.values(), ids=WITHOUT_MISSING)
def test_masked_is_refused_where_all_values_are_needed(measure):
    with pytest.raises(DataContractError):
        measure(MASKED)
    np.testing.assert_array_equal(measure(np.ma.array(VALUES)), measure(VALUES))
